/**
 * When two mentions are the same entity, and which entities count as numbers. Apart from the
 * extractor, so that reading a memory loads no language model.
 */

import type { EntityType } from "../../model/memory.ts";

/** Types whose recall is counted as numbers; the others are names. */
const NUMERIC: ReadonlySet<EntityType> = new Set(["date", "time", "amount", "number", "phone"]);

export function isNumericEntity(type: EntityType): boolean {
  return NUMERIC.has(type);
}

/** Lower case, single spaces, without possessive: the form in which two mentions are the same. */
export function entityKey(text: string): string {
  return text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/['’]s\b/gu, "")
    .replace(/\s+/gu, " ")
    .replace(/^[^\p{L}\p{N}$€£¥+]+|[^\p{L}\p{N}%]+$/gu, "");
}

/** Whether a text in the form of `entityKey` holds a key as words of its own. */
export function holdsKey(hay: string, key: string): boolean {
  if (key === "") return false;
  for (let at = hay.indexOf(key); at >= 0; at = hay.indexOf(key, at + 1)) {
    const around = `${hay[at - 1] ?? " "}${hay[at + key.length] ?? " "}`;
    if (!/[\p{L}\p{N}]/u.test(around)) return true;
  }
  return false;
}
