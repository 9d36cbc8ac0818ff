/**
 * The segments of the word index in the order of their documents, and which document is which memory:
 * a document's number is its place in its segment after all documents of the segments before, without gaps.
 */

import { DocumentNumbers } from "./document-numbers.ts";
import type { MergeInput } from "./merge.ts";
import type { Segment } from "./segment.ts";
import { FileSource } from "./segment-files.ts";

export interface Part {
  segment: Segment;
  /** Number of its first document. */
  base: number;
}

export class SegmentList {
  /** Those of the segments, and after them those of documents that aren't in one yet. */
  readonly numbers = new DocumentNumbers();
  #parts: Part[] = [];
  #documents = 0;
  /** Grows with every change of the segments. */
  version = 0;

  get parts(): readonly Part[] {
    return this.#parts;
  }

  /** Documents in segments, removed ones included. */
  get documents(): number {
    return this.#documents;
  }

  /** Bytes of segments that aren't in files. */
  get residentBytes(): number {
    let bytes = 0;
    for (const { segment } of this.#parts)
      if (fileOf(segment) === null) bytes += segment.source.sizeBytes;
    return bytes;
  }

  /** Takes in a segment of the documents that are numbered and in none yet. */
  push(segment: Segment): void {
    this.#parts.push({ segment, base: this.#documents });
    this.#documents = this.numbers.count;
    this.version++;
  }

  /** Takes in a segment made before; memories that `isKnown` denies count as removed. */
  attach(segment: Segment, ordinals: Uint32Array, isKnown: (ordinal: number) => boolean): void {
    for (let doc = 0; doc < segment.documents; doc++) {
      const ordinal = isKnown(ordinals[doc]!) ? ordinals[doc]! : -1;
      if (ordinal >= 0) this.numbers.remove(ordinal);
      this.numbers.append(ordinal, segment.norms[doc]!);
    }
    this.push(segment);
  }

  partOf(segment: Segment): Part | undefined {
    return this.#parts.find((part) => part.segment === segment);
  }

  hasRemoved({ base, segment }: Part): boolean {
    return this.numbers.ordinalOfDoc.subarray(base, base + segment.documents).includes(-1);
  }

  /** The memories in it that aren't removed. */
  ordinalsIn({ base, segment }: Part): Int32Array {
    return this.numbers.ordinalOfDoc
      .slice(base, base + segment.documents)
      .filter((ordinal) => ordinal >= 0);
  }

  /** Renumbers without the removed; what the segments become when they are merged now. */
  inputs(segments: readonly Segment[]): MergeInput[] {
    const { ordinalOfDoc } = this.numbers;
    let next = 0;
    return segments.map((segment) => {
      const base = this.partOf(segment)?.base ?? 0;
      const renumber = new Int32Array(segment.documents);
      for (let doc = 0; doc < renumber.length; doc++)
        renumber[doc] = ordinalOfDoc[base + doc]! < 0 ? -1 : next++;
      return { segment, renumber };
    });
  }

  /**
   * Puts a segment made of `inputs` (null: of none of their documents) in their place and numbers the
   * documents after it anew. False when they aren't one after the other there any more: it is of no use.
   */
  replace(inputs: readonly MergeInput[], merged: Segment | null): boolean {
    const first = this.#parts.findIndex((part) => part.segment === inputs[0]!.segment);
    const parts = this.#parts.slice(first, first + inputs.length);
    if (first < 0 || inputs.some(({ segment }, i) => parts[i]?.segment !== segment)) return false;
    const { base } = parts[0]!;
    let to = base;
    inputs.forEach(({ renumber }, i) => {
      for (let doc = 0; doc < renumber.length; doc++)
        if (renumber[doc]! >= 0) this.numbers.move(parts[i]!.base + doc, to++);
    });
    const after = parts.at(-1)!.base + parts.at(-1)!.segment.documents;
    const removed = after - to;
    if (removed > 0)
      for (let doc = after; doc < this.numbers.count; doc++) this.numbers.move(doc, doc - removed);
    this.#documents -= removed;
    this.numbers.drop(removed);
    this.#parts.splice(
      first,
      parts.length,
      ...(merged === null || merged.documents === 0 ? [] : [{ segment: merged, base }]),
    );
    for (let i = first, next = base; i < this.#parts.length; i++) {
      const { segment } = this.#parts[i]!;
      this.#parts[i] = { segment, base: next };
      next += segment.documents;
    }
    this.version++;
    return true;
  }

  clear(): void {
    this.#parts = [];
    this.numbers.clear();
    this.#documents = 0;
    this.version++;
  }
}

/** Null when its bytes are in memory. */
export function fileOf({ source }: Segment): FileSource | null {
  return source instanceof FileSource ? source : null;
}
