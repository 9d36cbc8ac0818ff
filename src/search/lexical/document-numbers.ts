/** Which document is which memory: numbers in the order of adding, lengths, and what is still there. */

import { lengthOf } from "./norms.ts";

const FIRST_CAPACITY = 1024;

export class DocumentNumbers {
  #count = 0;
  #ordinalOfDoc = new Int32Array(FIRST_CAPACITY);
  #docOfOrdinal = new Int32Array(FIRST_CAPACITY).fill(-1);
  #norms = new Uint8Array(FIRST_CAPACITY);
  #live = 0;
  #liveTokens = 0;
  /** Grows with every change. */
  revision = 0;

  /** Numbers given out, those of removed documents included. */
  get count(): number {
    return this.#count;
  }

  /** Documents that can be found. */
  get live(): number {
    return this.#live;
  }

  /** Length code per document. */
  get norms(): Uint8Array {
    return this.#norms;
  }

  /** Ordinal per document; −1 where it was removed. */
  get ordinalOfDoc(): Int32Array {
    return this.#ordinalOfDoc;
  }

  /** Words per live document. */
  get averageLength(): number {
    return this.#live === 0 ? 1 : Math.max(1, this.#liveTokens / this.#live);
  }

  get memoryBytes(): number {
    return this.#ordinalOfDoc.byteLength + this.#docOfOrdinal.byteLength + this.#norms.byteLength;
  }

  /** Number of the memory's document; −1 without one. */
  docOf(ordinal: number): number {
    return ordinal < this.#docOfOrdinal.length ? this.#docOfOrdinal[ordinal]! : -1;
  }

  /** The memories that can be found. */
  ordinals(): Int32Array {
    return this.#ordinalOfDoc.subarray(0, this.#count).filter((ordinal) => ordinal >= 0);
  }

  /** Gives the next number; ordinal −1 is a document that is removed already. */
  append(ordinal: number, norm: number): void {
    const doc = this.#count++;
    if (doc >= this.#norms.length) this.#reserve(Math.ceil(doc * 1.25) + FIRST_CAPACITY);
    this.revision++;
    this.#norms[doc] = norm;
    this.#ordinalOfDoc[doc] = ordinal;
    if (ordinal < 0) return;
    if (ordinal >= this.#docOfOrdinal.length) {
      const docs = new Int32Array(Math.ceil(ordinal * 1.25) + FIRST_CAPACITY).fill(-1);
      docs.set(this.#docOfOrdinal);
      this.#docOfOrdinal = docs;
    }
    this.#docOfOrdinal[ordinal] = doc;
    this.#live++;
    this.#liveTokens += lengthOf(norm);
  }

  remove(ordinal: number): void {
    const doc = this.docOf(ordinal);
    if (doc < 0) return;
    this.#docOfOrdinal[ordinal] = -1;
    this.#ordinalOfDoc[doc] = -1;
    this.revision++;
    this.#live--;
    this.#liveTokens -= lengthOf(this.#norms[doc]!);
  }

  /** Gives a document a lower number, whose own document is gone. */
  move(from: number, to: number): void {
    this.revision++;
    const ordinal = this.#ordinalOfDoc[from]!;
    this.#ordinalOfDoc[to] = ordinal;
    this.#norms[to] = this.#norms[from]!;
    if (ordinal >= 0) this.#docOfOrdinal[ordinal] = to;
  }

  /** Takes the last numbers back, whose documents were moved. */
  drop(count: number): void {
    this.#count -= count;
  }

  clear(): void {
    this.#docOfOrdinal = new Int32Array(0);
    this.#count = this.#live = this.#liveTokens = 0;
  }

  #reserve(capacity: number): void {
    const ordinals = new Int32Array(capacity);
    ordinals.set(this.#ordinalOfDoc);
    this.#ordinalOfDoc = ordinals;
    const norms = new Uint8Array(capacity);
    norms.set(this.#norms);
    this.#norms = norms;
  }
}
