/**
 * The word index: a few immutable segments, in the order of their documents, and what was added since
 * the last one. Owns when segments are made and merged, and that what was removed leaves no trace.
 * Searched by `lexical-searcher.ts`.
 */

import { concatBytes } from "../../storage/bytes.ts";
import { mergeSegments } from "./merge.ts";
import { chooseRun, MAX_RUN } from "./merge-policy.ts";
import { RecentDocuments, type TextDocument } from "./recent-documents.ts";
import { MemorySource, Segment, verifyImage } from "./segment.ts";
import { SegmentFiler, type SegmentFilerOptions } from "./segment-filer.ts";
import type { FileSource, PageCache } from "./segment-files.ts";
import { fileOf, SegmentList, type Part } from "./segment-list.ts";
import type { Steps } from "./steps.ts";

export interface LexicalIndexOptions extends SegmentFilerOptions {
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

export class LexicalIndex {
  readonly #options: LexicalIndexOptions;
  readonly #list = new SegmentList();
  readonly #filer: SegmentFiler;
  #recent = new RecentDocuments();
  /** What the background merges. */
  #merging: ReadonlySet<Segment> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Resolves when that is done, or given up. */
  #merged: Promise<void> = Promise.resolve();
  #endMerging: () => void = () => undefined;

  constructor(options: LexicalIndexOptions = {}) {
    this.#options = options;
    this.#filer = new SegmentFiler(this.#list, options, {
      onLost: (source) => this.lose(source),
      onFiled: () => this.tidy(),
    });
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
    return this.#list.parts;
  }

  /** Grows with every change of the segments. */
  get version(): number {
    return this.#list.version;
  }

  /** Documents in segments, removed ones included. */
  get documents(): number {
    return this.#list.documents;
  }

  /** Pages of segments in files. */
  get pages(): PageCache {
    return this.#filer.pages;
  }

  /** Length code per document. */
  get norms(): Uint8Array {
    return this.#numbers.norms;
  }

  /** Ordinal per document; −1 where it was removed. */
  get ordinalOfDoc(): Int32Array {
    return this.#numbers.ordinalOfDoc;
  }

  /** Words of all memories that can be found, about. */
  get words(): number {
    return this.averageLength * this.size;
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
      this.parts.reduce((sum, part) => sum + part.segment.memoryBytes, 0) +
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
    this.#list.push(this.#recent.freeze());
    this.tidy();
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
    for (const { segment } of [...this.parts])
      if (fileOf(segment) === null && this.#list.hasRemoved(this.#list.partOf(segment)!))
        this.#merge([segment]);
    this.#filer.rewrite();
    this.#recent = new RecentDocuments();
  }

  /** Merges what is in many segments, in the background. */
  tidy(): void {
    this.#mergeRuns();
    this.#filer.spill(this.#merging);
  }

  /** Resolves when there is room in memory for more; undefined when there is now. */
  room(): Promise<void> | undefined {
    return this.#filer.room();
  }

  /** Resolves when no file is written any more. */
  written(): Promise<void> {
    return this.#filer.written();
  }

  /** Resolves when nothing is merged and no file is written any more. */
  async settled(): Promise<void> {
    // One may lead to the other.
    for (let written; written !== this.written();) {
      written = this.written();
      await written;
      while (this.#merging !== null) await this.#merged;
    }
  }

  /** What the index can be restored from: a segment's bytes, or its file. */
  stored(): StoredPart[] {
    return this.parts.map(({ segment: { source } }) =>
      source instanceof MemorySource
        ? { image: source.bytes }
        : { file: (source as FileSource).name },
    );
  }

  /** Takes up a segment's file; false when it can't be read. */
  async attachFile(name: string, isKnown: (ordinal: number) => boolean): Promise<boolean> {
    try {
      const segment = await this.#filer.open(name);
      if (segment === null) return false;
      this.#list.attach(segment, await segment.ordinals(), isKnown);
      return true;
    } catch {
      return false;
    }
  }

  /** Removes files that no part is in. */
  removeOtherFiles(): Promise<void> {
    return this.#filer.removeOtherFiles();
  }

  /** Leaves a segment whose file can't be read, and says what was in it. */
  lose(source: FileSource): void {
    const part = this.parts.find(({ segment }) => segment.source === source);
    if (part === undefined) return;
    const ordinals = this.#list.ordinalsIn(part);
    for (const ordinal of ordinals) this.remove(ordinal);
    this.#list.replace(this.#list.inputs([part.segment]), null);
    this.#options.onLost?.([...ordinals]);
  }

  /** Takes up a segment made before; memories that `isKnown` denies count as removed. `corrupt_data` when it isn't whole. */
  attach(image: Uint8Array, isKnown: (ordinal: number) => boolean): void {
    verifyImage(image);
    const segment = Segment.ofBytes(image);
    this.#list.attach(segment, segment.ordinals() as Uint32Array, isKnown);
  }

  close(): void {
    this.#filer.close();
    this.#stopMerging();
    this.#recent = new RecentDocuments();
    this.#list.clear();
  }

  get #numbers(): SegmentList["numbers"] {
    return this.#list.numbers;
  }

  /** Merges the last segments while enough of them are of one size. */
  #mergeRuns(): void {
    for (;;) {
      const parts = chooseRun(this.parts, ({ segment }) => this.#filer.holds(segment));
      if (parts === null) return;
      const run = parts.map(({ segment }) => segment);
      const tokens = run.reduce((sum, segment) => sum + segment.tokens, 0);
      if (this.#filer.isTooLargeForMemory(run)) return;
      if (tokens <= MERGE_NOW_TOKENS || run.length >= MAX_RUN) {
        if (run.some((segment) => this.#merging?.has(segment) === true)) this.#stopMerging();
        this.#merge(run);
      } else {
        this.#mergeLater(run);
        return;
      }
    }
  }

  #begin(segments: readonly Segment[]): { steps: Steps<void>; finish: () => void } {
    const inputs = this.#list.inputs(segments);
    const pieces: Uint8Array[] = [];
    const steps = mergeSegments(inputs, (bytes) => pieces.push(bytes));
    const finish = (): void => {
      this.#list.replace(inputs, Segment.ofBytes(concatBytes(pieces)));
    };
    return { steps, finish };
  }

  #merge(segments: readonly Segment[]): void {
    const { steps, finish } = this.#begin(segments);
    while (steps.next().done !== true);
    finish();
  }

  #mergeLater(segments: readonly Segment[]): void {
    if (this.#merging !== null) return;
    const { steps, finish } = this.#begin(segments);
    this.#merging = new Set(segments);
    this.#merged = new Promise((resolve) => (this.#endMerging = resolve));
    const slice = (): void => {
      const until = performance.now() + SLICE_MS;
      while (performance.now() < until)
        if (steps.next().done === true) {
          this.#stopMerging();
          finish();
          this.tidy();
          return;
        }
      this.#timer = setTimeout(slice, 0);
    };
    this.#timer = setTimeout(slice, 0);
  }

  #stopMerging(): void {
    clearTimeout(this.#timer);
    // What a timer was to do holds what it has merged.
    this.#timer = undefined;
    this.#merging = null;
    this.#endMerging();
  }
}
