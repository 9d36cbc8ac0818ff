/**
 * Who and what is named where: entity text (without case) ↔ ordinals. Serves the entity filter, the
 * entity match of ranking, the facets, and the connections of `cognitive/navigator.ts`.
 */

import type { Entity, EntityType } from "../model/memory.ts";

interface EntityRecord {
  /** As first seen. */
  text: string;
  type: EntityType;
  ordinals: Set<number>;
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

export function entityKey(text: string): string {
  return text.normalize("NFKC").trim().replace(/\s+/g, " ").toLowerCase();
}

export class EntityTable {
  #records = new Map<string, EntityRecord>();
  #keysByOrdinal = new Map<number, string[]>();

  get size(): number {
    return this.#records.size;
  }

  add(ordinal: number, entities: readonly Entity[]): void {
    this.remove(ordinal);
    const keys = new Set<string>();
    for (const { text, type } of entities) {
      const key = entityKey(text);
      if (key === "" || keys.has(key)) continue;
      keys.add(key);
      const record = this.#records.get(key);
      if (record) record.ordinals.add(ordinal);
      else this.#records.set(key, { text, type, ordinals: new Set([ordinal]) });
    }
    if (keys.size > 0) this.#keysByOrdinal.set(ordinal, [...keys]);
  }

  remove(ordinal: number): void {
    for (const key of this.#keysByOrdinal.get(ordinal) ?? []) {
      const record = this.#records.get(key);
      record?.ordinals.delete(ordinal);
      if (record?.ordinals.size === 0) this.#records.delete(key);
    }
    this.#keysByOrdinal.delete(ordinal);
  }

  /** Memories that name this entity. */
  ordinalsOf(text: string): ReadonlySet<number> {
    return this.#records.get(entityKey(text))?.ordinals ?? EMPTY;
  }

  /**
   * The names in one memory that at most `maxShared` memories share, with all of those. Numbers and
   * dates are left out.
   */
  namesOf(
    ordinal: number,
    maxShared = Infinity,
  ): { text: string; ordinals: ReadonlySet<number> }[] {
    const names: EntityRecord[] = [];
    for (const key of this.#keysByOrdinal.get(ordinal) ?? []) {
      const record = this.#records.get(key);
      if (record && record.ordinals.size <= maxShared && NAMES.has(record.type)) names.push(record);
    }
    return names;
  }

  /** The most frequent people, places, organisations, addresses and URLs, with counts. */
  top(limit: number): { value: string; count: number; type: EntityType }[] {
    return Array.from(this.#records.values())
      .filter(({ type }) => LISTED.has(type))
      .map(({ text, type, ordinals }) => ({ value: text, count: ordinals.size, type }))
      .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
      .slice(0, limit);
  }

  clear(): void {
    this.#records.clear();
    this.#keysByOrdinal.clear();
  }
}

const EMPTY: ReadonlySet<number> = new Set();
