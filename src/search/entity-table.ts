/**
 * Who and what is named where: entity text (without case) ↔ ordinals. Serves the entity filter, the
 * entity match of ranking, the facets, and the connections of `cognitive/navigator.ts`.
 */

import type { Entity, EntityType } from "../model/memory.ts";
import { OrdinalList, type OrdinalGroup } from "./ordinal-list.ts";

export interface EntityRecord {
  /** As first seen. */
  text: string;
  type: EntityType;
  ordinals: OrdinalList;
}

/** Types that name something; numbers and dates connect nothing. */
const NAMES: ReadonlySet<EntityType> = new Set([
  "person",
  "organization",
  "place",
  "email",
  "url",
  "code",
  "other",
]);

/** Types that a person picks from a list; "other" and code are too many and say too little. */
const LISTED: ReadonlySet<EntityType> = new Set([
  "person",
  "organization",
  "place",
  "email",
  "url",
]);

const PLAIN = /^[!-~]+(?: [!-~]+)*$/;
const NONE: OrdinalGroup = new OrdinalList();

export function entityKey(text: string): string {
  if (PLAIN.test(text)) return text.toLowerCase();
  return text.normalize("NFKC").trim().replace(/\s+/g, " ").toLowerCase();
}

export class EntityTable {
  #records = new Map<string, EntityRecord>();
  /** By ordinal: what it names. */
  #named: (EntityRecord[] | undefined)[] = [];

  get size(): number {
    return this.#records.size;
  }

  add(ordinal: number, entities: readonly Entity[]): void {
    this.remove(ordinal);
    const named: EntityRecord[] = [];
    for (const { text, type } of entities) {
      const key = entityKey(text);
      if (key === "") continue;
      let record = this.#records.get(key);
      if (record === undefined)
        this.#records.set(key, (record = { text, type, ordinals: new OrdinalList() }));
      if (record.ordinals.add(ordinal)) named.push(record);
    }
    if (named.length > 0) this.#named[ordinal] = named;
  }

  remove(ordinal: number): void {
    const named = this.#named[ordinal];
    if (named === undefined) return;
    for (const record of named) {
      record.ordinals.delete(ordinal);
      if (record.ordinals.size === 0) this.#records.delete(entityKey(record.text));
    }
    this.#named[ordinal] = undefined;
  }

  /** Memories that name this entity. */
  ordinalsOf(text: string): OrdinalGroup {
    return this.#records.get(entityKey(text))?.ordinals ?? NONE;
  }

  /**
   * The names in one memory that at most `maxShared` memories share, with all of those. Numbers and
   * dates are left out.
   */
  namesOf(ordinal: number, maxShared = Infinity): { text: string; ordinals: OrdinalGroup }[] {
    const named = this.#named[ordinal];
    if (named === undefined) return [];
    return named.filter(({ ordinals, type }) => ordinals.size <= maxShared && NAMES.has(type));
  }

  /** The most frequent people, places, organisations, addresses and URLs, with counts. */
  top(limit: number): { value: string; count: number; type: EntityType }[] {
    return Array.from(this.#records.values())
      .filter(({ type }) => LISTED.has(type))
      .sort((a, b) => b.ordinals.size - a.ordinals.size || (a.text < b.text ? -1 : 1))
      .slice(0, limit)
      .map(({ text, type, ordinals }) => ({ value: text, count: ordinals.size, type }));
  }

  /** Every entity, for a snapshot. */
  records(): Iterable<EntityRecord> {
    return this.#records.values();
  }

  /** Makes room for ordinals below `limit` of an empty table, before `restore`. */
  reserve(limit: number): void {
    this.#named = new Array<EntityRecord[] | undefined>(limit);
  }

  /** Takes an entity of a snapshot, which isn't in the table yet. */
  restore(record: EntityRecord): void {
    this.#records.set(entityKey(record.text), record);
    for (const ordinal of record.ordinals) {
      const named = this.#named[ordinal];
      if (named === undefined) this.#named[ordinal] = [record];
      else named.push(record);
    }
  }

  clear(): void {
    this.#records.clear();
    this.#named = [];
  }
}
