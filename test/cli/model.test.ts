import { mkdir, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { hasModel, jsonLines, MODELS, useCli } from "./support/cli.ts";
import { speeches } from "./support/corpus.ts";

const cli = useCli();
const env = { LLM_COMPRESS_MODELS: MODELS };

if (!hasModel)
  console.warn("The embedding model is not installed (npm run setup): its tests are skipped.");

describe.skipIf(!hasModel)("with the embedding model", () => {
  it("finds by meaning what shares no word with the query", async () => {
    for (const input of [
      "The cat slept on the warm windowsill all afternoon.",
      "Our quarterly revenue grew by eight percent.",
      "He fixed the engine of the old tractor.",
    ])
      expect((await cli.run(["remember", "--store=m"], { input, env })).code).toBe(0);
    const result = await cli.run(["search", "-q", "company finances", "--store=m", "--json"], {
      env,
    });
    expect(result.stderr).toBe("");
    expect(JSON.parse(result.text)).toMatchObject({
      signals: expect.arrayContaining(["semantic"]),
      hits: expect.arrayContaining([
        expect.objectContaining({
          memory: expect.objectContaining({ summary: expect.stringContaining("revenue") }),
        }),
      ]),
    });
  });

  it("fills in the vectors that --no-embed left out", async () => {
    await mkdir(cli.path("notes"));
    for (const [name, text] of [
      ["a.txt", "The harvest was poor because of the drought."],
      ["b.txt", "She tuned the violin before the concert."],
    ] as const)
      await writeFile(cli.path("notes", name), text);
    await cli.run(["batch", "--input-dir=notes", "--no-embed", "--store=e"], { env });
    expect(await cli.json(["status", "--store=e"], { env })).toMatchObject({
      embeddings: { embeddedCount: 0, pendingCount: 2 },
    });
    const withoutModel = await cli.run(["embed", "--store=e"]);
    expect(withoutModel.code).toBe(8);
    expect(await cli.json(["embed", "--store=e"], { env })).toEqual({
      embeddedCount: 2,
      pendingCount: 0,
    });
  });

  it("keeps a summary only where its quality was measured and passes", async () => {
    const [speech] = speeches(1);
    await mkdir(cli.path("speech"));
    await writeFile(cli.path("speech/a.txt"), speech!.text.slice(0, 6000));
    const result = await cli.run(
      ["batch", "--input-dir=speech", "--output-dir=out", "--keep=summary", "--store=k", "--json"],
      { env },
    );
    expect(result.code, result.stderr).toBe(0);
    for (const line of jsonLines(result.text)) {
      const { keep, keepReason, quality } = line as {
        keep: string;
        keepReason?: string;
        quality: { similarity: number; faithfulness: number };
      };
      expect(quality.faithfulness).toBe(1);
      if (keep === "summary") expect(quality.similarity).toBeGreaterThan(0.85);
      else expect(keepReason).toMatch(/\w/);
      const inspected = await cli.json(["inspect", `out/${String(line["output"])}`]);
      expect(inspected).toMatchObject({ keep });
    }
  }, 120_000);
});
