/**
 * `runKills({kills, seed})` for Playwright: an engine's worker that is terminated again and again
 * while it writes, searches, compacts and erases, held against a model of what was acknowledged.
 * Runs in the page, as an application does; each worker that the engine starts is caught here.
 */

import { Model, Violation, assert, type Slot } from "../../bench/soak/model.ts";
import { Random } from "../../bench/soak/random.ts";
import { AppError } from "../../src/errors.ts";
import { META } from "../../src/model/memory.ts";
import { openEngine, type BrowserEngine } from "../../src/platform/browser/open.ts";
import { SENTENCES } from "./kill-passages.ts";

export interface KillReport {
  kills: number;
  acknowledged: number;
  memoriesChecked: number;
  deletedChecked: number;
  violation: string | null;
}

declare global {
  interface Window {
    runKills(options: { kills: number; seed: number }): Promise<KillReport>;
    /** Opens an engine for as long as the page lives; resolves with the tab's role. */
    openStore(name: string): Promise<"leader" | "follower">;
  }
}

const engineWorkers: Worker[] = [];
const RealWorker = window.Worker;
window.Worker = class extends RealWorker {
  constructor(url: string | URL, options?: WorkerOptions) {
    super(url, options);
    if (options?.name === "engine") engineWorkers.push(this);
  }
};

/** Longest that a worker may work before it is killed, ms. */
const MAX_LIFE_MS = 1_500;
const HANGS_MS = 120_000;
const CLIENTS = 3;
const MOST_MEMORIES = 400;

interface Run {
  engine: BrowserEngine;
  model: Model;
  random: Random;
  serial: number;
  steps: string[];
}

