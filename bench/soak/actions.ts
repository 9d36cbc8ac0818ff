/**
 * What a run does to a store: commands of the command line, each in a process of its own that may be
 * killed, and what the model knows after each.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createMemoryId } from "../../src/model/id.ts";
import { Violation, assert, type Model, type Slot } from "./model.ts";
import { ended, jsonLines, startCli, type Cli, type Ended } from "./process.ts";
import type { Random } from "./random.ts";
import { vectorOf, type Passages } from "./texts.ts";

/** Vectors that were handed in; of no model that could be loaded. */
export const VECTOR_MODEL = "soak";

export interface SoakStore {
  cli: Cli;
  model: Model;
  random: Random;
  passages: Passages;
  /** Of all stores of a run. */
  serials: { next: number };
  /** A folder whose import was cut off: the same command brings the rest. */
  unfinished: { folder: string; slots: Slot[] } | null;
  /** How long each command takes when nobody kills it, ms: when to kill it. */
  typicalMs: Map<string, number>;
  /** What was done, for whoever has to find out why. */
  steps: string[];
}

export interface StepResult {
  name: string;
  killed: boolean;
}

export type Action = (store: SoakStore, kill: boolean) => Promise<StepResult>;

export function newSlot(
  store: SoakStore,
  prefix: string,
  hasVector = false,
): Parameters<Model["add"]>[0] {
  const serial = store.serials.next++;
  const word = `qz${serial}x`;
  return {
    serial,
    word,
    text: store.passages.text(serial, word),
    source: `${prefix}-${serial}.txt`,
    timestamp: Date.UTC(2015, 0, 1) + serial * 3_600_000,
    hasVector,
  };
}

/** Runs a command; dies with what it said when it fails without having been killed. */
async function run(
  store: SoakStore,
  name: string,
  args: readonly string[],
  kill: boolean,
): Promise<Ended> {
  const { random, typicalMs } = store;
  const typical = typicalMs.get(name) ?? 1_500;
  // Most of the time is start-up, in which nothing can go wrong.
  const killAt = random.chance(0.7) ? 0.35 + random.next() * 0.8 : random.next();
  const result = await ended(startCli(store.cli, args), kill ? typical * killAt : null);
  store.steps.push(
    `${args.slice(0, 12).join(" ")}${result.killed ? `   (killed after ${Math.round(result.elapsedMs)} ms)` : ""}`,
  );
  if (!result.killed) {
    typicalMs.set(name, typical * 0.5 + result.elapsedMs * 0.5);
    assert(
      result.code === 0,
      () => `FAILED: "${args.join(" ")}" ended with ${result.code}: ${result.stderr}`,
    );
  }
  return result;
}

function acknowledge(slot: Slot | undefined, id: unknown, line: unknown): void {
  assert(slot !== undefined && typeof id === "string", () => `UNKNOWN: ${JSON.stringify(line)}`);
  assert(slot.id === null || slot.id === id, () => `TWICE: ${slot.source} is ${slot.id} and ${id}`);
  slot.id = id;
  slot.presence = new Set(["live"]);
}

/** Lines of `batch` and `import`; each is printed once its memory survives a kill. */
function acknowledgeLines(store: SoakStore, stdout: string): void {
  for (const line of jsonLines(stdout)) {
    assert(!("error" in line), () => `FAILED: ${JSON.stringify(line)}`);
    acknowledge(store.model.bySource.get(String(line["source"])), line["id"], line);
  }
}

export const batch: Action = async (store, kill) => {
  const { model, random, cli } = store;
  let unfinished = store.unfinished;
  if (!unfinished) {
    const folder = `in-${store.serials.next}`;
    mkdirSync(join(cli.cwd, folder));
    const slots = Array.from({ length: random.within(3, cli.models ? 8 : 60) }, () => {
      const slot = newSlot(store, folder);
      writeFileSync(join(cli.cwd, folder, slot.source), slot.text);
      return model.add(slot, null);
    });
    unfinished = { folder, slots };
  }
  // One that a cut-off run before this didn't bring may come with this one.
  for (const { presence } of unfinished.slots) if (presence.has("absent")) presence.add("live");
  const args = ["batch", "--input-dir", unfinished.folder, "--json"];
  const result = await run(store, "batch", [...args, ...(cli.models ? [] : ["--no-embed"])], kill);
  acknowledgeLines(store, result.stdout);
  store.unfinished = result.killed ? unfinished : null;
  for (const { source, presence } of result.killed ? [] : unfinished.slots)
    assert(!presence.has("absent"), () => `NOT TOLD: batch ended without a line for ${source}`);
  return { name: "batch", killed: result.killed };
};

/** An export of another store: memories with ids and vectors of their own. */
export const importVectors: Action = async (store, kill) => {
  const { model, random, cli } = store;
  const file = `vectors-${store.serials.next}.jsonl`;
  const slots = Array.from({ length: random.within(5, 300) }, () =>
    model.add(newSlot(store, "vector", true), createMemoryId()),
  );
  const lines = slots.map((slot) =>
    JSON.stringify({
      memory_id: slot.id,
      content: slot.text,
      summary: slot.text.slice(0, 120),
      entities: [{ text: `Ledger ${slot.serial % 9}`, type: "other", confidence: 0.9 }],
      embedding: Array.from(vectorOf(slot.serial)),
      embedding_model: VECTOR_MODEL,
      timestamp: slot.timestamp,
      metadata: { source: slot.source },
    }),
  );
  writeFileSync(join(cli.cwd, file), `${lines.join("\n")}\n`);
  const result = await run(store, "import", ["import", file, "--json", "--no-embed"], kill);
  acknowledgeLines(store, result.stdout);
  return { name: "import", killed: result.killed };
};

