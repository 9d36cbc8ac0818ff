/**
 * Estimated tokens of the exact texts of a sample of the store. A text doesn't change, so what was counted
 * is kept beside the store: after opening, texts that are coded needn't be decoded to say a ratio.
 */

import { z } from "zod";
import { estimateTokens } from "../processing/compression/ratios.ts";
import type { CatalogEntry, MemoryStore } from "../storage/memory-store.ts";

const DERIVED = "original-tokens";
/** Fewer new ones, or those of a smaller store, are counted again at the next opening. */
const SAVE_AFTER = 16;
const SAVE_FROM_MEMORIES = 1_000;
const SAMPLE_SIZE = 200;
const BYTES_PER_TOKEN = 4;
/** 2^32 over the golden ratio: multiples of it fill the range evenly. */
const STEP = 0x9e3779b1;

const savedTokens = z.object({
  version: z.literal(1),
  tokens: z.record(z.string(), z.number().int().nonnegative()),
});

/** An even sample of 100 to 200, or all; nearly the same one when some are added. */
export function sampleOf(entries: readonly CatalogEntry[]): CatalogEntry[] {
  let limit = 2 ** 32;
  for (let count = entries.length; count > SAMPLE_SIZE; count /= 2) limit /= 2;
  return entries.filter(({ ordinal }) => Math.imul(ordinal, STEP) >>> 0 < limit);
}

export class OriginalTokens {
  readonly #store: MemoryStore;
  /** By id. */
  readonly #known = new Map<string, number>();
  #loading: Promise<void> | null = null;
  #unsaved = 0;

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  /** The sum over these. @param sample memories at keep level `exact` */
  async of(sample: readonly CatalogEntry[]): Promise<number> {
    await (this.#loading ??= this.#load());
    const { catalog } = this.#store;
    // What was forgotten or has faded since the sample was taken counts for nothing.
    const fresh = sample.filter(
      ({ id }) => !this.#known.has(id) && catalog.byId(id)?.keep === "exact",
    );
    const contents = await this.#store.getContents(fresh.map(({ ordinal }) => ordinal));
    for (const [i, content] of contents.entries())
      if (content !== null) this.#known.set(fresh[i]!.id, estimateTokens(content));
    this.#unsaved += fresh.length;
    if (this.#unsaved >= SAVE_AFTER && this.#store.catalog.size >= SAVE_FROM_MEMORIES)
      await this.#save(sample);
    // A text that can't be read is estimated by its bytes.
    const estimate = ({ id, originalBytes }: CatalogEntry) =>
      catalog.byId(id)?.keep === "exact" ? originalBytes / BYTES_PER_TOKEN : 0;
    return sample.reduce((sum, one) => sum + (this.#known.get(one.id) ?? estimate(one)), 0);
  }

  /** What an earlier opening counted; a file that can't be read is as good as none. */
  async #load(): Promise<void> {
    try {
      const bytes = await this.#store.readDerived(DERIVED, { allowStale: true });
      if (bytes === null) return;
      const { tokens } = savedTokens.parse(JSON.parse(new TextDecoder().decode(bytes)));
      for (const [id, count] of Object.entries(tokens)) this.#known.set(id, count);
    } catch {
      return;
    }
  }

  /** A failure costs counting again. */
  async #save(sample: readonly CatalogEntry[]): Promise<void> {
    this.#unsaved = 0;
    const tokens = Object.fromEntries(sample.map(({ id }) => [id, this.#known.get(id)]));
    const bytes = new TextEncoder().encode(JSON.stringify({ version: 1, tokens }));
    await this.#store.writeDerived(DERIVED, bytes).catch(() => undefined);
  }
}
