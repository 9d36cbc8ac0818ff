/** Real text for the soak: passages of public speeches, each with a word of its own. */

import { speeches } from "../../test/cli/support/corpus.ts";
import { EMBEDDING_DIMENSIONS } from "../../src/model/vector.ts";
import { Random } from "./random.ts";

/** Sentences of a passage. */
const LENGTHS = [2, 9, 3, 6, 4];

export class Passages {
  readonly #passages: string[];

  constructor() {
    this.#passages = [];
    for (const { text } of speeches(12)) {
      const sentences = text.split(/(?<=[.;])\s+/);
      while (sentences.length > 0) {
        const length = LENGTHS[this.#passages.length % LENGTHS.length]!;
        this.#passages.push(sentences.splice(0, length).join(" ").trim());
      }
    }
  }

  /** The passage of a serial number, the same in every run. */
  text(serial: number, word: string): string {
    return `${this.#passages[(serial * 7) % this.#passages.length]!} Filed as ${word}.`;
  }
}

/** A unit vector that is the serial number's own. */
export function vectorOf(serial: number): Float32Array {
  const random = new Random(serial * 2_654_435_761);
  const vector = Float32Array.from({ length: EMBEDDING_DIMENSIONS }, () => random.next() - 0.5);
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}
