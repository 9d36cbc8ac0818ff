/**
 * Moves segments of the word index to files, one after the other in the background, so that those in
 * memory keep within a budget: whole ones, runs merged straight into a file, and files anew without
 * what was removed.
 */

import { mergeSegments } from "./merge.ts";
import { MemorySource, Segment } from "./segment.ts";
import {
  FILE_PAGE_BYTES,
  FILE_PREFIX,
  FileSource,
  LostSegment,
  PageCache,
  type SegmentFiles,
} from "./segment-files.ts";
import { fileOf, type SegmentList } from "./segment-list.ts";

/** Bytes of segments in memory above which they go to files. */
const DEFAULT_RESIDENT_BYTES = 192 * 1024 * 1024;
/** Smaller segments aren't worth a file. */
const MIN_FILE_SHARE = 1 / 16;
/** Larger merges go to a file at once: in memory what they read would be there twice. */
const MERGE_IN_MEMORY_SHARE = 1 / 4;
/** After so many failures in a row segments stay in memory. */
const MAX_FAILURES = 3;

export interface SegmentFilerOptions {
  /** Where segments go that memory is too small for; without it all stay in memory. */
  files?: SegmentFiles;
  /** Bytes of segments in memory above which the largest go to files. */
  residentBytes?: number;
}

interface SegmentFilerHooks {
  /** Told of a file that can't be read any more. */
  onLost: (source: FileSource) => void;
  /** Told when segments are in a file that weren't. */
  onFiled: () => void;
}

export class SegmentFiler {
  readonly pages = new PageCache();
  readonly #list: SegmentList;
  readonly #files: SegmentFiles | undefined;
  readonly #residentBytes: number;
  readonly #hooks: SegmentFilerHooks;
  /** Those on their way to a file: nothing else is made of them meanwhile. */
  readonly #taken = new Set<Segment>();
  /** What is being written, one after the other. */
  #filing: Promise<void> = Promise.resolve();
  /** Number of the next file. */
  #nextFile = 1;
  #failures = 0;
  #closed = false;

  constructor(list: SegmentList, options: SegmentFilerOptions, hooks: SegmentFilerHooks) {
    this.#list = list;
    this.#files = options.files;
    this.#residentBytes = options.residentBytes ?? DEFAULT_RESIDENT_BYTES;
    this.#hooks = hooks;
  }

  /** Whether it is in a file, or on its way. */
  holds(segment: Segment): boolean {
    return fileOf(segment) !== null || this.#taken.has(segment);
  }

  /** Whether these are better merged into a file than in memory. */
  isFor(segments: readonly Segment[]): boolean {
    const bytes = segments.reduce((sum, { source }) => sum + source.sizeBytes, 0);
    return this.#isUsable && bytes > this.#residentBytes * MERGE_IN_MEMORY_SHARE;
  }

  /** Resolves when no file is written any more. */
  written(): Promise<void> {
    return this.#filing;
  }

