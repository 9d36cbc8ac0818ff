import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  groupMemories,
  regrouped,
  MAX_BYTES,
  type GroupItem,
  type OpenEpisode,
} from "../../../../src/cognitive/episodes/grouping.ts";
import { fingerprintOf, nearIdentical } from "../../../../src/cognitive/episodes/fingerprint.ts";

const HOUR_MS = 3_600_000;

function item(id: string, change: Partial<GroupItem> = {}): GroupItem {
  return {
    id,
    userId: "me",
    timestamp: 0,
    bytes: 1_000,
    thread: null,
    isSection: false,
    list: null,
    source: null,
    vector: null,
    fingerprint: null,
    ...change,
  };
}

const thread = (name: string, count: number, bytes = 1_000): GroupItem[] =>
  Array.from({ length: count }, (_, i) =>
    item(`${name}${String(i).padStart(3, "0")}`, { thread: name, timestamp: i * HOUR_MS, bytes }),
  );

const ids = (items: readonly GroupItem[]): string[] => items.map(({ id }) => id);

describe("grouping", () => {
  it("keeps threads apart, whatever order memories come in", () => {
    const all = [...thread("a", 5), ...thread("b", 4)];
    const { groups } = groupMemories([...all].reverse());
    expect(groups.map((group) => [group.basis, ids(group.items)])).toEqual([
      ["thread", ids(all.slice(0, 5))],
      ["thread", ids(all.slice(5))],
    ]);
    expect(groupMemories(all)).toEqual(groupMemories([...all].reverse()));
  });

  it("cuts a long thread at its longest pause, and leaves nothing too small behind", () => {
    const long = thread("a", 60).map((one, i) =>
      i >= 22 ? { ...one, timestamp: one.timestamp + 100 * HOUR_MS } : one,
    );
    const sizes = groupMemories(long).groups.map((group) => group.items.length);
    expect(sizes[0]).toBe(22);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(60);
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(15);
  });

  it("passes over a pause behind which too little would be left for an episode", () => {
    const long = thread("a", 50).map((one, i) => ({
      ...one,
      timestamp: one.timestamp + (i >= 20 ? 50 * HOUR_MS : 0) + (i >= 44 ? 200 * HOUR_MS : 0),
    }));
    const sizes = groupMemories(long).groups.map((group) => group.items.length);
    expect(sizes).toEqual([20, 30]);
  });

  it("keeps what came by one mailing list together, behind threads and before the folder", () => {
    const by = (id: string, list: string, hours: number): GroupItem =>
      item(id, { list, source: "mails/x", timestamp: hours * HOUR_MS });
    const threaded = thread("t", 2).map((one) => ({ ...one, list: "ilug" }));
    const { groups } = groupMemories([
      ...threaded,
      by("i1", "ilug", 0),
      by("f1", "fork", 1),
      by("i2", "ilug", 30),
      by("f2", "fork", 40),
    ]);
    expect(groups.map((group) => [group.basis, ids(group.items)])).toEqual([
      ["thread", ids(threaded)],
      ["list", ["i1", "i2"]],
      ["list", ["f1", "f2"]],
    ]);
  });

  it("binds what no gist came about for by less and less", () => {
    const mail = item("m", { thread: "t", list: "ilug", source: "mails/m" });
    const byList = regrouped(mail, "thread")!;
    expect([byList.thread, byList.list, byList.source]).toEqual([null, "ilug", "mails/m"]);
    const bySource = regrouped(byList, "list")!;
    expect([bySource.list, bySource.source]).toEqual([null, "mails/m"]);
    expect(regrouped(bySource, "sitting")!.source).toBeNull();
    for (const basis of ["meaning", "near-identical", "document"] as const)
      expect(regrouped(mail, basis)).toBeNull();
  });

  it("puts every memory into at most one group of bounded size, of one user", () => {
    const anyItem = fc.record({
      thread: fc.option(fc.constantFrom("a", "b"), { nil: null }),
      source: fc.option(fc.constantFrom("x/1", "x/2", "y"), { nil: null }),
      userId: fc.constantFrom("me", "you"),
      timestamp: fc.integer({ min: 0, max: 1_000 }).map((hours) => hours * HOUR_MS),
      bytes: fc.integer({ min: 1, max: 40_000 }),
    });
    fc.assert(
      fc.property(fc.array(anyItem, { maxLength: 60 }), (rows) => {
        const items = rows.map((row, i) => item(`m${i}`, row));
        const { groups } = groupMemories(items);
        const seen = groups.flatMap((group) => ids(group.items));
        expect(new Set(seen).size).toBe(seen.length);
        for (const { items: own } of groups) {
          expect(own.length).toBeGreaterThan(1);
          expect(new Set(own.map(({ userId }) => userId)).size).toBe(1);
          expect(own.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(MAX_BYTES);
        }
      }),
    );
  });

  it("lets new messages join an episode that is open, and opens another beside a full one", () => {
    const old = thread("a", 5);
    const later = thread("a", 9).slice(5);
    const open: OpenEpisode = {
      id: "e",
      basis: "thread",
      sample: old[0]!,
      startsAt: 0,
      endsAt: 4 * HOUR_MS,
      bytes: 5_000,
    };
    const joined = groupMemories(later, [open]);
    expect(joined.groups).toEqual([]);
    expect(joined.joins.map(({ items }) => ids(items))).toEqual([ids(later)]);
    const full = groupMemories(later, [{ ...open, bytes: 20_000 }]);
    expect(full.joins).toEqual([]);
    expect(full.groups.map((group) => ids(group.items))).toEqual([ids(later)]);
  });

  it("finds notes that are near-identical, and no others", () => {
    const base =
      "Packing list for the hut: two sleeping bags, the small stove, matches in the tin, dried soup for three evenings, the blue rope, spare batteries and the map of the northern valley.";
    const texts = [
      base,
      base.replace("three evenings", "four evenings"),
      `${base} Ask Mette for the key.`,
      "The dentist moved the appointment to Thursday at ten because the hygienist is away until the end of the month, so the insurance form has to be sent before Monday.",
    ];
    const clusters = nearIdentical(texts, (text) => fingerprintOf(text)!);
    expect(clusters).toEqual([texts.slice(0, 3)]);
    expect(fingerprintOf("too short to tell")).toBeNull();
  });
});
