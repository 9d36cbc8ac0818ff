import { writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { useCli } from "./support/cli.ts";

const cli = useCli();

describe("retention and episodes from the command line", () => {
  it("sets rules, previews them, moves nothing while off, and packs a context", async () => {
    await writeFile(cli.path("note.txt"), "Rune sold the cabin at Hol to his sister in 1999.");
    const filled = await cli.run([
      ...["batch", "--input-dir", ".", "--output-dir", "packed"],
      ...["--store", "store", "--no-embed"],
    ]);
    expect(filled.code, filled.stderr).toBe(0);
    const store = ["--store", "store"];
    const set = await cli.json(["retention", "set", "--older-than", "0", "--to", "gist", ...store]);
    expect(set).toEqual({ enabled: false, rules: [{ olderThanDays: 0, moveTo: "gist" }] });
    const preview = await cli.json(["retention", "preview", ...store]);
    expect(preview).toMatchObject({
      totalCount: 0,
      held: [{ reason: "It belongs to no episode whose gist could speak for it", count: 1 }],
    });
    const off = await cli.run(["retention", "apply", ...store]);
    expect(off.code).toBe(2);
    expect(off.stderr).toContain("Retention is off");
    const incomplete = await cli.run(["retention", "set", "--older-than", "5", ...store]);
    expect(incomplete.code).toBe(2);
    await cli.run(["retention", "set", "--on", ...store]);
    expect(await cli.json(["retention", "apply", ...store])).toMatchObject({ moved: 0 });
    expect(await cli.json(["retention", "undo", ...store])).toEqual({ count: 0 });
    expect(await cli.json(["episodes", ...store])).toEqual({ items: [], totalCount: 0 });
    const none = await cli.run(["episodes", "show", "nobody", ...store]);
    expect(none.code).toBe(4);
    const packed = await cli.run(["search", "--query", "cabin", "--context", "100", ...store]);
    expect(packed.text).toMatch(/^\d{4}-\d\d-\d\d\n\[1\] .*Rune sold the cabin at Hol/);
  }, 300_000);
});
