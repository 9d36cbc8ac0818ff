/**
 * Similarity as somebody would measure it who doesn't know our code: the whole text in windows of
 * 256 tokens by the model's own tokenizer, mean of their vectors weighted by tokens. Shares with the
 * gate nothing but the model.
 */

import type { EmbeddingCache } from "../search/embeddings.ts";

/** Tokens that the model sees at once, without its two marks. */
const WINDOW_TOKENS = 254;

/** Words of a text in windows of as many tokens as the model takes. */
async function windowsOf(text: string, cache: EmbeddingCache): Promise<[string, number][]> {
  const words = text.split(/\s+/).filter(Boolean);
  const windows: [string, number][] = [];
  const marks = await cache.embedder.countTokens("");
  let window: string[] = [];
  let tokens = 0;
  for (const word of words) {
    const size = (await cache.embedder.countTokens(word)) - marks;
    if (tokens + size > WINDOW_TOKENS && window.length > 0) {
      windows.push([window.join(" "), tokens]);
      window = [];
      tokens = 0;
    }
    window.push(word);
    tokens += size;
  }
  if (window.length > 0) windows.push([window.join(" "), tokens]);
  return windows;
}

async function pooled(text: string, cache: EmbeddingCache): Promise<Float64Array> {
  const windows = await windowsOf(text, cache);
  const vectors = await cache.embed(windows.map(([window]) => window));
  const sum = new Float64Array(384);
  vectors.forEach((vector, i) =>
    vector!.forEach((value, d) => (sum[d]! += value * windows[i]![1])),
  );
  return sum;
}

/** Cosine of the pooled vectors of two whole texts. */
export async function independentSimilarity(
  a: string,
  b: string,
  cache: EmbeddingCache,
): Promise<number> {
  const [x, y] = [await pooled(a, cache), await pooled(b, cache)];
  let dot = 0;
  let xx = 0;
  let yy = 0;
  x.forEach((value, d) => {
    dot += value * y[d]!;
    xx += value * value;
    yy += y[d]! * y[d]!;
  });
  return xx === 0 || yy === 0 ? 0 : dot / Math.sqrt(xx * yy);
}
