/**
 * SIGKILL at random points of `batch`: what was acknowledged (its line was printed) is there
 * afterwards with its exact bytes, and running again stores nothing twice.
 *
 * `LLM_COMPRESS_KILL_ROUNDS` sets how many kills (20; 200 in a full run), one in ten of them while
 * embedding, where the model is installed. The seed is printed; `LLM_COMPRESS_KILL_SEED` repeats it.
 */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, expect, it } from "vitest";
import type { Engine } from "../../src/engine.ts";
import { finish, hasModel, jsonLines, MODELS, useCli } from "./support/cli.ts";
import { rawMails } from "./support/corpus.ts";

const ROUNDS = Number(process.env["LLM_COMPRESS_KILL_ROUNDS"] ?? 20);
const SEED = Number(process.env["LLM_COMPRESS_KILL_SEED"] ?? Date.now() % 1_000_000);
const MAIL_COUNT = 200;
/** Stores grow over some kills, then a new one starts: recovery of recovered stores is met too. */
const KILLS_PER_STORE = 5;

const cli = useCli();
const originals = new Map<string, Buffer>();
let openEngine: (options: { directory: string; embed: boolean }) => Promise<Engine>;

beforeAll(async () => {
  await mkdir(cli.path("in"));
  for (const { name, bytes } of rawMails(MAIL_COUNT)) {
    originals.set(name, bytes);
    await writeFile(cli.path("in", name), bytes);
  }
  ({ openEngine } = (await import(pathToFileURL(join(cli.buildFolder(), "node.js")).href)) as {
    openEngine: typeof openEngine;
  });
});

/** mulberry32: a small seeded generator, so that a failing run can be repeated. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function killOnce(store: string, embed: boolean, delayMs: number, afterLines: number) {
  const child = cli.start(
    ["batch", "--input-dir=in", `--store=${store}`, "--json", ...(embed ? [] : ["--no-embed"])],
    { env: embed ? { LLM_COMPRESS_MODELS: MODELS } : {} },
  );
  const ended = finish(child);
  let lines = 0;
  const kill = (): void => void child.kill("SIGKILL");
  const timer = setTimeout(kill, embed ? 60_000 : 30_000);
  // Half of the kills fall at any time from the start, half some time after a number of lines.
  if (afterLines === 0) setTimeout(kill, delayMs);
  child.stdout.on("data", (chunk: Buffer) => {
    lines += chunk.toString("latin1").split("\n").length - 1;
    if (afterLines > 0 && lines >= afterLines) setTimeout(kill, delayMs / 20);
  });
  const result = await ended;
  clearTimeout(timer);
  return jsonLines(result.text).map((line) => {
    expect(line).not.toHaveProperty("error");
    return { id: String(line["id"]), source: String(line["source"]) };
  });
}

async function verify(store: string, acknowledged: Map<string, string>): Promise<number> {
  const engine = await openEngine({ directory: cli.path(store), embed: false });
  try {
    for (const [id, source] of acknowledged) {
      const read = await engine.read(id);
      const bytes = read.original ?? new TextEncoder().encode(read.text);
      expect(Buffer.compare(bytes, originals.get(source)!), `${id} ${source}`).toBe(0);
    }
    const sources: string[] = [];
    for (let offset = 0; ; offset += 1000) {
      const page = await engine.browse({ offset, limit: 1000, order: "recorded" });
      sources.push(...page.items.map((memory) => memory.metadata["source"]!));
      if (page.items.length < 1000) break;
    }
    expect(new Set(sources).size, "no source is stored twice").toBe(sources.length);
    return sources.length;
  } finally {
    await engine.close();
  }
}

it(
  `keeps every acknowledged memory over ${ROUNDS} kills (seed ${SEED})`,
  async () => {
    const random = createRandom(SEED);
    let killed = 0;
    let acknowledgedCount = 0;
    for (let round = 0; round < ROUNDS;) {
      const store = `store-${round}`;
      const acknowledged = new Map<string, string>();
      for (let kill = 0; kill < KILLS_PER_STORE && round < ROUNDS; kill++, round++) {
        const embed = hasModel && round % 10 === 9;
        const afterLines = random() < 0.5 ? 0 : 1 + Math.floor(random() * MAIL_COUNT);
        const delayMs = random() * (embed ? 6000 : 2500);
        const lines = await killOnce(store, embed, delayMs, afterLines);
        if (lines.length < MAIL_COUNT) killed++;
        for (const { id, source } of lines) acknowledged.set(id, source);
        await verify(store, acknowledged);
      }
      acknowledgedCount += acknowledged.size;
      // To the end this time: everything is there, once, under the ids that were acknowledged.
      const rest = await cli.run([
        "batch",
        "--input-dir=in",
        `--store=${store}`,
        "--json",
        "--no-embed",
      ]);
      expect(rest.code, rest.stderr).toBe(0);
      const final = jsonLines(rest.text);
      expect(final).toHaveLength(MAIL_COUNT);
      for (const line of final) acknowledged.set(String(line["id"]), String(line["source"]));
      expect(acknowledged.size, "an acknowledged id stays the id of its source").toBe(MAIL_COUNT);
      expect(await verify(store, acknowledged)).toBe(MAIL_COUNT);
    }
    expect(killed, "kills that met the process at work").toBeGreaterThan(ROUNDS / 3);
    expect(acknowledgedCount).toBeGreaterThan(0);
    if (!hasModel) console.warn("No kill while embedding: the embedding model is not installed.");
  },
  60_000 + ROUNDS * 30_000,
);
