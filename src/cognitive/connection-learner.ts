/**
 * Connections that form by use: memories recalled or opened together are linked, more strongly each
 * time (Hebbian learning), and the links fade with time. Bounded in number; a forgotten memory takes its links with it.
 *
 * Undirected weights in (0, 1] between ordinals in memory, between ids in the store.
 */

import type { Clock } from "../ports/clock.ts";
import { systemClock } from "../ports/clock.ts";
import type { MemoryStore } from "../storage/memory-store.ts";

export interface LearnedConnection {
  ordinal: number;
  /** 0–1, decayed to now. */
  weight: number;
}

interface Edge {
  weight: number;
  /** When the weight was last brought up to date, ms since epoch. */
  atMs: number;
}

const NAME = "connections";
const VERSION = 1;
/** How far one joint recall moves the weight towards 1. */
const LEARNING_RATE = 0.2;
const HALF_LIFE_MS = 60 * 86_400_000;
const FORGET_BELOW = 0.02;
const MAX_EDGES = 100_000;
const MAX_EDGES_PER_MEMORY = 32;
/** Memories of one result that are linked with each other. */
const MAX_TOGETHER = 5;

export class ConnectionLearner {
  readonly #store: MemoryStore;
  readonly #clock: Clock;
  #edges = new Map<number, Map<number, Edge>>();
  #edgeCount = 0;
  #changed = false;
  #unsubscribe: () => void = () => undefined;

  private constructor(store: MemoryStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Loads what was learned and follows removals. Unreadable data is left behind: connections only help. */
  static async open(store: MemoryStore, clock: Clock = systemClock): Promise<ConnectionLearner> {
    const learner = new ConnectionLearner(store, clock);
    const bytes = await store.readDerived(NAME, { allowStale: true });
    if (bytes !== null) learner.#load(bytes);
    learner.#unsubscribe = store.subscribe((change) => {
      if (change.type === "removed") for (const ordinal of change.ordinals) learner.remove(ordinal);
      // A compaction that drops memories removes derived files, for what they may name.
      if (change.type === "compacted" && learner.#edgeCount > 0) learner.#changed = true;
    });
    return learner;
  }

  get edgeCount(): number {
    return this.#edgeCount;
  }

