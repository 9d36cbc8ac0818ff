/**
 * The word index: a few immutable segments, in the order of their documents, and what was added since
 * the last one. Owns which document is which memory, when segments are made and merged, and that what
 * was removed leaves no trace. Searched by `lexical-searcher.ts`.
 *
 * More than 400 lines: freezing, merging, spilling to files and purging all replace entries of one list
 * of segments, and only together keep documents numbered without gaps.
 */

import { DocumentNumbers } from "./document-numbers.ts";
import { joined, mergeSegments, type MergeInput } from "./merge.ts";
import { chooseRun, MAX_RUN } from "./merge-policy.ts";
import { RecentDocuments, type TextDocument } from "./recent-documents.ts";
import { MemorySource, Segment, verifyImage } from "./segment.ts";
import {
  FILE_PAGE_BYTES,
  FILE_PREFIX,
  FileSource,
  LostSegment,
  PageCache,
  type SegmentFiles,
} from "./segment-files.ts";
import type { Steps } from "./steps.ts";

export interface Part {
  segment: Segment;
  /** Number of its first document. */
  base: number;
}

export interface LexicalIndexOptions {
  /** Where segments go that memory is too small for; without it all stay in memory. */
  files?: SegmentFiles;
  /** Bytes of segments in memory above which the largest go to files. */
  residentBytes?: number;
  /** Told what must be added again: its file can't be read any more. */
  onLost?: (ordinals: number[]) => void;
}

/** What a segment is restored from: its bytes, or the name of its file. */
export type StoredPart = { image: Uint8Array } | { file: string };

/** Words that make a segment of their own while documents are added in bulk. */
const FREEZE_TOKENS = 32_768;
/** Larger merges are done in the background. */
const MERGE_NOW_TOKENS = 65_536;
/** How long the background keeps the thread. */
const SLICE_MS = 4;
const DEFAULT_RESIDENT_BYTES = 192 * 1024 * 1024;
/** Smaller segments aren't worth a file. */
const MIN_FILE_SHARE = 1 / 16;

export class LexicalIndex {
  readonly #options: LexicalIndexOptions;
  readonly #residentBytes: number;
  readonly pages = new PageCache();
  #recent = new RecentDocuments();
  #parts: Part[] = [];
  /** Documents in segments; the recent ones follow. */
  #frozen = 0;
  readonly #numbers = new DocumentNumbers();
  #merging: { steps: Steps<void>; parts: readonly Part[] } | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Grows with every change of the segments. */
  version = 0;
  /** Number of the next file. */
  #nextFile = 1;
  /** What is being written to files, one after the other. */
  #filing: Promise<void> = Promise.resolve();
  #isSpilling = false;
  #closed = false;

  constructor(options: LexicalIndexOptions = {}) {
    this.#options = options;
    this.#residentBytes = options.residentBytes ?? DEFAULT_RESIDENT_BYTES;
  }

  /** Memories that can be found. */
  get size(): number {
    return this.#numbers.live;
  }

  /** Documents that were removed and still have postings. */
  get dead(): number {
    return this.#numbers.count - this.#numbers.live;
  }

  get parts(): readonly Part[] {
    return this.#parts;
  }

  /** Documents in segments, removed ones included. */
  get documents(): number {
    return this.#frozen;
  }

  /** Length code per document. */
  get norms(): Uint8Array {
    return this.#numbers.norms;
  }

  /** Ordinal per document; −1 where it was removed. */
  get ordinalOfDoc(): Int32Array {
    return this.#numbers.ordinalOfDoc;
  }

  /** Words per document. */
  get averageLength(): number {
    return this.#numbers.averageLength;
  }

  /** Grows with every change of documents. */
  get revision(): number {
    return this.#numbers.revision;
  }

  get memoryBytes(): number {
    return (
      this.#parts.reduce((sum, part) => sum + part.segment.memoryBytes, 0) +
      this.#recent.memoryBytes +
      this.pages.sizeBytes +
      this.#numbers.memoryBytes
    );
  }

