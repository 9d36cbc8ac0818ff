import { describe, expect, it } from "vitest";
import { createMemoryId, isMemoryId } from "../../../src/model/id.ts";

describe("createMemoryId", () => {
  it("gives UUIDv7 that carry their time and sort by creation, also within one millisecond", () => {
    const ids = Array.from({ length: 10_000 }, () => createMemoryId(1_700_000_000_000));
    expect(ids.every(isMemoryId)).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
    expect([...ids].sort()).toEqual(ids);
    expect(parseInt(ids[0]!.replaceAll("-", "").slice(0, 12), 16)).toBe(1_700_000_000_000);
  });

  it("never goes back when the clock does", () => {
    const later = createMemoryId(1_800_000_000_000);
    const earlierClock = createMemoryId(1_700_000_000_000);
    expect(earlierClock > later).toBe(true);
  });
});
