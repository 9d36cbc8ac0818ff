/**
 * Near-identical texts without comparing every pair: MinHash over word shingles (Broder 1997), with
 * banding to find candidates. Part of grouping; also tells how much of one text is in another.
 */

/** Hashes per text, and how they are banded: of pairs that are 0.7 alike 99 % are found. */
const HASHES = 64;
const BAND = 4;
/** Estimated share of shingles in common from which two texts are near-identical. */
const NEAR = 0.7;
const SHINGLE_WORDS = 4;
/** Fewer words have too few shingles to tell. */
const MIN_WORDS = 12;

const WORDS = /[\p{L}\p{N}]+/gu;

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++)
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}

/** Mixes all bits (the finaliser of MurmurHash3), so that one hash gives a family of them by a seed. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Hashes of the word shingles of a text; empty for one of a few words. */
export function shinglesOf(text: string): Set<number> {
  const words = (text.toLowerCase().match(WORDS) ?? []) as string[];
  const shingles = new Set<number>();
  if (words.length < MIN_WORDS) return shingles;
  for (let i = 0; i + SHINGLE_WORDS <= words.length; i++)
    shingles.add(hashOf(words.slice(i, i + SHINGLE_WORDS).join(" ")));
  return shingles;
}

/** The MinHash signature of a text, or null for one too short to tell. */
export function fingerprintOf(text: string): Uint32Array | null {
  const shingles = shinglesOf(text);
  if (shingles.size === 0) return null;
  const signature = new Uint32Array(HASHES).fill(0xffffffff);
  for (const shingle of shingles)
    for (let i = 0; i < HASHES; i++) {
      const hash = mix(shingle ^ Math.imul(i + 1, 0x9e3779b1));
      if (hash < signature[i]!) signature[i] = hash;
    }
  return signature;
}

/** Estimated share of shingles that two texts have in common. */
export function fingerprintSimilarity(a: Uint32Array, b: Uint32Array): number {
  let same = 0;
  for (let i = 0; i < HASHES; i++) if (a[i] === b[i]) same++;
  return same / HASHES;
}

/** Clusters of near-identical items, two or more each, in the order of the first of each. */
export function nearIdentical<T>(
  items: readonly T[],
  fingerprint: (item: T) => Uint32Array,
): T[][] {
  const parent = items.map((_, i) => i);
  const root = (i: number): number => {
    let at = i;
    while (parent[at] !== at) at = parent[at] = parent[parent[at]!]!;
    return at;
  };
  const buckets = new Map<string, number>();
  for (const [i, item] of items.entries()) {
    const signature = fingerprint(item);
    for (let band = 0; band < HASHES / BAND; band++) {
      const key = `${band}:${signature.subarray(band * BAND, (band + 1) * BAND).join()}`;
      const first = buckets.get(key);
      // Compared with the first of a bucket only: a bucket of thousands stays linear.
      if (first === undefined) buckets.set(key, i);
      else if (fingerprintSimilarity(fingerprint(items[first]!), signature) >= NEAR) {
        const [a, b] = [root(first), root(i)];
        parent[Math.max(a, b)] = Math.min(a, b);
      }
    }
  }
  const clusters = new Map<number, T[]>();
  for (const [i, item] of items.entries()) {
    const known = clusters.get(root(i));
    if (known) known.push(item);
    else clusters.set(root(i), [item]);
  }
  return [...clusters.values()].filter((cluster) => cluster.length > 1);
}
