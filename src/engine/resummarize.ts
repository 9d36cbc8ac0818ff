/**
 * Writes the summaries of stored memories again, for example after a language model was installed.
 * A summary is replaced only by one that is judged at least as good against the original; the
 * original itself stays, unless the caller asks for keep level `summary` and the gate lets it go.
 */

import type { Engine, Receipt, RememberOptions } from "../engine.ts";
import { AppError, isAbortError, toWireError } from "../errors.ts";
import { contentKind, META, type QualityVector } from "../model/memory.ts";
import { checkpoint } from "../model/task-control.ts";
import type { CompressionResult } from "../processing/compression/compressor.ts";
import type { CatalogEntry, MemoryEdit } from "../storage/memory-store.ts";
import { forgetTargetSchema, validate } from "./input-schemas.ts";
import type { EngineParts } from "./local-engine.ts";

/** Summaries that are written together and stored in one frame. */
const BATCH = 16;

type Outcome = CompressionResult | Error | null;

/** One receipt per memory, in the order asked (by filter: oldest first). */
export async function resummarize(
  parts: EngineParts,
  target: Parameters<Engine["resummarize"]>[0],
  options: RememberOptions,
): Promise<Receipt[]> {
  validate(forgetTargetSchema, target, "The target");
  const ids = targetIds(parts, target);
  const receipts: Receipt[] = [];
  for (let from = 0; from < ids.length; from += BATCH) {
    options.onProgress?.({ stage: "Summarising", done: from, total: ids.length });
    await checkpoint(options);
    const batch = ids.slice(from, from + BATCH);
    const written = await rewriteBatch(parts, batch, from, options);
    for (const receipt of written) options.onReceipt?.(receipt);
    receipts.push(...written);
  }
  options.onProgress?.({ stage: "Summarising", done: ids.length, total: ids.length });
  return receipts;
}

function targetIds(
  { store, search }: EngineParts,
  target: Parameters<Engine["resummarize"]>[0],
): string[] {
  if ("ids" in target) return [...new Set(target.ids)];
  const passing = search.filters.compile(target.filter);
  return [...store.catalog.entries()]
    .filter((entry) => passing === null || passing.has(entry.ordinal))
    .sort((a, b) => a.timestamp - b.timestamp || a.ordinal - b.ordinal)
    .map(({ id }) => id);
}

async function rewriteBatch(
  parts: EngineParts,
  ids: readonly string[],
  firstIndex: number,
  options: RememberOptions,
): Promise<Receipt[]> {
  const { store, writes } = parts;
  const outcomes = await summarise(parts, ids, options);
  return writes.run(async () => {
    const edits: MemoryEdit[] = [];
    const receipts = ids.map((id, i): Receipt => {
      const entry = store.catalog.byId(id);
      const outcome = outcomes.get(id) ?? null;
      if (!entry || outcome === null || outcome instanceof Error)
        return failed(firstIndex + i, entry, outcome ?? missing(id, entry));
      const moves = options.keep === "summary" && outcome.keep === "summary";
      const taken = moves || isBetter(outcome.quality, entry.quality, entry.model, outcome.model);
      if (taken) edits.push(editOf(entry, outcome, moves));
      return {
        ...receiptBase(firstIndex + i, entry),
        status: "stored",
        keep: moves ? "summary" : entry.keep,
        ...(options.keep === "summary" && outcome.keepReason !== undefined
          ? { keepReason: outcome.keepReason }
          : {}),
        quality: taken ? outcome.quality : entry.quality,
        model: taken ? outcome.model : entry.model,
        ...reasonOf(outcome, taken),
      };
    });
    await store.commit({ edits });
    return receipts.map((receipt) => ({
      ...receipt,
      storedBytes: store.catalog.byId(receipt.id ?? "")?.storedBytes ?? 0,
    }));
  });
}

function reasonOf(outcome: CompressionResult, taken: boolean): { modelReason?: string } {
  const reason = taken ? outcome.modelReason : "The summary that was there is at least as good";
  return reason === undefined ? {} : { modelReason: reason };
}

/** By id; no entry where the original is gone. A failure of the model ends the call; of one text, its receipt. */
async function summarise(
  { store, models }: EngineParts,
  ids: readonly string[],
  options: RememberOptions,
): Promise<Map<string, Outcome>> {
  const entries = ids.flatMap((id) => store.catalog.byId(id) ?? []);
  const contents = await store.getContents(entries.map(({ ordinal }) => ordinal));
  const items = entries.flatMap((entry, i) => {
    const kind = contentKind(entry.metadata[META.kind]);
    return contents[i] == null
      ? []
      : [{ id: entry.id, text: contents[i], ...(kind ? { kind } : {}) }];
  });
  if (items.length === 0) return new Map();
  const { compressor } = await models.compressor(options.embed ?? true);
  const { onProgress: _own, onReceipt: _receipt, embed: _embed, ...settings } = options;
  const results = await compressor.compressAll(items, settings);
  const outcomes = new Map<string, Outcome>();
  results.forEach((result, i) => {
    if (isAbortError(result)) throw result;
    outcomes.set(items[i]!.id, result);
  });
  return outcomes;
}

function editOf(entry: CatalogEntry, result: CompressionResult, moves: boolean): MemoryEdit {
  const { summary, entities, mode, model, quality } = result;
  return {
    id: entry.id,
    quality,
    text: { summary, entities, mode, model },
    ...(moves && entry.keep === "exact" ? { keep: "summary" } : {}),
  };
}

/** Nothing unsupported, and no less of the original than before; another writer's may be as good. */
function isBetter(
  fresh: QualityVector,
  old: QualityVector,
  oldModel: string,
  model: string,
): boolean {
  if (fresh.faithfulness < 1) return false;
  if (old.faithfulness < 1) return true;
  const total = (quality: QualityVector): number =>
    (quality.similarity ?? 0) +
    (quality.coverage ?? 0) +
    quality.entityRecall +
    quality.numberRecall;
  return oldModel === model ? total(fresh) > total(old) : total(fresh) >= total(old);
}

function receiptBase(
  index: number,
  entry: CatalogEntry,
): Pick<Receipt, "index" | "id" | "originalBytes" | "storedBytes"> {
  return {
    index,
    id: entry.id,
    ...(entry.metadata[META.source] === undefined ? {} : { source: entry.metadata[META.source] }),
    originalBytes: entry.originalBytes,
    storedBytes: entry.storedBytes,
  };
}

function missing(id: string, entry: CatalogEntry | undefined): AppError {
  if (!entry)
    return new AppError("not_found", `There is no memory ${id}.`, {
      hint: "It may have been forgotten; list the store to see what is there.",
    });
  return new AppError("invalid_input", `The original of memory ${id} isn't kept any more.`, {
    hint: "A summary can be judged against its original only; the one that is there stays.",
  });
}

function failed(index: number, entry: CatalogEntry | undefined, error: unknown): Receipt {
  return {
    ...(entry ? receiptBase(index, entry) : { index, originalBytes: 0, storedBytes: 0 }),
    id: null,
    status: "failed",
    error: toWireError(error),
  };
}