const idsOf = (slots: readonly Slot[]): string[] => slots.map(({ id }) => id!);

/** A command over several memories that happens to all of them or to none. */
async function moveAll(
  store: SoakStore,
  kill: boolean,
  name: string,
  args: (ids: string[]) => string[],
  slots: Slot[],
  after: "live" | "forgotten" | "gone",
): Promise<StepResult> {
  if (slots.length === 0) return search(store, kill);
  const result = await run(store, name, args(idsOf(slots)), kill);
  if (result.killed) store.model.maybe(store.steps.at(-1)!, slots, after);
  else for (const slot of slots) slot.presence = new Set([after]);
  return { name, killed: result.killed };
}

function chosen({ model, random, unfinished }: SoakStore, most: number): Slot[] {
  const free = model.surely("live").filter((slot) => !unfinished?.slots.includes(slot));
  return random.sample(free, random.within(1, most));
}

export const forget: Action = (store, kill) =>
  moveAll(store, kill, "forget", (ids) => ["forget", ...ids], chosen(store, 20), "forgotten");

export const erase: Action = (store, kill) => {
  const live = chosen(store, 12);
  const forgotten = store.random.sample(store.model.surely("forgotten"), 3);
  const erased = (ids: string[]) => ["forget", "--erase", ...ids];
  return moveAll(store, kill, "erase", erased, [...live, ...forgotten], "gone");
};

export const restore: Action = (store, kill) => {
  const some = store.random.sample(store.model.surely("forgotten"), 10);
  return moveAll(store, kill, "restore", (ids) => ["restore", ...ids], some, "live");
};

export const update: Action = async (store, kill) => {
  const [slot] = chosen(store, 1);
  if (!slot) return search(store, kill);
  const title = `title ${store.serials.next++}`;
  const result = await run(store, "update", ["update", slot.id!, "--title", title], kill);
  if (result.killed) slot.title.add(title);
  else slot.title = new Set([title]);
  return { name: "update", killed: result.killed };
};

export const compact: Action = async (store, kill) => {
  const result = await run(store, "compact", ["compact"], kill);
  store.model.compacted(!result.killed);
  return { name: "compact", killed: result.killed };
};

export const fade: Action = async (store, kill) => {
  // Without a rule there is nothing to apply.
  const isSet = store.steps.some((step) => step.startsWith("retention set"));
  if (!isSet || store.random.chance(0.5)) {
    const rule = ["retention", "set", "--older-than", String(store.random.within(1, 4_000))];
    await run(store, "retention set", [...rule, "--to", "summary", "--on"], false);
  }
  const result = await run(store, "retention apply", ["retention", "apply"], kill);
  // Whether a summary passes the gate is not the store's to promise.
  for (const { keep } of store.model.slots) if (keep.has("exact")) keep.add("summary");
  return { name: "retention apply", killed: result.killed };
};

export const unfade: Action = async (store, kill) => {
  const result = await run(store, "retention undo", ["retention", "undo"], kill);
  store.model.undone(!result.killed);
  return { name: "retention undo", killed: result.killed };
};

export const buildEpisodes: Action = async (store, kill) => {
  await run(store, "embed", ["embed"], false);
  const result = await run(store, "episodes build", ["episodes", "build"], kill);
  return { name: "episodes build", killed: result.killed };
};

interface Hits {
  hits: { memory: { id: string }; snippet: string }[];
}

/** Checks what was found against what must and must not be. */
export function checkHits({ hits }: Hits, slot: Slot, isLive: boolean): void {
  const ids = hits.map(({ memory }) => memory.id);
  if (isLive && slot.keep.size === 1 && slot.keep.has("exact"))
    assert(ids[0] === slot.id, () => `NOT FOUND: ${slot.source} by its word ${slot.word}`);
  if (isLive) return;
  const tells = hits.some(({ snippet }) => snippet.includes(slot.word));
  assert(!ids.includes(slot.id!) && !tells, () => `FOUND: ${slot.source}, which is deleted`);
}

export const search: Action = async (store, kill) => {
  const { model, random } = store;
  const isLive = random.chance(0.5);
  const from = isLive
    ? model.surely("live")
    : [...model.surely("gone"), ...model.surely("forgotten")];
  const [slot] = random.sample(from, 1);
  const query = slot?.word ?? "the public revenue";
  const result = await run(store, "search", ["search", "--query", query, "--json"], kill);
  if (!result.killed && slot) checkHits(JSON.parse(result.stdout) as Hits, slot, isLive);
  return { name: "search", killed: result.killed };
};

export const sql: Action = async (store, kill) => {
  const query = "SELECT count(*) AS n FROM memories WHERE episode_id IS DISTINCT FROM memory_id";
  const result = await run(store, "sql", ["sql", query, "--json"], kill);
  if (!result.killed) {
    const { rows } = JSON.parse(result.stdout) as { rows: { n: number }[] };
    const sure = store.model.surely("live").length;
    const most = store.model.count("live");
    const { n } = rows[0]!;
    if (n < sure || n > most)
      throw new Violation(`COUNT: sql counts ${n} memories, not ${sure} to ${most}`);
  }
  return { name: "sql", killed: result.killed };
};
