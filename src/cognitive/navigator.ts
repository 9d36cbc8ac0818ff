/**
 * Walks the connections between memories: neighbours in the thread, replies, rare names in common,
 * and what was recalled together. Spreads the activation of direct hits over them, hop by hop, and
 * tells the way. Only live memories of the catalog can be reached.
 */

import { META } from "../model/memory.ts";
import type { EntityTable } from "../search/entity-table.ts";
import type { Spread, SpreadHit, SpreadSeed } from "../search/spread.ts";
import type { CatalogEntry, MemoryStore } from "../storage/memory-store.ts";
import type { ConnectionLearner } from "./connection-learner.ts";

export type ConnectionKind = "previous" | "next" | "reply" | "entity" | "learned" | "supersedes";

export interface Connection {
  ordinal: number;
  kind: ConnectionKind;
  /** 0–1. */
  weight: number;
  /** The name in common, for kind "entity". */
  via?: string;
}

const THREAD_WEIGHT = 1;
const REPLY_WEIGHT = 1;
const SUPERSEDES_WEIGHT = 1;
/** A name shared by two memories; shared by more it says less. */
const ENTITY_WEIGHT = 0.5;
const MAX_SHARED = 12;
const MAX_CONNECTIONS = 24;
/** Activation that is left after each hop. */
const HOP_DECAY = 0.5;
const MAX_HOPS = 2;
const MAX_FRONTIER = 48;
const MIN_ENERGY = 0.02;

export class NetworkNavigator {
  readonly #store: MemoryStore;
  readonly #entities: EntityTable;
  readonly #learner: ConnectionLearner | null;

  constructor(store: MemoryStore, entities: EntityTable, learner: ConnectionLearner | null = null) {
    this.#store = store;
    this.#entities = entities;
    this.#learner = learner;
  }

  /** Everything one memory is connected with, strongest first, at most 24; each memory once, by its strongest link. */
  connectionsOf(ordinal: number): Connection[] {
    const { catalog } = this.#store;
    const entry = catalog.byOrdinal(ordinal);
    if (entry === undefined) return [];
    const found = new Map<number, Connection>();
    const add = (connection: Connection): void => {
      if (connection.ordinal === ordinal || catalog.byOrdinal(connection.ordinal) === undefined)
        return;
      const known = found.get(connection.ordinal);
      if (known === undefined || known.weight < connection.weight)
        found.set(connection.ordinal, connection);
    };
    for (const connection of this.#links(entry)) add(connection);
    for (const name of this.#entities.namesOf(ordinal, MAX_SHARED)) {
      const weight = ENTITY_WEIGHT / Math.max(1, name.ordinals.size - 1);
      for (const other of name.ordinals)
        add({ ordinal: other, kind: "entity", weight, via: name.text });
    }
    for (const { ordinal: other, weight } of this.#learner?.connectionsOf(ordinal) ?? [])
      add({ ordinal: other, kind: "learned", weight });
    return [...found.values()]
      .sort((a, b) => b.weight - a.weight || a.ordinal - b.ordinal)
      .slice(0, MAX_CONNECTIONS);
  }

  /**
   * Activation from direct hits: each hop passes on its energy times the link's weight, halved; what
   * arrives by several ways adds up, at most 1. At most two hops and 48 memories per hop are followed.
   */
  readonly spread: Spread = (seeds, { limit, allow }) => {
    const arrived = new Map<number, { energy: number; strongest: number; path: number[] }>();
    let frontier = [...seeds].sort(byScore).slice(0, MAX_FRONTIER).map(startOf);
    for (let hop = 0; hop < MAX_HOPS && frontier.length > 0; hop++) {
      const next = new Map<number, { ordinal: number; energy: number; path: number[] }>();
      for (const from of frontier)
        for (const { ordinal, weight } of this.connectionsOf(from.ordinal)) {
          const energy = from.energy * weight * HOP_DECAY;
          if (energy < MIN_ENERGY || from.path.includes(ordinal)) continue;
          const path = [...from.path, ordinal];
          const reached = arrived.get(ordinal);
          if (reached === undefined) arrived.set(ordinal, { energy, strongest: energy, path });
          else {
            reached.energy += energy;
            if (energy > reached.strongest) [reached.strongest, reached.path] = [energy, path];
          }
          const known = next.get(ordinal);
          if (known === undefined || known.energy < energy)
            next.set(ordinal, { ordinal, energy, path });
        }
      frontier = [...next.values()]
        .sort((a, b) => b.energy - a.energy || a.ordinal - b.ordinal)
        .slice(0, MAX_FRONTIER);
    }
    const hits: SpreadHit[] = [];
    for (const [ordinal, { energy, path }] of arrived)
      if (allow === undefined || allow(ordinal))
        hits.push({ ordinal, score: Math.min(1, energy), path });
    return hits.sort(byScore).slice(0, limit);
  };

  *#links(entry: CatalogEntry): Generator<Connection> {
    const { catalog } = this.#store;
    const linked = (id: string | null): number =>
      id === null ? -1 : (catalog.byId(id)?.ordinal ?? -1);
    yield { ordinal: linked(entry.previousId), kind: "previous", weight: THREAD_WEIGHT };
    yield { ordinal: linked(entry.nextId), kind: "next", weight: THREAD_WEIGHT };
    yield { ordinal: linked(entry.supersedes), kind: "supersedes", weight: SUPERSEDES_WEIGHT };
    yield { ordinal: linked(entry.supersededBy), kind: "supersedes", weight: SUPERSEDES_WEIGHT };
    const replyTo = entry.metadata[META.replyTo];
    if (replyTo !== undefined) {
      const ordinal = catalog.byExternalId(replyTo)?.ordinal ?? -1;
      yield { ordinal, kind: "reply", weight: REPLY_WEIGHT };
    }
  }
}

function byScore(a: SpreadSeed, b: SpreadSeed): number {
  return b.score - a.score || a.ordinal - b.ordinal;
}

function startOf(seed: SpreadSeed): { ordinal: number; energy: number; path: number[] } {
  return { ordinal: seed.ordinal, energy: seed.score, path: [seed.ordinal] };
}
