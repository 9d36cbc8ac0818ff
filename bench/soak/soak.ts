/** The loop of the soak: stores that are worked on, killed, looked at, and worked on again. */

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FsFileStore } from "../../src/platform/node/fs-file-store.ts";
import { SearchService } from "../../src/search/search-service.ts";
import { ArrowStorage } from "../../src/storage/arrow-storage.ts";
import * as actions from "./actions.ts";
import type { Action, SoakStore } from "./actions.ts";
import { Model, Violation } from "./model.ts";
import { Random } from "./random.ts";
import { serve } from "./server.ts";
import { Passages } from "./texts.ts";
import { verifyStore } from "./verify.ts";

export interface SoakOptions {
  /** Folder of the built command line. */
  build: string;
  /** An empty folder to work in. */
  folder: string;
  seed: number;
  /** Ends when the first of both is reached. */
  minutes: number;
  rounds: number;
  /** Folder of the embedding model; without it nothing fades and there are no episodes. */
  models: string | null;
  onRound?: (line: string) => void;
}

export interface SoakReport {
  seed: number;
  rounds: number;
  stores: number;
  kills: number;
  /** By command. */
  commands: Record<string, { runs: number; kills: number }>;
  verifications: number;
  /** Memories held against the model, over all verifications. */
  memoriesChecked: number;
  deletedChecked: number;
  indexComparisons: number;
  acknowledged: number;
  elapsedMs: number;
  /** The first broken promise, with what led to it. */
  violation: string | null;
}

const ROUNDS_PER_STORE = 40;
const KILL_SHARE = 0.75;
const MOST_MEMORIES = 1_500;

/** How often each is chosen. */
const EVERYWHERE: [Action, number][] = [
  [serve, 6],
  [actions.batch, 4],
  [actions.forget, 2],
  [actions.erase, 3],
  [actions.restore, 2],
  [actions.update, 2],
  [actions.compact, 3],
  [actions.search, 2],
  [actions.sql, 1],
];
const WITHOUT_MODEL: [Action, number][] = [...EVERYWHERE, [actions.importVectors, 4]];
const WITH_MODEL: [Action, number][] = [
  ...EVERYWHERE,
  [actions.fade, 5],
  [actions.unfade, 3],
  [actions.buildEpisodes, 3],
];

export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const startedAt = performance.now();
  const random = new Random(options.seed);
  const report: SoakReport = {
    seed: options.seed,
    rounds: 0,
    stores: 0,
    kills: 0,
    commands: {},
    verifications: 0,
    memoriesChecked: 0,
    deletedChecked: 0,
    indexComparisons: 0,
    acknowledged: 0,
    elapsedMs: 0,
    violation: null,
  };
  const shared = { random, passages: new Passages(), serials: { next: 1 }, typicalMs: new Map() };
  const over = (): boolean =>
    report.rounds >= options.rounds || performance.now() - startedAt > options.minutes * 60_000;
  while (!over()) {
    const cwd = join(options.folder, `store-${report.stores++}`);
    mkdirSync(cwd, { recursive: true });
    // In a third of the stores there is the model: there texts fade, and episodes are built.
    const models = random.chance(1 / 3) ? options.models : null;
    const store: SoakStore = {
      ...shared,
      cli: { build: options.build, store: join(cwd, "store"), cwd, models },
      model: new Model(),
      unfinished: null,
      steps: [],
    };
    try {
      for (let round = 0; round < ROUNDS_PER_STORE && !over(); round++) {
        report.rounds++;
        await runRound(store, report, options.onRound);
      }
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      report.violation = [error.message, "Steps:", ...store.steps].join("\n  ");
    }
    report.acknowledged += store.model.slots.filter(({ id }) => id !== null).length;
    if (report.violation) break;
    rmSync(cwd, { recursive: true, force: true });
  }
  report.elapsedMs = performance.now() - startedAt;
  return report;
}

async function runRound(
  store: SoakStore,
  report: SoakReport,
  onRound: SoakOptions["onRound"],
): Promise<void> {
  const { model, random, cli } = store;
  const table = cli.models ? WITH_MODEL : WITHOUT_MODEL;
  const crowded = model.surely("live").length > (cli.models ? 60 : MOST_MEMORIES);
  // The first makes the store; a crowded one shrinks.
  const action =
    model.slots.length === 0 ? actions.batch : crowded ? actions.erase : weighted(random, table);
  const kill = model.slots.length > 0 && random.chance(KILL_SHARE);
  const { name, killed } = await action(store, kill);
  const counts = (report.commands[name] ??= { runs: 0, kills: 0 });
  counts.runs++;
  if (killed) {
    counts.kills++;
    report.kills++;
  }
  if (killed || random.chance(0.3)) {
    const found = await verifyStore(store, report.verifications % 4 === 0);
    report.verifications++;
    report.memoriesChecked += found.memories;
    report.deletedChecked += found.deleted;
    report.indexComparisons += found.comparisons;
    onRound?.(
      `${report.rounds} ${name}${killed ? " (killed)" : ""}: ${found.memories} memories, ${found.deleted} deleted`,
    );
    // A snapshot of an index in the store itself: later commands find it current, stale or torn.
    if (random.chance(0.25)) await leaveSnapshot(cli.store);
  }
}

async function leaveSnapshot(directory: string): Promise<void> {
  const storage = await ArrowStorage.open(await FsFileStore.open(directory));
  const search = await SearchService.open(storage, { snapshots: "always" });
  await search.saveSnapshots();
  await search.close();
  await storage.close();
}

function weighted(random: Random, table: readonly [Action, number][]): Action {
  let at = random.next() * table.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [action, weight] of table) if ((at -= weight) < 0) return action;
  return table[0]![0];
}
