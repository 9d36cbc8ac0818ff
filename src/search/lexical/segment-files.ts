/**
 * Segments that are too large for memory: immutable files that are read by ranges, pages of them kept.
 * What the store checks when it reads is not checked again here.
 */

import { LRUCache } from "lru-cache";
import type { MemoryStore } from "../../storage/memory-store.ts";
import type { SegmentSource, Span } from "./segment.ts";

/** A file of which ranges can be read; `storage`'s derived files are such. */
export interface SegmentFile {
  sizeBytes: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Where the files are. */
export interface SegmentFiles {
  open(name: string): Promise<SegmentFile | null>;
  /** False when it mustn't be kept. Leaves nothing when it rejects. */
  write(name: string, bytes: AsyncIterable<Uint8Array>): Promise<boolean>;
  remove(name: string): Promise<void>;
  list(): Promise<string[]>;
}

/** Files are named this and a number. */
export const FILE_PREFIX = "words-";
/** Bytes of a page; also what the files should be checked by. */
export const FILE_PAGE_BYTES = 64 * 1024;
const CACHE_BYTES = 32 * 1024 * 1024;

/** The files among the store's derived data. */
export function segmentFilesOf(
  store: Pick<MemoryStore, "openDerived" | "writeDerived" | "removeDerived" | "listDerived">,
): SegmentFiles {
  return {
    open: (name) => store.openDerived(name),
    write: (name, bytes) => store.writeDerived(name, bytes, { partBytes: FILE_PAGE_BYTES }),
    remove: (name) => store.removeDerived(name),
    list: () => store.listDerived(FILE_PREFIX),
  };
}

/** Pages of all files of one index. */
export class PageCache {
  readonly #pages = new LRUCache<string, Uint8Array>({
    maxSize: CACHE_BYTES,
    sizeCalculation: (page) => page.length || 1,
  });
  hits = 0;
  misses = 0;

  get sizeBytes(): number {
    return this.#pages.calculatedSize;
  }

  get(name: string, page: number): Uint8Array | undefined {
    const found = this.#pages.get(`${name} ${page}`);
    if (found === undefined) this.misses++;
    else this.hits++;
    return found;
  }

  set(name: string, page: number, bytes: Uint8Array): void {
    this.#pages.set(`${name} ${page}`, bytes);
  }

  clear(): void {
    this.#pages.clear();
  }
}

/** A file that can't be read any more: what it holds must be indexed again. */
export class LostSegment extends Error {
  readonly source: FileSource;

  constructor(source: FileSource, cause: unknown) {
    super(`The words in "${source.name}" can't be read.`, { cause });
    this.source = source;
  }
}

export class FileSource implements SegmentSource {
  readonly name: string;
  readonly memoryBytes = 0;
  readonly #file: SegmentFile;
  readonly #cache: PageCache;

  constructor(name: string, file: SegmentFile, cache: PageCache) {
    this.name = name;
    this.#file = file;
    this.#cache = cache;
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  span(at: number, length: number): Span | Promise<Span> {
    const page = Math.floor(at / FILE_PAGE_BYTES);
    const inPage = at - page * FILE_PAGE_BYTES;
    // A range over several pages is a long list: it would drive everything else out.
    if (inPage + length > FILE_PAGE_BYTES) return this.#read(at, length).then(fromStart);
    const known = this.#cache.get(this.name, page);
    if (known !== undefined) return { bytes: known, at: inPage };
    const from = page * FILE_PAGE_BYTES;
    return this.#read(from, Math.min(FILE_PAGE_BYTES, this.sizeBytes - from)).then((bytes) => {
      this.#cache.set(this.name, page, bytes);
      return { bytes, at: inPage };
    });
  }

  async #read(at: number, length: number): Promise<Uint8Array> {
    let bytes: Uint8Array;
    try {
      bytes = await this.#file.read(at, length);
    } catch (error) {
      throw new LostSegment(this, error);
    }
    if (bytes.length !== length) throw new LostSegment(this, "it is shorter than it was");
    return bytes;
  }
}

function fromStart(bytes: Uint8Array): Span {
  return { bytes, at: 0 };
}
