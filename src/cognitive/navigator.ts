/**
 * Walks the connections between memories: neighbours in the thread, replies, rare names in common,
 * and what was recalled together. Spreads the activation of direct hits over them, hop by hop, and
 * tells the way. Only live memories of the catalog can be reached. Why these weights: decisions/0021.
 */

import type { LinkKind, PathLink } from "../model/query.ts";
import type { EntityTable } from "../search/entity-table.ts";
import type { BringOptions, Brought, Spread, SpreadSeeds, Way } from "../search/spread.ts";
import { topPlaces } from "../search/top-places.ts";
import type { MemoryStore } from "../storage/memory-store.ts";
import { Arrivals, NO_WAY } from "./arrivals.ts";
import type { ConnectionLearner } from "./connection-learner.ts";
import { ThreadGroups } from "./thread-groups.ts";
import { ThreadLinks } from "./thread-links.ts";
import { STEP, STEPS, ThreadSteps } from "./thread-steps.ts";
import { Ways, type WayParts } from "./ways.ts";

export type ConnectionKind = Exclude<LinkKind, "thread">;

export interface Connection {
  ordinal: number;
  kind: ConnectionKind;
  /** 0–1. */
  weight: number;
  /** The name in common, for kind "entity". */
  via?: string;
}

/** Neighbours in the thread, replies and corrections. */
const DIRECT_WEIGHT = 1;
/** A name shared by two memories; shared by more it says less. */
const ENTITY_WEIGHT = 0.5;
const MAX_SHARED = 12;
const MAX_CONNECTIONS = 24;
/** How much of its activation a memory passes on. */
export interface SpreadTuning {
  /** With each hop. */
  hop: number;
  /** Beyond that, a question to what follows it: its answer. */
  answer: number;
  /** Of the best hit's lead, to the other hits of the same conversation. */
  together: number;
}

export const SPREAD_TUNING: SpreadTuning = { hop: 0.3, answer: 0.2, together: 0.5 };
/** Hits of one conversation up to which that counts in full; among more it says less. */
const MAX_TOGETHER = 32;
/** Where so many hits share a thread, a pause of this length ends a conversation. */
const PAUSE_MS = 6 * 3_600_000;
/** Direct hits whose names and learned connections are followed; neighbours are followed for all. */
const WIDE_SEEDS = 32;
/** Brought memories below this energy are left out. */
const MIN_ENERGY = 0.05;
/** Energy that counts as 1: a hit between two strong neighbours in a strong conversation. */
const FULL_ENERGY = 1.5;

export class NetworkNavigator {
  readonly #store: MemoryStore;
  readonly #entities: EntityTable;
  readonly #learner: ConnectionLearner | null;
  readonly #links: ThreadLinks;
  readonly #tuning: SpreadTuning;
  readonly #arrivals: Arrivals;
  readonly #groups = new ThreadGroups();
  readonly #steps = new ThreadSteps();
  /** Their numbers follow those of the steps. */
  readonly #ways = new Ways();
  /** Places of one thread; and, by place, when its memory was. */
  #grouped = new Int32Array(0);
  #times = new Float64Array(0);
  #scores = new Float64Array(1024);
  #broughtOrdinals = new Int32Array(1024);
  #broughtScores = new Float64Array(1024);

  constructor(
    store: MemoryStore,
    entities: EntityTable,
    learner: ConnectionLearner | null = null,
    /** For ablations in benchmarks. */
    tuning: Partial<SpreadTuning> = {},
  ) {
    this.#tuning = { ...SPREAD_TUNING, ...tuning };
    this.#arrivals = new Arrivals(this.#tuning.together);
    this.#store = store;
    this.#entities = entities;
    this.#learner = learner;
    this.#links = new ThreadLinks(store);
  }

