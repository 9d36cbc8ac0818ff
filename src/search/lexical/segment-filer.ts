/**
 * Moves segments of the word index to files, one after the other in the background, so that those in
 * memory keep within a budget: the oldest of them, merged straight into a file, and files anew without
 * what was removed. Not the largest: what stays between two files can't be merged with others any more.
 */

import { nextTurn } from "../../next-turn.ts";
import { mergeSegments, type MergeInput } from "./merge.ts";
import { Segment } from "./segment.ts";
import {
  FILE_PREFIX,
  FileSource,
  LostSegment,
  PageCache,
  type SegmentFiles,
} from "./segment-files.ts";
import { fileOf, type SegmentList } from "./segment-list.ts";

/** Bytes of segments in memory above which they go to files. */
const DEFAULT_RESIDENT_BYTES = 192 * 1024 * 1024;
/** What goes to one file, by what may be in memory. */
const FILE_SHARE = 1 / 2;
/** Larger merges are left for a file: in memory what they read would be there twice. */
const MERGE_IN_MEMORY_SHARE = 1 / 4;
/** How long segments stay in memory after a file couldn't be written. */
const RETRY_MS = 30_000;
/** How long merging into a file keeps the thread. */
const SLICE_MS = 8;

export interface SegmentFilerOptions {
  /** Where segments go that memory is too small for; without it all stay in memory. */
  files?: SegmentFiles;
  /** Bytes of segments in memory above which the oldest go to files. */
  residentBytes?: number;
}

interface SegmentFilerHooks {
  /** Told of a file that can't be read any more. */
  onLost: (source: FileSource) => void;
  /** Told after each attempt to put segments into a file. */
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
  #retryAtMs = 0;
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

  /** Whether these are too large to be merged in memory. */
  isTooLargeForMemory(segments: readonly Segment[]): boolean {
    const bytes = segments.reduce((sum, { source }) => sum + source.sizeBytes, 0);
    return this.#isUsable && bytes > this.#residentBytes * MERGE_IN_MEMORY_SHARE;
  }

  /** Resolves when no file is written any more. */
  written(): Promise<void> {
    return this.#filing;
  }

  /** Resolves when memory has room for more segments; undefined when it has now. */
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

  /** Merges the oldest segments into files while those in memory are too large together; none that are being merged. */
  spill(merging: ReadonlySet<Segment> | null): void {
    if (!this.#isUsable) return;
    let bytes = 0;
    for (const { segment } of this.#list.parts)
      if (!this.holds(segment)) bytes += segment.source.sizeBytes;
    while (bytes > this.#residentBytes) {
      const { segments, sizeBytes } = this.#run(merging);
      if (segments.length === 0) return;
      this.#merge(segments);
      bytes -= sizeBytes;
    }
  }

  /** Neighbours in memory: the oldest that fill a file, or those that come nearest to it. */
  #run(merging: ReadonlySet<Segment> | null): { segments: Segment[]; sizeBytes: number } {
    let run = { segments: [] as Segment[], sizeBytes: 0 };
    let best = run;
    for (const { segment } of this.#list.parts) {
      if (this.holds(segment) || merging?.has(segment) === true) {
        run = { segments: [], sizeBytes: 0 };
        continue;
      }
      run.segments.push(segment);
      run.sizeBytes += segment.source.sizeBytes;
      if (run.sizeBytes >= this.#residentBytes * FILE_SHARE) return run;
      if (run.sizeBytes > best.sizeBytes) best = run;
    }
    return best;
  }

  /** Writes the files anew that hold what was removed. What is removed from now on is for the next call. */
  rewrite(): void {
    this.#queue(async () => {
      const affected = this.#list.parts.filter(
        (part) => fileOf(part.segment) !== null && this.#list.hasRemoved(part),
      );
      for (const { segment } of affected)
        // One that fails keeps no other from it.
        await this.#reported(async () => {
          if (await this.#writeMerged([segment])) await this.#files!.remove(fileOf(segment)!.name);
        });
    });
  }

  close(): void {
    this.#closed = true;
    this.pages.clear();
    this.#taken.clear();
  }

  get #isUsable(): boolean {
    return this.#files !== undefined && !this.#closed && performance.now() >= this.#retryAtMs;
  }

  #merge(segments: readonly Segment[]): void {
    for (const segment of segments) this.#taken.add(segment);
    this.#queue(async () => {
      let hasFailed = true;
      try {
        await this.#writeMerged(segments);
        hasFailed = false;
      } finally {
        for (const segment of segments) this.#taken.delete(segment);
        if (hasFailed) this.#retryAtMs = performance.now() + RETRY_MS;
        if (!this.#closed) this.#hooks.onFiled();
      }
    });
  }

  #queue(work: () => Promise<void>): void {
    this.#filing = this.#filing.then(() => this.#reported(work));
  }

  /** Never rejects. */
  async #reported(work: () => Promise<void>): Promise<void> {
    if (this.#closed) return;
    try {
      await work();
    } catch (error) {
      if (this.#closed) return;
      if (error instanceof LostSegment) this.#hooks.onLost(error.source);
      else console.error("A file of the word index could not be written:", error);
    }
  }

  /** Whether the segments are replaced: not when what was made of them came too late, or couldn't be kept. */
  async #writeMerged(segments: readonly Segment[]): Promise<boolean> {
    // What was purged while this waited has left its place to others.
    if (segments.some((segment) => this.#list.partOf(segment) === undefined)) return false;
    const inputs = this.#list.inputs(segments);
    const filed = await this.#write(mergedPages(inputs));
    if (filed === null) return false;
    const isReplaced = !this.#closed && this.#list.replace(inputs, filed);
    if (!isReplaced || filed.documents === 0) await this.#files!.remove(fileOf(filed)!.name);
    return isReplaced;
  }

  /** Null when it can't be kept, or mustn't: the store was purged meanwhile. */
  async #write(pieces: AsyncIterable<Uint8Array>): Promise<Segment | null> {
    const name = `${FILE_PREFIX}${this.#nextFile++}`;
    return (await this.#files!.write(name, pieces)) ? this.open(name) : null;
  }
}

/** What the segments become; others have their turns meanwhile, also while nothing is left of them. */
async function* mergedPages(inputs: readonly MergeInput[]): AsyncGenerator<Uint8Array> {
  const pages: Uint8Array[] = [];
  const steps = mergeSegments(inputs, (page) => pages.push(page));
  let turnSince = performance.now();
  for (let isDone = false; !isDone;) {
    const step = steps.next();
    isDone = step.done === true;
    if (step.value instanceof Promise) await step.value;
    yield* pages.splice(0);
    if (performance.now() - turnSince < SLICE_MS) continue;
    await nextTurn();
    turnSince = performance.now();
  }
}
