import { describe, expect, it } from "vitest";
import { isAbortError } from "../../../../src/errors.ts";
import {
  LLMCompressor,
  type CompressionResult,
} from "../../../../src/processing/compression/compressor.ts";
import type { SummaryWriter } from "../../../../src/processing/compression/summary.ts";
import { chat } from "./chats.ts";

const COUNT = 70;
const texts = Array.from({ length: COUNT }, (_, i) => chat(i));
const LONE_SURROGATE = "Half of a character: \ud83d and nothing after it.";

/** Runs a batch and gathers what it hands over. */
async function run(
  compressor: LLMCompressor,
  items: readonly string[],
  settings: Partial<Parameters<LLMCompressor["compressBatch"]>[1]> = {},
): Promise<{ results: Map<number, CompressionResult | Error>; order: number[]; counts: unknown }> {
  const results = new Map<number, CompressionResult | Error>();
  const order: number[] = [];
  const counts = await compressor.compressBatch(items, {
    ...settings,
    onResult: (index, result) => {
      results.set(index, result);
      order.push(index);
    },
  });
  return { results, order, counts };
}

describe("a batch of texts", () => {
  it("hands over each result in order, with progress to the end", async () => {
    const progress: number[] = [];
    const { results, order, counts } = await run(new LLMCompressor({ embedder: null }), texts, {
      onProgress: ({ done, total }) => {
        expect(total).toBe(COUNT);
        progress.push(done);
      },
    });
    expect(counts).toEqual({ done: COUNT, failed: 0, skipped: 0 });
    expect(order).toEqual([...texts.keys()]);
    expect(progress.length).toBeGreaterThan(1);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(progress.at(-1)).toBe(COUNT);
    const alone = await new LLMCompressor({ embedder: null }).compress(texts[41]!);
    expect(results.get(41)).toEqual(alone);
  });

  it("goes on after a text that can't be read, and says which one it was", async () => {
    const items = [texts[0]!, LONE_SURROGATE, texts[1]!];
    const { results, counts } = await run(new LLMCompressor({ embedder: null }), items);
    expect(counts).toEqual({ done: 2, failed: 1, skipped: 0 });
    expect(results.get(1)).toMatchObject({ code: "invalid_input" });
    expect(results.get(2)).toMatchObject({ model: "extractive" });
  });

  it("keeps what was done before a cancellation; another run does the rest only", async () => {
    const abort = new AbortController();
    const done = new Set<number>();
    const compressor = new LLMCompressor({ embedder: null });
    const first = compressor.compressBatch(texts, {
      signal: abort.signal,
      onResult: (index) => {
        done.add(index);
        if (done.size === 10) abort.abort();
      },
    });
    await expect(first).rejects.toSatisfy(isAbortError);
    const before = done.size;
    expect(before).toBeGreaterThanOrEqual(10);
    expect(before).toBeLessThan(COUNT);
    const { order, counts } = await run(compressor, texts, { isDone: (index) => done.has(index) });
    expect(counts).toEqual({ done: COUNT - before, failed: 0, skipped: before });
    expect(order.every((index) => !done.has(index))).toBe(true);
  });

  it("lets language models write side by side, up to a limit, and keeps the order", async () => {
    let open = 0;
    let most = 0;
    let asked = 0;
    const writer: SummaryWriter = {
      supports: () => true,
      async write({ source }) {
        asked++;
        most = Math.max(most, ++open);
        // Later ones answer first.
        await new Promise((resolve) => setTimeout(resolve, (asked * 7) % 5));
        open--;
        const text = source.units[asked % source.units.length]!.core.text;
        return { candidates: [{ text, model: "writer" }], route: null, notes: [] };
      },
    };
    const items = texts.slice(0, 20);
    const { order, counts } = await run(
      new LLMCompressor({ embedder: null, writers: [writer] }),
      items,
      { mode: "balanced" },
    );
    expect(asked).toBe(items.length);
    expect(counts).toEqual({ done: items.length, failed: 0, skipped: 0 });
    expect(order).toEqual([...items.keys()]);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
  });
});
