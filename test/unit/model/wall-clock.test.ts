import fc from "fast-check";
import { expect, it } from "vitest";
import { shownAt, shownDay, whenShown } from "../../../src/model/wall-clock.ts";
import { inTimeZone } from "./time-zone.ts";

const HOUR_MS = 3_600_000;

it.each(["UTC", "America/Los_Angeles", "Asia/Kolkata", "Europe/Berlin"])(
  "shown times are found again in %s, but for the hour that is shown twice",
  (zone) =>
    inTimeZone(zone, () => {
      const from = Date.UTC(1900, 0, 1);
      const to = Date.UTC(2100, 0, 1);
      fc.assert(
        fc.property(fc.integer({ min: from, max: to }), (time) => {
          const again = whenShown(shownAt(time));
          expect(shownAt(again)).toBe(shownAt(time));
          expect(Math.abs(again - time)).toBeLessThanOrEqual(HOUR_MS);
        }),
      );
    }),
);

it("days are those of the device", () =>
  inTimeZone("America/Los_Angeles", () => {
    expect(shownDay(Date.UTC(2023, 5, 1, 5))).toBe("2023-05-31");
    expect(whenShown(Date.UTC(2024, 2, 10))).toBe(Date.UTC(2024, 2, 10, 8));
    expect(whenShown(Date.UTC(2024, 2, 11))).toBe(Date.UTC(2024, 2, 11, 7));
  }));

it("what is open stays open", () => {
  expect(whenShown(-Infinity)).toBe(-Infinity);
  expect(shownAt(Infinity)).toBe(Infinity);
});
