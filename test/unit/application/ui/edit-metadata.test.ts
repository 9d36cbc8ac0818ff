import { describe, expect, it } from "vitest";
import { checkEdit, editableRows } from "../../../../src/application/ui/lib/edit-metadata.ts";
import { toLocalInput } from "../../../../src/application/ui/lib/format.ts";

const memory = {
  timestamp: new Date(2024, 4, 1, 12, 30, 15).getTime(),
  metadata: { source: "notes.md", speaker: "Ada", external_id: "<1@x>", colour: "red" },
};
const time = toLocalInput(memory.timestamp);

describe("editing the fields of a memory", () => {
  it("offers what may be changed, and title and speaker always", () => {
    const keys = editableRows(memory).map((row) => row.key);
    expect(keys).toContain("colour");
    expect(keys).toContain("title");
    expect(keys).not.toContain("external_id");
  });

  it("changes nothing when nothing was changed", () => {
    expect(checkEdit(memory, editableRows(memory), time)).toEqual({ patch: {}, problems: [] });
  });

  it("sends only what changed; an emptied or removed field is deleted", () => {
    const rows = [
      { key: "speaker", value: "Grace " },
      { key: "source", value: "" },
      { key: "mood", value: "calm" },
    ];
    expect(checkEdit(memory, rows, time).patch).toEqual({
      metadata: { speaker: "Grace", source: null, colour: null, mood: "calm" },
    });
  });

  it("takes a new time to the second", () => {
    const { patch } = checkEdit(memory, editableRows(memory), "2024-05-02T08:00:05");
    expect(patch.timestamp).toBe(new Date(2024, 4, 2, 8, 0, 5).getTime());
  });

  it("names each mistake beside its field", () => {
    const rows = [
      { key: "", value: "lost" },
      { key: "a", value: "1" },
      { key: "a", value: "2" },
      { key: "external_id", value: "x" },
      { key: "b", value: "x".repeat(2001) },
    ];
    const { problems } = checkEdit(memory, rows, "no time");
    expect(problems.map((problem) => problem.row)).toEqual([0, 2, 3, 4, -1]);
  });
});
