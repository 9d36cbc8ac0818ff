/** The ways by which one spread led on beside those along threads: a number each, so that what arrives carries one. */

import type { LinkKind } from "../model/query.ts";

/** The order is that of the numbers. */
const LINK_KINDS: readonly LinkKind[] = [
  "previous",
  "next",
  "reply",
  "entity",
  "learned",
  "supersedes",
  "thread",
];

const NUMBERS = Object.fromEntries(LINK_KINDS.map((kind, i) => [kind, i])) as Record<
  LinkKind,
  number
>;

const FIELDS = 4;

/** From a direct hit over `middle` (-1: none) to a memory, and what links each hop. */
export interface WayParts {
  from: number;
  middle: number;
  links: readonly LinkKind[];
}

export class Ways {
  #count = 0;
  #fields = new Int32Array(FIELDS * 512);

  clear(): void {
    this.#count = 0;
  }

  /** The number of a new way. */
  add(from: number, middle: number, first: LinkKind, last: LinkKind): number {
    const at = FIELDS * this.#count;
    if (at === this.#fields.length) {
      const grown = new Int32Array(2 * at);
      grown.set(this.#fields);
      this.#fields = grown;
    }
    this.#fields[at] = from;
    this.#fields[at + 1] = middle;
    this.#fields[at + 2] = NUMBERS[first];
    this.#fields[at + 3] = NUMBERS[last];
    return this.#count++;
  }

  partsOf(way: number): WayParts {
    const [from, middle, first, last] = this.#fields.subarray(FIELDS * way);
    const kinds = middle! < 0 ? [first!] : [first!, last!];
    return { from: from!, middle: middle!, links: kinds.map((kind) => LINK_KINDS[kind]!) };
  }
}