  /** Links memories that were recalled or opened together, best first; only the first five count. */
  reinforce(ids: readonly string[], strength = 1): void {
    const ordinals = [...new Set(ids)]
      .flatMap((id) => this.#store.catalog.byId(id)?.ordinal ?? [])
      .slice(0, MAX_TOGETHER);
    for (let i = 0; i < ordinals.length; i++)
      for (let j = i + 1; j < ordinals.length; j++)
        this.#strengthen(ordinals[i]!, ordinals[j]!, strength);
  }

  /** Strongest first. */
  connectionsOf(ordinal: number): LearnedConnection[] {
    const nowMs = this.#clock.now();
    return Array.from(this.#edges.get(ordinal) ?? [], ([other, edge]) => ({
      ordinal: other,
      weight: decayed(edge, nowMs),
    }))
      .filter(({ weight }) => weight >= FORGET_BELOW)
      .sort((a, b) => b.weight - a.weight || a.ordinal - b.ordinal);
  }

  remove(ordinal: number): void {
    for (const other of this.#edges.get(ordinal)?.keys() ?? []) this.#unlink(ordinal, other);
  }

  /** Writes what was learned since the last time. */
  async save(): Promise<void> {
    if (!this.#changed) return;
    this.#changed = false;
    const { generation } = this.#store;
    try {
      await this.#store.writeDerived(NAME, this.#serialize());
      // A write of the store that came in between may have kept it from being written.
      if (generation !== this.#store.generation) this.#changed = true;
    } catch (error) {
      this.#changed = true;
      throw error;
    }
  }

  close(): void {
    this.#unsubscribe();
    this.#edges.clear();
    this.#edgeCount = 0;
  }

  #strengthen(a: number, b: number, strength: number): void {
    const nowMs = this.#clock.now();
    const edge = this.#edges.get(a)?.get(b);
    const before = edge === undefined ? 0 : decayed(edge, nowMs);
    const weight = before + LEARNING_RATE * Math.min(1, Math.max(0, strength)) * (1 - before);
    this.#link(a, b, { weight, atMs: nowMs });
    this.#trim(a, nowMs);
    this.#trim(b, nowMs);
    if (this.#edgeCount > MAX_EDGES) this.#dropWeakest(nowMs);
  }

  #link(a: number, b: number, edge: Edge): void {
    if (!this.#edges.get(a)?.has(b)) this.#edgeCount++;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      let links = this.#edges.get(from);
      if (links === undefined) this.#edges.set(from, (links = new Map()));
      links.set(to, edge);
    }
    this.#changed = true;
  }

  #unlink(a: number, b: number): void {
    if (this.#edges.get(a)?.delete(b)) this.#edgeCount--;
    this.#edges.get(b)?.delete(a);
    for (const ordinal of [a, b])
      if (this.#edges.get(ordinal)?.size === 0) this.#edges.delete(ordinal);
    this.#changed = true;
  }

  #trim(ordinal: number, nowMs: number): void {
    const links = this.#edges.get(ordinal);
    if (links === undefined || links.size <= MAX_EDGES_PER_MEMORY) return;
    const [weakest] = [...links].sort((a, b) => decayed(a[1], nowMs) - decayed(b[1], nowMs));
    this.#unlink(ordinal, weakest![0]);
  }

  /** Frees a tenth at once, so that the sort is rare. */
  #dropWeakest(nowMs: number): void {
    const all = this.#list().sort((x, y) => decayed(x.edge, nowMs) - decayed(y.edge, nowMs));
    for (const { a, b } of all.slice(0, MAX_EDGES / 10)) this.#unlink(a, b);
  }

  #list(): { a: number; b: number; edge: Edge }[] {
    const list: { a: number; b: number; edge: Edge }[] = [];
    for (const [a, links] of this.#edges)
      for (const [b, edge] of links) if (a < b) list.push({ a, b, edge });
    return list;
  }

  #serialize(): Uint8Array {
    const nowMs = this.#clock.now();
    const ids: string[] = [];
    const indexOf = new Map<number, number>();
    const place = (ordinal: number): number | undefined => {
      const known = indexOf.get(ordinal);
      if (known !== undefined) return known;
      const id = this.#store.catalog.byOrdinal(ordinal)?.id;
      if (id === undefined) return undefined;
      indexOf.set(ordinal, ids.length);
      return ids.push(id) - 1;
    };
    const edges = this.#list().flatMap(({ a, b, edge }) => {
      const weight = decayed(edge, nowMs);
      if (weight < FORGET_BELOW) return [];
      const [from, to] = [place(a), place(b)];
      return from === undefined || to === undefined ? [] : [[from, to, Math.round(weight * 1000)]];
    });
    return new TextEncoder().encode(
      JSON.stringify({ version: VERSION, savedAtMs: nowMs, ids, edges }),
    );
  }

  #load(bytes: Uint8Array): void {
    let data: unknown;
    try {
      data = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch {
      return;
    }
    if (!isSaved(data)) return;
    for (const [from, to, permille] of data.edges) {
      const a = this.#store.catalog.byId(data.ids[from!] ?? "")?.ordinal;
      const b = this.#store.catalog.byId(data.ids[to!] ?? "")?.ordinal;
      if (a === undefined || b === undefined || a === b || !(permille! > 0 && permille! <= 1000))
        continue;
      this.#link(a, b, { weight: permille! / 1000, atMs: data.savedAtMs });
    }
    this.#changed = false;
  }
}

function decayed(edge: Edge, nowMs: number): number {
  return edge.weight * 2 ** (-Math.max(0, nowMs - edge.atMs) / HALF_LIFE_MS);
}

interface Saved {
  version: typeof VERSION;
  savedAtMs: number;
  ids: string[];
  edges: number[][];
}

function isSaved(data: unknown): data is Saved {
  if (typeof data !== "object" || data === null) return false;
  const { version, savedAtMs, ids, edges } = data as Record<string, unknown>;
  return (
    version === VERSION &&
    typeof savedAtMs === "number" &&
    Array.isArray(ids) &&
    ids.every((id) => typeof id === "string") &&
    Array.isArray(edges) &&
    edges.every((edge) => Array.isArray(edge) && edge.length === 3 && edge.every(Number.isFinite))
  );
}