  has(ordinal: number): boolean {
    return this.docOf(ordinal) >= 0;
  }

  /** Number of the memory's document; −1 without one. */
  docOf(ordinal: number): number {
    return this.#numbers.docOf(ordinal);
  }

  /** The memories that can be found. */
  ordinals(): Int32Array {
    return this.#numbers.ordinals();
  }

  /** Adds or replaces one memory. */
  add(document: TextDocument): void {
    this.remove(document.ordinal);
    const norm = this.#recent.add(document);
    this.#numbers.append(document.ordinal, norm);
    if (this.#recent.tokens >= FREEZE_TOKENS) this.freeze();
  }

  remove(ordinal: number): void {
    this.#numbers.remove(ordinal);
  }

  /** Makes what was added since searchable. */
  freeze(): void {
    if (this.#recent.documents === 0) return;
    this.#parts.push({ segment: this.#recent.freeze(), base: this.#frozen });
    this.#frozen = this.#numbers.count;
    this.version++;
    this.#mergeRuns();
    this.#spill();
  }

  /**
   * Drops every byte of removed memories, and the words that were remembered from them. Files that hold
   * some are written anew; `settled` resolves when they are.
   */
  purge(): void {
    if (this.dead === 0) return;
    this.#stopMerging();
    this.freeze();
    this.#stopMerging();
    for (let i = 0; i < this.#parts.length;) {
      const { length } = this.#parts;
      const part = this.#parts[i]!;
      if (this.#hasRemoved(part)) {
        if (fileOf(part) === null) this.#merge([part]);
        else this.#rewrite(part.segment);
      }
      // A part of removed documents only is gone.
      if (this.#parts.length === length) i++;
    }
    this.#recent = new RecentDocuments();
  }

  /** Merges what a snapshot or a bulk left in many segments, in the background. */
  tidy(): void {
    this.#mergeRuns();
    this.#spill();
  }

  /** Resolves when no file is written any more. */
  written(): Promise<void> {
    return this.#filing;
  }

  /** Resolves when nothing is merged and no file is written any more. */
  async settled(): Promise<void> {
    await this.#filing;
    while (this.#merging !== null) await new Promise((resolve) => setTimeout(resolve, 1));
    await this.#filing;
  }

  /** What the index can be restored from: a segment's bytes, or its file. */
  stored(): StoredPart[] {
    return this.#parts.map(({ segment: { source } }) =>
      source instanceof MemorySource
        ? { image: source.bytes }
        : { file: (source as FileSource).name },
    );
  }

  /** Takes up a segment's file; false when it can't be read. */
  async attachFile(name: string, isKnown: (ordinal: number) => boolean): Promise<boolean> {
    try {
      const segment = await this.#openFile(name);
      if (segment === null) return false;
      this.#take(segment, await segment.ordinals(), isKnown);
      this.#nextFile = Math.max(this.#nextFile, Number(/\d+$/.exec(name)?.[0] ?? 0) + 1);
      return true;
    } catch {
      return false;
    }
  }

  /** Removes files that no part is in. */
  async removeOtherFiles(): Promise<void> {
    const { files } = this.#options;
    for (const name of (await files?.list()) ?? [])
      if (!this.#parts.some((part) => fileOf(part)?.name === name)) await files!.remove(name);
  }

  /** Leaves a segment whose file can't be read, and says what was in it. */
  lose(source: FileSource): void {
    const part = this.#parts.find((one) => one.segment.source === source);
    if (part === undefined) return;
    const to = part.base + part.segment.documents;
    const ordinals = this.ordinalOfDoc.slice(part.base, to).filter((ordinal) => ordinal >= 0);
    for (const ordinal of ordinals) this.remove(ordinal);
    this.#replace([part], this.#inputs([part]), null);
    this.#options.onLost?.([...ordinals]);
  }

  /** Takes up a segment made before; memories that `isKnown` denies count as removed. `corrupt_data` when it isn't whole. */
  attach(image: Uint8Array, isKnown: (ordinal: number) => boolean): void {
    verifyImage(image);
    const segment = Segment.ofBytes(image);
    this.#take(segment, segment.ordinals() as Uint32Array, isKnown);
  }

  close(): void {
    this.#closed = true;
    this.#stopMerging();
    this.pages.clear();
    this.#parts = [];
    this.#recent = new RecentDocuments();
    this.#numbers.clear();
    this.#frozen = 0;
    this.version++;
  }

  #take(segment: Segment, ordinals: Uint32Array, isKnown: (ordinal: number) => boolean): void {
    this.#parts.push({ segment, base: this.#frozen });
    for (let doc = 0; doc < segment.documents; doc++) {
      const ordinal = isKnown(ordinals[doc]!) ? ordinals[doc]! : -1;
      if (ordinal >= 0) this.remove(ordinal);
      this.#numbers.append(ordinal, segment.norms[doc]!);
    }
    this.#frozen = this.#numbers.count;
    this.version++;
  }

  async #openFile(name: string): Promise<Segment | null> {
    const file = await this.#options.files!.open(name);
    return file && Segment.open(new FileSource(name, file, this.pages));
  }

  /** Moves the largest segment to a file when those in memory are too large together. */
  #spill(): void {
    if (this.#options.files === undefined || this.#isSpilling || this.#closed) return;
    const resident = this.#parts.filter((part) => fileOf(part) === null);
    const size = resident.reduce((sum, part) => sum + part.segment.source.sizeBytes, 0);
    if (size <= this.#residentBytes) return;
    const largest = resident
      .filter((part) => this.#merging?.parts.includes(part) !== true)
      .reduce<Part | null>(
        (best, part) =>
          best === null || part.segment.source.sizeBytes > best.segment.source.sizeBytes
            ? part
            : best,
        null,
      );
    if (largest === null) return;
    const { segment } = largest;
    if (segment.source.sizeBytes < this.#residentBytes * MIN_FILE_SHARE) return;
    this.#isSpilling = true;
    this.#file(async () => {
      const { bytes } = segment.source as MemorySource;
      const pieces = async function* (): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < bytes.length; at += FILE_PAGE_BYTES)
          yield bytes.subarray(at, at + FILE_PAGE_BYTES);
      };
      const filed = await this.#writeFile(pieces());
      this.#isSpilling = false;
      const at = this.#parts.findIndex((part) => part.segment === segment);
      if (filed === null) return;
      if (at < 0) return this.#options.files!.remove((filed.source as FileSource).name);
      this.#parts[at] = { segment: filed, base: this.#parts[at]!.base };
      this.version++;
      this.#spill();
    });
  }

  /** Writes a file anew without what was removed. */
  #rewrite(segment: Segment): void {
    this.#file(async () => {
      const part = this.#parts.find((one) => one.segment === segment);
      if (part === undefined || !this.#hasRemoved(part)) return;
      const old = fileOf(part)!.name;
      const inputs = this.#inputs([part]);
      const ready: Uint8Array[] = [];
      const steps = mergeSegments(inputs, (bytes) => ready.push(bytes));
      const pieces = async function* (): AsyncGenerator<Uint8Array> {
        for (let isDone = false; !isDone;) {
          const step = steps.next();
          isDone = step.done === true;
          if (step.value instanceof Promise) await step.value;
          yield* ready.splice(0);
        }
      };
      const filed = await this.#writeFile(pieces());
      const now = this.#parts.find((one) => one.segment === segment);
      if (filed === null || now === undefined) return;
      this.#replace([now], inputs, filed);
      await this.#options.files!.remove(old);
    });
  }

  #file(work: () => Promise<void>): void {
    this.#filing = this.#filing
      .then(() => (this.#closed ? undefined : work()))
      .catch((error: unknown) => {
        this.#isSpilling = false;
        if (this.#closed) return;
        if (error instanceof LostSegment) this.lose(error.source);
        else console.error("A file of the word index could not be written:", error);
      });
  }

  async #writeFile(pieces: AsyncIterable<Uint8Array>): Promise<Segment | null> {
    const name = `${FILE_PREFIX}${this.#nextFile++}`;
    return (await this.#options.files!.write(name, pieces)) ? this.#openFile(name) : null;
  }

  #hasRemoved({ base, segment }: Part): boolean {
    return this.ordinalOfDoc.subarray(base, base + segment.documents).includes(-1);
  }

  /** Merges the last segments while enough of them are of one size. */
  #mergeRuns(): void {
    for (;;) {
      const run = chooseRun(this.#parts, (part) => fileOf(part) !== null);
      if (run === null) return;
      const tokens = run.reduce((sum, part) => sum + part.segment.tokens, 0);
      if (tokens <= MERGE_NOW_TOKENS || run.length >= MAX_RUN) {
        if (this.#merging !== null && run.some((part) => this.#merging!.parts.includes(part)))
          this.#stopMerging();
        this.#merge(run);
      } else {
        this.#mergeLater(run);
        return;
      }
    }
  }

  /** Renumbers without the removed; what `parts` become when they are merged now. */
  #inputs(parts: readonly Part[]): MergeInput[] {
    let next = 0;
    return parts.map(({ segment, base }) => {
      const renumber = new Int32Array(segment.documents);
      for (let doc = 0; doc < renumber.length; doc++)
        renumber[doc] = this.ordinalOfDoc[base + doc]! < 0 ? -1 : next++;
      return { segment, renumber };
    });
  }

  #begin(parts: readonly Part[]): {
    steps: Steps<void>;
    finish: () => void;
  } {
    const inputs = this.#inputs(parts);
    const pieces: Uint8Array[] = [];
    const steps = mergeSegments(inputs, (bytes) => pieces.push(bytes));
    return { steps, finish: () => this.#replace(parts, inputs, Segment.ofBytes(joined(pieces))) };
  }

  #merge(parts: readonly Part[]): void {
    const { steps, finish } = this.#begin(parts);
    while (steps.next().done !== true);
    finish();
  }

  #mergeLater(parts: readonly Part[]): void {
    if (this.#merging !== null) return;
    const { steps, finish } = this.#begin(parts);
    this.#merging = { steps, parts };
    const slice = (): void => {
      const until = performance.now() + SLICE_MS;
      while (performance.now() < until)
        if (steps.next().done === true) {
          this.#merging = null;
          finish();
          this.#mergeRuns();
          this.#spill();
          return;
        }
      this.#timer = setTimeout(slice, 0);
    };
    this.#timer = setTimeout(slice, 0);
  }

  #stopMerging(): void {
    clearTimeout(this.#timer);
    this.#merging = null;
  }

  /** Puts the merged segment in the place of its inputs and numbers the documents after it anew. */
  #replace(parts: readonly Part[], inputs: readonly MergeInput[], segment: Segment | null): void {
    const first = this.#parts.indexOf(parts[0]!);
    // Parts that were replaced meanwhile: what was made of them is of no use.
    if (parts.some((part, i) => this.#parts[first + i] !== part)) return;
    const { base } = parts[0]!;
    let to = base;
    inputs.forEach(({ renumber }, i) => {
      for (let doc = 0; doc < renumber.length; doc++)
        if (renumber[doc]! >= 0) this.#numbers.move(parts[i]!.base + doc, to++);
    });
    const after = parts.at(-1)!.base + parts.at(-1)!.segment.documents;
    const removed = after - to;
    if (removed > 0)
      for (let doc = after; doc < this.#numbers.count; doc++)
        this.#numbers.move(doc, doc - removed);
    this.#frozen -= removed;
    this.#numbers.drop(removed);
    this.#parts.splice(
      first,
      parts.length,
      ...(segment === null || segment.documents === 0 ? [] : [{ segment, base }]),
    );
    for (let i = first, next = base; i < this.#parts.length; i++) {
      const part = this.#parts[i]!;
      if (part.base !== next) this.#parts[i] = { segment: part.segment, base: next };
      next += part.segment.documents;
    }
    this.version++;
  }
}

function fileOf({ segment: { source } }: Part): FileSource | null {
  return source instanceof FileSource ? source : null;
}
