/**
 * Trains a ZSTD dictionary from the owner's own text, for journal frames of one or a few memories,
 * which are too short to repeat themselves. Raw content: the pieces of text that most often recur,
 * the best at the end, where offsets are cheapest (after the cover selection of FastCover: Liao,
 * Petri, Moffat, Wirth 2016, "Effective construction of relative Lempel-Ziv dictionaries").
 */

export const DICTIONARY_BYTES = 32 * 1024;
/** Less text than this says too little about what will come. */
export const MIN_SAMPLE_BYTES = 256 * 1024;
const MAX_SAMPLE_BYTES = 2 * 1024 * 1024;
const GRAM = 8;
const SEGMENT = 96;
const HASH_BITS = 20;

/**
 * A dictionary of at most 32 KB, or null when there is too little text. Takes whole samples spread
 * over the list up to 2 MB.
 */
export function trainDictionary(samples: readonly string[]): Uint8Array | null {
  const data = collect(samples);
  if (data.length < MIN_SAMPLE_BYTES) return null;
  const counts = new Uint16Array(1 << HASH_BITS);
  const hashes = new Uint32Array(data.length - GRAM + 1);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let i = 0; i < hashes.length; i++) {
    const a = view.getUint32(i, true);
    const b = view.getUint32(i + 4, true);
    const hash = (Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b)) >>> (32 - HASH_BITS);
    hashes[i] = hash;
    if (counts[hash]! < 0xffff) counts[hash]!++;
  }
  const chosen: { from: number; score: number }[] = [];
  const epochs = Math.floor(DICTIONARY_BYTES / SEGMENT);
  const epochBytes = Math.floor(hashes.length / epochs);
  for (let epoch = 0; epoch < epochs; epoch++) {
    const best = bestSegment(hashes, counts, epoch * epochBytes, (epoch + 1) * epochBytes);
    if (best.score <= 0) continue;
    chosen.push(best);
    // What is in the dictionary already is worth nothing a second time.
    for (let i = best.from; i < Math.min(best.from + SEGMENT, hashes.length); i++)
      counts[hashes[i]!] = 0;
  }
  chosen.sort((a, b) => a.score - b.score);
  const dictionary = new Uint8Array(chosen.length * SEGMENT);
  chosen.forEach(({ from }, i) => dictionary.set(data.subarray(from, from + SEGMENT), i * SEGMENT));
  return dictionary.length >= 1024 ? dictionary : null;
}

/** The window whose distinct grams recur most; grams seen once or twice count nothing. */
function bestSegment(
  hashes: Uint32Array,
  counts: Uint16Array,
  from: number,
  to: number,
): { from: number; score: number } {
  const worth = (at: number) => Math.max(0, counts[hashes[at]!]! - 2);
  const window = SEGMENT - GRAM + 1;
  const inWindow = new Map<number, number>();
  let score = 0;
  let best = { from, score: 0 };
  for (let at = from; at < Math.min(to, hashes.length); at++) {
    const hash = hashes[at]!;
    const seen = inWindow.get(hash) ?? 0;
    if (seen === 0) score += worth(at);
    inWindow.set(hash, seen + 1);
    const left = at - window;
    if (left >= from) {
      const old = hashes[left]!;
      const rest = inWindow.get(old)! - 1;
      if (rest === 0) {
        score -= worth(left);
        inWindow.delete(old);
      } else inWindow.set(old, rest);
    }
    if (score > best.score) best = { from: Math.max(from, at - window + 1), score };
  }
  return best;
}

function collect(samples: readonly string[]): Uint8Array {
  const encoder = new TextEncoder();
  let total = 0;
  for (const sample of samples) total += sample.length;
  const every = Math.max(1, Math.ceil(total / MAX_SAMPLE_BYTES));
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let i = 0; i < samples.length && size < MAX_SAMPLE_BYTES; i += every) {
    // One huge text must not fill the sample alone.
    const bytes = encoder.encode(samples[i]!.slice(0, 64 * 1024));
    parts.push(bytes);
    size += bytes.length;
  }
  const data = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return data;
}
