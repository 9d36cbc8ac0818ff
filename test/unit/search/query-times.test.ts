import { describe, expect, it } from "vitest";
import { readTimes } from "../../../src/search/query-times.ts";

/** A Wednesday. */
const NOW = Date.UTC(2026, 10, 25, 15);
const YESTERDAY = Date.UTC(2026, 10, 24, 20);
const YEARS_AGO = Date.UTC(2023, 4, 10, 20);

function from(query: string, newestMs: number): string {
  return new Date(readTimes(query, NOW, () => newestMs)[0]!.from!).toISOString().slice(0, 10);
}

describe("times that are relative to the present", () => {
  it("are read from now in a store that is in use", () => {
    expect(from("What did I write today?", YESTERDAY)).toBe("2026-11-25");
    expect(from("What did we say this week?", YESTERDAY)).toBe("2026-11-23");
  });

  it("are read from its last memory in a store that ended long ago", () => {
    expect(from("What did we say last week?", YEARS_AGO)).toBe("2023-05-01");
    expect(from("What did we do last year?", YEARS_AGO)).toBe("2022-01-01");
  });

  it("are read from now where they look ahead", () => {
    expect(from("What is planned for tomorrow?", YESTERDAY)).toBe("2026-11-26");
    expect(from("What is planned for next month?", YEARS_AGO)).toBe("2026-12-01");
    expect(from("What did I write today?", YEARS_AGO)).toBe("2026-11-25");
  });
});
