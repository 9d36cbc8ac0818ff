import { describe, expect, it } from "vitest";
import { useInProcessCli } from "./in-process.ts";
import { writeFile } from "node:fs/promises";

const cli = useInProcessCli();
const ORIGINAL =
  "Maria paid Peter 3,500 euros in May for the boat that he had built in Lisbon. " +
  "The council of Lisbon did not approve the new harbour. Peter will open his own yard in 2031.";

describe("evaluate", () => {
  it("says what is unsupported and ends with 10, without a model too", async () => {
    await writeFile(cli.path("original.txt"), ORIGINAL);
    const result = await cli.run(
      ["evaluate", "--original", "original.txt", "--summary", "-", "--json"],
      { input: "The council of Lisbon approved the new harbour." },
    );
    expect(result.code).toBe(10);
    const evaluation = JSON.parse(result.text) as Record<string, unknown>;
    expect(evaluation).toMatchObject({ verdict: "fail", mode: "fast" });
    expect(evaluation["quality"]).toMatchObject({ similarity: null, coverage: null });
    expect(evaluation["unsupported"]).toHaveLength(1);
    expect(evaluation["reasons"]).not.toHaveLength(0);
  });

  it("refuses two texts from one stdin, and an empty summary", async () => {
    await writeFile(cli.path("original.txt"), ORIGINAL);
    expect((await cli.run(["evaluate", "--original", "-", "--summary", "-"])).code).toBe(2);
    const empty = await cli.run(["evaluate", "--original", "original.txt", "--summary", "-"], {
      input: " ",
    });
    expect(empty.code).toBe(2);
    expect(empty.stderr).toMatch(/empty/);
  });
});
