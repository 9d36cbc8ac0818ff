import { describe, expect, it } from "vitest";
import fc from "fast-check";
import {
  formatBytes,
  formatDate,
  formatDuration,
  formatMonth,
  formatMs,
  formatPercent,
  formatPlural,
  formatRatio,
  formatShare,
  fromLocalInput,
  isoTime,
  toLocalInput,
  utf8Length,
} from "../../../../src/application/ui/lib/format.ts";

/** Digits and unit without the locale's separators. */
const plain = (text: string): string => text.replace(/[\s\u00a0\u202f]/g, " ");

describe("numbers with their units", () => {
  it("writes bytes in decimal units and never as 1000 of the smaller one", () => {
    expect(plain(formatBytes(0))).toBe("0 B");
    expect(plain(formatBytes(999))).toBe("999 B");
    expect(plain(formatBytes(1000))).toBe("1 kB");
    expect(plain(formatBytes(999_600))).toBe("1 MB");
    expect(plain(formatBytes(23_636_000))).toMatch(/^23[.,]6 MB$/);
  });

  it("says nothing where a ratio or share can't be computed", () => {
    expect(formatRatio(Number.POSITIVE_INFINITY)).toBe("–");
    expect(formatRatio(0)).toBe("–");
    expect(formatShare(null)).toBe("–");
    expect(formatRatio(3.44)).toMatch(/^3[.,]4×$/);
  });

  it("doesn't round a small share down to nothing", () => {
    expect(formatPercent(0)).toBe("0 %");
    expect(formatPercent(0.001)).toBe("under 1 %");
    expect(formatPercent(0.64)).toBe("64 %");
  });

  it("writes measured and remaining times in the unit a person would use", () => {
    expect(formatMs(12.3)).toBe("12 ms");
    expect(formatMs(1300)).toMatch(/^1[.,]3 s$/);
    expect(formatDuration(300)).toBe("under a second");
    expect(formatDuration(12_000)).toBe("12 s");
    expect(formatDuration(75_000)).toBe("1 min 15 s");
    expect(formatDuration(4_800_000)).toBe("1 h 20 min");
  });

  it("agrees in number", () => {
    expect(formatPlural(1, "memory", "memories")).toBe("1 memory");
    expect(formatPlural(2, "memory", "memories")).toBe("2 memories");
  });

  it("counts the bytes of a text, not its characters", () => {
    expect(utf8Length("naïve 🙂")).toBe(11);
  });
});

describe("dates", () => {
  it("survives times that no calendar has", () => {
    expect(formatDate(Number.NaN)).toBe("unknown date");
    expect(isoTime(9e15)).toBeUndefined();
    expect(formatMonth("no month")).toBe("no month");
  });

  it("gives an edit field the time back to the second", () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date(1970, 0, 1), max: new Date(2200, 0, 1), noInvalidDate: true }),
        (date) => {
          const ms = Math.floor(date.getTime() / 1000) * 1000;
          expect(fromLocalInput(toLocalInput(ms))).toBe(ms);
        },
      ),
    );
    expect(fromLocalInput("yesterday")).toBeNull();
  });
});