  /** Resolves when memory has room for more segments; undefined when it has. */
  room(): Promise<void> | undefined {
    if (this.#taken.size === 0 || this.#list.residentBytes <= this.#residentBytes) return undefined;
    return this.#filing.then(() => this.room());
  }

  /** The segment of a file; null when there is none. Rejects when it can't be read. */
  async open(name: string): Promise<Segment | null> {
    const file = await this.#files!.open(name);
    this.#nextFile = Math.max(this.#nextFile, Number(/\d+$/.exec(name)?.[0] ?? 0) + 1);
    return file && Segment.open(new FileSource(name, file, this.pages));
  }

  /** Removes files that no segment is in. */
  async removeOtherFiles(): Promise<void> {
    const used = new Set(this.#list.parts.map(({ segment }) => fileOf(segment)?.name));
    for (const name of (await this.#files?.list()) ?? [])
      if (!used.has(name)) await this.#files!.remove(name);
  }

  /** Moves the largest segments to files while those in memory are too large together; none that `isBusy`. */
  spill(isBusy: (segment: Segment) => boolean): void {
    if (!this.#isUsable) return;
    const free = this.#list.parts
      .map(({ segment }) => segment)
      .filter((segment) => !this.holds(segment))
      .sort((a, b) => b.source.sizeBytes - a.source.sizeBytes);
    let bytes = free.reduce((sum, { source }) => sum + source.sizeBytes, 0);
    for (const segment of free) {
      const { sizeBytes } = segment.source;
      if (bytes <= this.#residentBytes || sizeBytes < this.#residentBytes * MIN_FILE_SHARE) return;
      if (isBusy(segment)) continue;
      bytes -= sizeBytes;
      this.#take([segment], async () => {
        const filed = await this.#write(pagesOf((segment.source as MemorySource).bytes));
        return filed !== null && (this.#list.exchange(segment, filed) || this.#drop(filed));
      });
    }
  }

  /** Merges segments that follow each other into one in a file. */
  merge(segments: readonly Segment[]): void {
    this.#take(segments, () => this.#merge(segments));
  }

  /** Writes files anew that hold what was removed, also those that come to hold it while this waits. */
  rewrite(): void {
    this.#queue(async () => {
      for (;;) {
        const part = this.#list.parts.find(
          (one) => fileOf(one.segment) !== null && this.#list.hasRemoved(one),
        );
        if (part === undefined || !(await this.#merge([part.segment]))) return;
        await this.#files!.remove(fileOf(part.segment)!.name);
      }
    });
  }

  close(): void {
    this.#closed = true;
    this.pages.clear();
    this.#taken.clear();
  }

  get #isUsable(): boolean {
    return this.#files !== undefined && !this.#closed && this.#failures < MAX_FAILURES;
  }

  #take(segments: readonly Segment[], work: () => Promise<boolean>): void {
    for (const segment of segments) this.#taken.add(segment);
    this.#queue(async () => {
      let isDone = false;
      try {
        isDone = await work();
      } finally {
        for (const segment of segments) this.#taken.delete(segment);
        this.#failures = isDone ? 0 : this.#failures + 1;
        if (!this.#closed) this.#hooks.onFiled();
      }
    });
  }

  #queue(work: () => Promise<void>): void {
    this.#filing = this.#filing
      .then(() => (this.#closed ? undefined : work()))
      .catch((error: unknown) => {
        if (this.#closed) return;
        if (error instanceof LostSegment) this.#hooks.onLost(error.source);
        else console.error("A file of the word index could not be written:", error);
      });
  }

  async #merge(segments: readonly Segment[]): Promise<boolean> {
    // What was purged while this waited leaves its place to others.
    if (segments.some((segment) => this.#list.partOf(segment) === undefined)) return true;
    const inputs = this.#list.inputs(segments);
    const pages: Uint8Array[] = [];
    const steps = mergeSegments(inputs, (page) => pages.push(page));
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      for (let isDone = false; !isDone;) {
        const step = steps.next();
        isDone = step.done === true;
        if (step.value instanceof Promise) await step.value;
        yield* pages.splice(0);
      }
    };
    const filed = await this.#write(pieces());
    return filed !== null && (this.#list.replace(inputs, filed) || this.#drop(filed));
  }

  /** Null when it can't be kept, or mustn't: the store was purged meanwhile. */
  async #write(pieces: AsyncIterable<Uint8Array>): Promise<Segment | null> {
    const name = `${FILE_PREFIX}${this.#nextFile++}`;
    try {
      return (await this.#files!.write(name, pieces)) ? await this.open(name) : null;
    } catch (error) {
      // What was written of it takes the room that is missing.
      await this.#files!.remove(name).catch(() => undefined);
      throw error;
    }
  }

  /** A file that came too late. Not a failure. */
  async #drop(filed: Segment): Promise<true> {
    await this.#files!.remove(fileOf(filed)!.name);
    return true;
  }
}

async function* pagesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += FILE_PAGE_BYTES)
    yield bytes.subarray(at, at + FILE_PAGE_BYTES);
}