  /** Everything one memory is connected with, strongest first, at most 24; each memory once, by its strongest link. */
  connectionsOf(ordinal: number): Connection[] {
    const { catalog } = this.#store;
    if (catalog.byOrdinal(ordinal) === undefined) return [];
    this.#links.refresh();
    const found = new Map<number, Connection>();
    const add = (connection: Connection): void => {
      if (connection.ordinal === ordinal || catalog.byOrdinal(connection.ordinal) === undefined)
        return;
      const known = found.get(connection.ordinal);
      if (known === undefined || known.weight < connection.weight)
        found.set(connection.ordinal, connection);
    };
    const links = this.#links;
    for (const [kind, other] of [
      ["previous", links.previous(ordinal)],
      ["next", links.next(ordinal)],
      ["reply", links.repliesTo(ordinal)],
    ] as const)
      add({ ordinal: other, kind, weight: DIRECT_WEIGHT });
    this.#eachWide(ordinal, (other, kind, weight, via) =>
      add({ ordinal: other, kind, weight, ...(via === undefined ? {} : { via }) }),
    );
    return [...found.values()]
      .sort((a, b) => b.weight - a.weight || a.ordinal - b.ordinal)
      .slice(0, MAX_CONNECTIONS);
  }

  /**
   * Activation from direct hits: each of at most two hops passes on a share of it (a question more to what
   * follows it), and hits of one conversation get a share of the best one's lead; what arrives by several ways
   * adds up. Names, corrections and learned connections are followed from the best 32 only.
   */
  readonly spread: Spread = (seeds, options) => {
    this.#links.refresh();
    this.#ways.clear();
    this.#steps.read(this.#links, seeds.ordinals, seeds.count);
    this.#arrivals.reset(seeds, this.#steps.seedThreads);
    this.#spreadAlongThreads(seeds, options.asks);
    for (const i of topPlaces(seeds.scores, seeds.ordinals, seeds.count, WIDE_SEEDS))
      if (seeds.scores[i]! > 0) this.#spreadWide(seeds.ordinals[i]!, seeds.scores[i]!);
    this.#shareInThreads(seeds);
    return {
      seedScores: this.#seedScores(),
      bring: (limits) => this.#bringBeside(limits),
      wayTo: (ordinal) => this.#wayTo(ordinal),
    };
  };

  #spreadAlongThreads(seeds: SpreadSeeds, asks?: (ordinal: number) => boolean): void {
    const { ordinals, threads, energies } = this.#steps;
    const { hop, answer } = this.#tuning;
    for (let i = 0, first = 0; i < seeds.count; i++, first += STEPS) {
      const score = seeds.scores[i]!;
      const energy = hop * score;
      energies.fill(hop * energy, first, first + STEPS);
      energies[first + STEP.before] = energy;
      energies[first + STEP.after] = energy;
      energies[first + STEP.answered] = energy;
      if (ordinals[first + STEP.after]! >= 0 && asks !== undefined && asks(seeds.ordinals[i]!))
        energies[first + STEP.after] = energy + answer * score;
    }
    this.#arrivals.addAll(ordinals, threads, energies, STEPS, seeds);
  }

  /** Over names, what was learned, and corrections; then to the neighbours of what was reached. */
  #spreadWide(seed: number, score: number): void {
    const { catalog } = this.#store;
    const { hop } = this.#tuning;
    this.#eachWide(seed, (ordinal, kind, weight) => {
      if (catalog.byOrdinal(ordinal) === undefined) return;
      const energy = hop * weight * score;
      this.#bring(ordinal, energy, seed, -1, kind, kind);
      const previous = this.#links.previous(ordinal);
      this.#bring(previous, hop * energy, seed, ordinal, kind, "previous");
      this.#bring(this.#links.next(ordinal), hop * energy, seed, ordinal, kind, "next");
    });
  }

  #bring(
    ordinal: number,
    energy: number,
    from: number,
    middle: number,
    first: LinkKind,
    last: LinkKind,
  ): void {
    if (ordinal < 0 || ordinal === from) return;
    const way = this.#newWay(from, middle, first, last);
    this.#arrivals.add(ordinal, this.#links.threadOf(ordinal), energy, from, way);
  }

  #newWay(from: number, middle: number, first: LinkKind, last: LinkKind): number {
    return STEPS * this.#arrivals.seedCount + this.#ways.add(from, middle, first, last);
  }

  #eachWide(
    ordinal: number,
    visit: (ordinal: number, kind: ConnectionKind, weight: number, via?: string) => void,
  ): void {
    const { catalog } = this.#store;
    const entry = catalog.byOrdinal(ordinal);
    if (entry === undefined) return;
    for (const id of [entry.supersedes, entry.supersededBy]) {
      const other = id === null ? undefined : catalog.byId(id);
      if (other !== undefined) visit(other.ordinal, "supersedes", DIRECT_WEIGHT);
    }
    for (const { text, ordinals } of this.#entities.namesOf(ordinal, MAX_SHARED)) {
      const weight = ENTITY_WEIGHT / Math.max(1, ordinals.size - 1);
      for (const other of ordinals) if (other !== ordinal) visit(other, "entity", weight, text);
    }
    if (this.#learner === null || this.#learner.edgeCount === 0) return;
    for (const { ordinal: other, weight } of this.#learner.connectionsOf(ordinal))
      visit(other, "learned", weight);
  }

  /** Hits of one conversation lift each other: the best lifts all that are among the arrivals. */
  #shareInThreads(seeds: SpreadSeeds): void {
    const arrivals = this.#arrivals;
    const groups = this.#groups;
    const { count, seedCount } = arrivals;
    if (this.#grouped.length < count) {
      this.#grouped = new Int32Array(2 * count);
      this.#times = new Float64Array(2 * count);
    }
    const { threads } = arrivals;
    groups.reset();
    // Without a direct hit there is no lead to share.
    for (let place = 0; place < count; place++)
      if (threads[place]! >= 0) groups.add(threads[place]!, place, place < seedCount);
    for (let met = 0; met < groups.count; met++) {
      const size = groups.sizes[met]!;
      if (size === 1) continue;
      groups.read(met, this.#grouped);
      if (size <= MAX_TOGETHER) this.#shareAmong(0, size, seeds);
      else this.#shareBetweenPauses(this.#grouped.subarray(0, size), seeds);
    }
  }

  /** Of the places [start, end) in `#grouped`. */
  #shareAmong(start: number, end: number, { scores }: SpreadSeeds): void {
    const arrivals = this.#arrivals;
    const places = this.#grouped;
    const best = arrivals.bestSeed(places, start, end, scores);
    if (best < 0) return;
    const way = this.#newWay(arrivals.ordinals[best]!, -1, "thread", "thread");
    arrivals.lift(places, start, end, scores, best, MAX_TOGETHER, way);
  }

  /** Cuts what is of one thread where it paused: a chat of years is many conversations. */
  #shareBetweenPauses(places: Int32Array, seeds: SpreadSeeds): void {
    const times = this.#times;
    const { ordinals } = this.#arrivals;
    for (let i = 0; i < places.length; i++)
      times[places[i]!] = this.#links.timeOf(ordinals[places[i]!]!);
    places.sort((a, b) => times[a]! - times[b]!);
    let from = 0;
    for (let i = 1; i <= places.length; i++) {
      if (i < places.length && times[places[i]!]! - times[places[i - 1]!]! <= PAUSE_MS) continue;
      if (i - from > 1) this.#shareAmong(from, i, seeds);
      from = i;
    }
  }

  #seedScores(): Float64Array {
    const { seedCount, energy } = this.#arrivals;
    if (this.#scores.length < seedCount) this.#scores = new Float64Array(2 * seedCount);
    for (let place = 0; place < seedCount; place++)
      this.#scores[place] = Math.min(1, energy[place]! / FULL_ENERGY);
    return this.#scores.subarray(0, seedCount);
  }

  #bringBeside({ limit, allow, minScore = 0 }: BringOptions): Brought {
    const { seedCount, count, energy, ordinals } = this.#arrivals;
    const { catalog } = this.#store;
    if (this.#broughtOrdinals.length < count - seedCount) {
      this.#broughtOrdinals = new Int32Array(2 * (count - seedCount));
      this.#broughtScores = new Float64Array(2 * (count - seedCount));
    }
    const [found, scores] = [this.#broughtOrdinals, this.#broughtScores];
    const minEnergy = Math.max(MIN_ENERGY, minScore * FULL_ENERGY);
    let brought = 0;
    for (let place = seedCount; place < count; place++) {
      if (energy[place]! < minEnergy) continue;
      const ordinal = ordinals[place]!;
      if (catalog.byOrdinal(ordinal) === undefined) continue;
      if (allow !== undefined && !allow(ordinal)) continue;
      found[brought] = ordinal;
      scores[brought++] = energy[place]! / FULL_ENERGY;
    }
    let kept = brought;
    if (brought > limit) {
      const best = topPlaces(scores, found, brought, limit).sort((a, b) => a - b);
      // Each moves to where it is or before.
      best.forEach((place, at) => {
        found[at] = found[place]!;
        scores[at] = scores[place]!;
      });
      kept = best.length;
    }
    // Only now: two that are over the top aren't equals.
    for (let at = 0; at < kept; at++) scores[at] = Math.min(1, scores[at]!);
    return { count: kept, ordinals: found, scores };
  }

  #wayTo(ordinal: number): Way | null {
    const arrivals = this.#arrivals;
    const place = arrivals.find(ordinal);
    const way = place < 0 ? NO_WAY : arrivals.way[place]!;
    if (way === NO_WAY) return null;
    const { from, middle, links } = this.#partsOf(way);
    const path = middle < 0 ? [from, ordinal] : [from, middle, ordinal];
    return { path, links: links.map((kind, i) => this.#linkOf(kind, path[i]!, path[i + 1]!)) };
  }

  #partsOf(way: number): WayParts {
    const { seedCount, ordinals } = this.#arrivals;
    if (way >= STEPS * seedCount) return this.#ways.partsOf(way - STEPS * seedCount);
    return { from: ordinals[Math.floor(way / STEPS)]!, ...this.#steps.wayAt(way) };
  }

  #linkOf(kind: LinkKind, from: number, to: number): PathLink {
    if (kind !== "entity") return { kind };
    const shared = this.#entities
      .namesOf(from, MAX_SHARED)
      .filter(({ ordinals }) => ordinals.has(to))
      .sort((a, b) => a.ordinals.size - b.ordinals.size)[0];
    return shared === undefined ? { kind } : { kind, via: shared.text };
  }
}
