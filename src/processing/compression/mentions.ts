/**
 * Whether texts name an entity, in whatever form: "Jan 5" for "January 5th", "three thousand" for
 * "3,000", "Jackson" for "Andrew Jackson". Recall is counted by this.
 */

import type { Entity } from "../../model/memory.ts";
import { entityKey, holdsKey, isNumericEntity } from "./entity-key.ts";
import { tokenize } from "./facts.ts";

/** Words of dates and amounts that the number beside them makes clear. */
const FILLER = /^(?:the|of|on|in|at|a|an|and|about|around|last|next|this|dollars?|usd|percent)$/;

/** Texts, indexed once for many questions. */
export class MentionIndex {
  readonly #hay: string;
  readonly #values: ReadonlySet<string>;

  constructor(texts: readonly string[]) {
    this.#hay = ` ${texts.map(entityKey).join(" \n ")} `;
    this.#values = new Set(texts.flatMap((text) => tokenize(text).map((token) => token.value)));
  }

  names(entity: Entity): boolean {
    const key = entityKey(entity.text);
    if (this.#holds(key)) return true;
    if (isNumericEntity(entity.type)) return this.#hasValues(entity.text);
    // A person by the last or first name alone; anything else must be there as it is called.
    if (entity.type !== "person") return false;
    const words = key.split(" ").filter((word) => word.length >= 3);
    return words.length > 1 && (this.#holds(words.at(-1)!) || this.#holds(words[0]!));
  }

  #holds(key: string): boolean {
    return holdsKey(this.#hay, key);
  }

  #hasValues(text: string): boolean {
    const tokens = tokenize(text).filter((token) => !FILLER.test(token.word));
    const telling = tokens.some((token) => token.kind === "number" || token.word.length > 3);
    return tokens.length > 0 && telling && tokens.every((token) => this.#values.has(token.value));
  }
}
