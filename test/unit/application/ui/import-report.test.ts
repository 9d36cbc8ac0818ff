import { describe, expect, it } from "vitest";
import { groupFailures } from "../../../../src/application/ui/lib/import-report.ts";
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