/** None may wait for ever. */
async function soon<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const forever = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Violation("HANGS: a call has no answer")), HANGS_MS);
  });
  try {
    return await Promise.race([work, forever]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the call was answered; a worker that ended takes its calls with it. */
async function answered(call: Promise<unknown>): Promise<boolean> {
  try {
    await soon(call);
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === "worker_lost") return false;
    throw error;
  }
}

async function remember({ engine, model, random, ...run }: Run, serials: () => number) {
  const slots = Array.from({ length: random.within(1, 40) }, () => {
    const serial = serials();
    const word = `qz${serial}x`;
    const source = `note-${serial}`;
    const text = `${SENTENCES[serial % SENTENCES.length]!} Filed as ${word}.`;
    const timestamp = Date.UTC(2015, 0, 1) + serial * 3_600_000;
    return model.add({ serial, word, source, text, timestamp, hasVector: false }, null);
  });
  for (const slot of slots) model.busy.add(slot);
  const items = slots.map(({ text, timestamp, source }) => ({
    text,
    timestamp,
    metadata: { [META.source]: source },
  }));
  // A receipt is an acknowledgement of its own, also when the call ends half-way.
  const onReceipt = ({ index, id }: { index: number; id: string | null }): void => {
    const slot = slots[index]!;
    assert(id !== null, () => `REFUSED: ${slot.source}`);
    slot.id = id;
    slot.presence = new Set(["live"]);
  };
  await answered(engine.remember(items, { onReceipt, embed: false }));
  run.steps.push(`remember ${slots.length}`);
  for (const slot of slots) model.busy.delete(slot);
}

async function change(
  run: Run,
  name: string,
  slots: Slot[],
  after: "live" | "forgotten" | "gone",
  call: (ids: string[]) => Promise<unknown>,
): Promise<void> {
  if (slots.length === 0) return;
  for (const slot of slots) run.model.busy.add(slot);
  const before = slots.map(({ presence }) => new Set(presence));
  for (const slot of slots) slot.presence.add(after);
  const done = await answered(call(slots.map(({ id }) => id!)));
  run.steps.push(`${name} ${slots.length}${done ? "" : " (cut off)"}`);
  if (done) for (const slot of slots) slot.presence = new Set([after]);
  else {
    slots.forEach((slot, i) => (slot.presence = before[i]!));
    run.model.maybe(name, slots, after);
  }
  for (const slot of slots) run.model.busy.delete(slot);
}

async function act(run: Run, serials: () => number): Promise<void> {
  const { engine, model, random } = run;
  const live = model.surely("live");
  const crowded = live.length > MOST_MEMORIES;
  const dice = random.next();
  if (live.length < 10 || (dice < 0.3 && !crowded)) return remember(run, serials);
  const some = (most: number) => random.sample(live, random.within(1, most));
  if (dice < 0.42)
    return change(run, "forget", some(8), "forgotten", (ids) => engine.forget({ ids }));
  if (dice < 0.52 || crowded)
    return change(run, "erase", some(crowded ? 60 : 6), "gone", (ids) =>
      engine.forget({ ids }, { erase: true }),
    );
  if (dice < 0.6) {
    const forgotten = random.sample(model.surely("forgotten"), 5);
    return change(run, "restore", forgotten, "live", (ids) => engine.restore(ids));
  }
  if (dice < 0.72) {
    const [slot] = some(1);
    model.busy.add(slot!);
    const title = `title ${serials()}`;
    slot!.title.add(title);
    const done = await answered(engine.update(slot!.id!, { metadata: { [META.title]: title } }));
    if (done) slot!.title = new Set([title]);
    model.busy.delete(slot!);
    return;
  }
  const isLive = random.chance(0.5);
  const [slot] = random.sample(model.surely(isLive ? "live" : "gone"), 1);
  if (!slot) return;
  model.busy.add(slot);
  await checkFound(run, slot, isLive);
  model.busy.delete(slot);
}

async function checkFound({ engine }: Run, slot: Slot, isLive: boolean): Promise<void> {
  let ids: string[] = [];
  const asked = await answered(
    engine.recall({ query: slot.word }).then(({ hits }) => {
      ids = hits.map(({ memory }) => memory.id);
    }),
  );
  if (!asked) return;
  if (isLive) assert(ids[0] === slot.id, () => `NOT FOUND: ${slot.source} by its word`);
  else assert(!ids.includes(slot.id!), () => `FOUND: ${slot.source}, which is deleted`);
}

/** Compaction stands alone: what it drops depends on what the calls beside it did before or after. */
async function compact({ engine, model, steps }: Run): Promise<void> {
  const done = await answered(engine.compact());
  steps.push(`compact${done ? "" : " (cut off)"}`);
  model.compacted(done);
}

async function verify(run: Run, report: KillReport): Promise<void> {
  const { engine, model, random } = run;
  const seen = new Map<string, { id: string; title: string | null }>();
  const { items, totalCount } = await engine.browse({ limit: 1_000 });
  assert(items.length === totalCount, () => `LISTED: ${items.length} of ${totalCount}`);
  for (const { id, metadata } of items) {
    const source = metadata[META.source] ?? "";
    assert(!seen.has(source), () => `TWICE: ${source}`);
    assert(model.bySource.has(source), () => `UNKNOWN: ${source}`);
    seen.set(source, { id, title: metadata[META.title] ?? null });
  }
  model.observe(({ source, presence }) => {
    const found = seen.get(source);
    const state = { id: found?.id ?? null, title: found?.title ?? null };
    // Whether what isn't shown could be restored, no list tells.
    const hidden = presence.has("forgotten") ? "hidden" : "none";
    return { presence: found ? "live" : hidden, keep: "exact", detail: "exact", ...state };
  });
  const live = model.surely("live");
  for (const slot of live) {
    const { text } = await engine.read(slot.id!);
    assert(text === slot.text, () => `CHANGED: ${slot.source} is ${text}`);
  }
  const deleted = [...model.surely("gone"), ...model.surely("forgotten")];
  for (const slot of random.sample(live, 8)) await checkFound(run, slot, true);
  for (const slot of random.sample(deleted, 12)) await checkFound(run, slot, false);
  const status = await engine.status();
  const harm = status.store.recovered.filter((line) => /damaged|are lost|is lost/.test(line));
  assert(harm.length === 0, () => `DAMAGED: ${harm.join(" ")}`);
  report.memoriesChecked += live.length;
  report.deletedChecked += deleted.length;
}

/** What the engine answers, comparable between two of its lives. */
async function answers({ engine, model }: Run): Promise<string[]> {
  const queries = ["freedom", "armaments aggression", "peaceful revolution of free men"];
  const some = model.surely("live").slice(0, 10);
  const found: string[] = [];
  for (const query of [...queries, ...some.map(({ word }) => word)]) {
    const { hits } = await engine.recall({ query, topK: 30 });
    found.push(hits.map(({ memory, score }) => `${memory.id}:${score.lexical.toFixed(4)}`).join());
  }
  const { entities, sources } = await engine.facets();
  return [...found, JSON.stringify([entities, sources])];
}

/** Removes the derived files: the engine that opens next has to build its indexes. */
async function removeIndexes(name: string): Promise<void> {
  const find = async (folder: FileSystemDirectoryHandle): Promise<void> => {
    for await (const [entry, handle] of folder.entries()) {
      if (handle.kind !== "directory") continue;
      if (entry === "index") await folder.removeEntry(entry, { recursive: true });
      else await find(handle as FileSystemDirectoryHandle);
    }
  };
  const root = await navigator.storage.getDirectory();
  for await (const [entry, handle] of root.entries())
    if (handle.kind === "directory" && entry.includes(name))
      await find(handle as FileSystemDirectoryHandle);
}

window.openStore = async (name) => {
  const engine = openEngine({ name });
  await engine.status();
  return engine.role();
};

window.runKills = async ({ kills, seed }) => {
  const name = `kills-${seed}`;
  const report: KillReport = {
    kills: 0,
    acknowledged: 0,
    memoriesChecked: 0,
    deletedChecked: 0,
    violation: null,
  };
  const random = new Random(seed);
  const run: Run = {
    engine: openEngine({ name }),
    model: new Model(),
    random,
    serial: 0,
    steps: [],
  };
  const serials = (): number => run.serial++;
  try {
    while (report.kills < kills) {
      // The first one may be killed while it starts, the others work already.
      if (report.kills > 0) await answered(run.engine.status());
      let dead = false;
      const lifeMs = random.next() * MAX_LIFE_MS;
      setTimeout(() => {
        dead = true;
        engineWorkers.at(-1)?.terminate();
      }, lifeMs);
      if (random.chance(0.25)) await compact(run);
      const client = async (): Promise<void> => {
        while (!dead) await act(run, serials);
      };
      await Promise.all(Array.from({ length: CLIENTS }, client));
      report.kills++;
      run.steps.push(`killed after ${Math.round(lifeMs)} ms`);
      await soon(verify(run, report));
      console.log(`${report.kills} kills, ${report.memoriesChecked} memories checked`);
    }
    const before = await answers(run);
    await run.engine.close();
    await new Promise((resolve) => setTimeout(resolve, 500));
    await removeIndexes(name);
    run.engine = openEngine({ name });
    const after = await answers(run);
    after.forEach((answer, i) =>
      assert(answer === before[i], () => `INDEX: ${before[i]} was, ${answer} is the fresh one's`),
    );
    await verify(run, report);
  } catch (error) {
    const last = run.steps.slice(-40).join("\n  ");
    report.violation = `seed ${seed}: ${error instanceof Error ? error.message : String(error)}\n  ${last}`;
  }
  report.acknowledged = run.model.slots.filter(({ id }) => id !== null).length;
  await run.engine.close().catch(() => undefined);
  return report;
};
