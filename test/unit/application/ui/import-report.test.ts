import { describe, expect, it } from "vitest";
import type { Receipt } from "../../../../src/engine.ts";
import { groupFailures, KeepReasons } from "../../../../src/application/ui/lib/import-report.ts";
import type { WireError } from "../../../../src/errors.ts";

const full: WireError = { code: "storage_full", message: "No more room.", retryable: true };
const empty: WireError = { code: "invalid_input", message: "a.txt is empty.", retryable: false };

describe("groupFailures", () => {
  it("tells one cause once, with its different sources in order and how often", () => {
    const groups = groupFailures([
      { source: "log.jsonl", error: full },
      { source: "a.txt", error: empty },
      { source: "log.jsonl", error: { ...full } },
      { source: "mails.mbox", error: { ...full } },
    ]);
    expect(groups).toEqual([
      { error: full, sources: ["log.jsonl", "mails.mbox"], count: 3 },
      { error: empty, sources: ["a.txt"], count: 1 },
    ]);
  });

  it("keeps causes apart that differ in code or words", () => {
    const other: WireError = { ...full, code: "too_large" };
    expect(groupFailures([full, other].map((error) => ({ source: "x", error })))).toHaveLength(2);
    expect(groupFailures([])).toEqual([]);
  });
});

describe("KeepReasons", () => {
  it("counts why stored memories are kept exactly, the most frequent first", () => {
    const reasons = new KeepReasons();
    const receipt = (part: Partial<Receipt>): Receipt => ({
      index: 0,
      status: "stored",
      id: "m",
      originalBytes: 1,
      storedBytes: 1,
      ...part,
    });
    reasons.add(receipt({ keepReason: "Too short." }));
    reasons.add(receipt({ keepReason: "2 of 9 names are missing." }));
    reasons.add(receipt({ keepReason: "Too short." }));
    reasons.add(receipt({}));
    reasons.add(receipt({ status: "duplicate", keepReason: "Too short." }));
    expect(reasons.list(1)).toEqual([{ reason: "Too short.", count: 2 }]);
    expect(reasons.list(9)).toHaveLength(2);
  });
});
