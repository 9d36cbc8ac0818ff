/**
 * Names of the files that `batch --output-dir` writes: one per item, below the output folder,
 * recognisable by their source, safe on every file system, never the same for two items.
 */

/** Longest segment in UTF-8 bytes, leaving room for the suffix below the usual limit of 255. */
const MAX_SEGMENT_BYTES = 180;
const WINDOWS_DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** One path segment without anything that a file system, a shell or Windows would trip over. */
export function safeSegment(segment: string): string {
  let name = segment
    .normalize("NFC")
    .replace(/[\u0000-\u001f\u007f-\u009f<>:"|?*\\/\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "_")
    .replace(/\p{Surrogate}/gu, "_")
    .replace(/[. ]+$/u, "_")
    .replace(/^\s+/u, "_");
  if (name === "" || WINDOWS_DEVICE.test(name)) name = `_${name}`;
  if (name.startsWith(".") || name.startsWith("-")) name = `_${name}`;
  const encoder = new TextEncoder();
  if (encoder.encode(name).length <= MAX_SEGMENT_BYTES) return name;
  let cut = "";
  let size = 0;
  for (const point of name) {
    size += encoder.encode(point).length;
    if (size > MAX_SEGMENT_BYTES) break;
    cut += point;
  }
  return cut;
}

/** Hands out paths: the source's own where it is free, else with the end of the memory's id. */
export class FileNames {
  readonly #taken = new Set<string>();
  readonly #suffix: string;

  constructor(suffix: string) {
    this.#suffix = suffix;
  }

  /** "/"-separated path relative to the output folder. `id` makes it unique where the source doesn't. */
  next(source: string, id: string): string {
    const segments = source
      .split(/[\\/]+/u)
      .filter((segment) => segment !== "")
      .map(safeSegment);
    const last = segments.pop() ?? "";
    // A folder may not carry the name that a file beside it gets.
    const folders = segments.map((name) => (name.endsWith(this.#suffix) ? `${name}_` : name));
    const base = [...folders, last].join("/");
    const path = base === "" ? "item" : base;
    for (const candidate of [path, `${path}-${id.slice(-12)}`, `${path}-${id}`]) {
      // Compared without case: two names that differ only in it are one file on many systems.
      const key = candidate.toLowerCase();
      if (this.#taken.has(key)) continue;
      this.#taken.add(key);
      return candidate + this.#suffix;
    }
    let count = 2;
    while (this.#taken.has(`${path}-${id}-${count}`.toLowerCase())) count++;
    const numbered = `${path}-${id}-${count}`;
    this.#taken.add(numbered.toLowerCase());
    return numbered + this.#suffix;
  }
}
