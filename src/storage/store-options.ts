/** What a store can be tuned by. */

export interface ArrowStorageOptions {
  /** Compaction starts by itself at this many bytes of journal (before compression) or rows. 0 turns it off. */
  compactAtBytes?: number;
  compactAtRows?: number;
  /** ZSTD level of text in compactions that start by themselves: pages of 2 MB in about 0.1 s. */
  backgroundLevel?: number;
  /** ZSTD level of text in `compact()`: about 1 s per 2 MB, 5 % smaller. */
  level?: number;
  /**
   * `compact()` codes texts with a model of the owner's own once there are this many bytes of them;
   * 0 turns it off. Less text teaches the model too little.
   */
  codeTextsFromBytes?: number;
  /** Segments from so many rows on get a copy of their light columns that opens faster. */
  catalogCopyFromRows?: number;
  /** Decoded blocks kept for single-row fetches. */
  cacheBytes?: number;
}

export const STORE_DEFAULTS: Required<ArrowStorageOptions> = {
  compactAtBytes: 8 * 1024 * 1024,
  compactAtRows: 4096,
  backgroundLevel: 12,
  level: 19,
  codeTextsFromBytes: 256 * 1024,
  catalogCopyFromRows: 4096,
  cacheBytes: 48 * 1024 * 1024,
};
