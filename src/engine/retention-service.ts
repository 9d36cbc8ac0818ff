/**
 * Retention behind the engine: what the policy would move, moving it, taking it back.
 *
 * A memory moves only to a level that something checked speaks for: to `summary` with a summary that
 * passed the gate (written now where there is none), to `gist` with an up-to-date episode. Every
 * batch is one journal frame; until `compact` carries the moves out they can be taken back.
 */

import type { Retention } from "../engine.ts";
import { AppError, isAbortError } from "../errors.ts";
import type {
  RetentionMove,
  RetentionPolicy,
  RetentionPreview,
  RetentionReport,
} from "../model/episode.ts";
import { contentKind, keepsLess, META, type ContentKind } from "../model/memory.ts";
import { checkpoint, type TaskOptions } from "../model/task-control.ts";
import type { CompressionResult } from "../processing/compression/compressor.ts";
import type { CatalogEntry, MemoryEdit } from "../storage/memory-store.ts";
import { packedTextBytes } from "../storage/text-size.ts";
import { isStale } from "./episode-rows.ts";
import { validate } from "./input-schemas.ts";
import type { EngineParts } from "./local-engine.ts";
import { QUOTES, areKept, quotedSources } from "./quoted-sources.ts";
import { NO_POLICY, decidingRule, retentionPolicySchema } from "./retention-policy.ts";

const SETTINGS = "retention";
const MAX_LISTED = 1_000;
/** Memories that are compressed together and moved in one frame. */
const BATCH = 32;
const PAGE = 512;

const NO_EPISODE = "It belongs to no episode whose gist could speak for it";
const STALE_EPISODE = "Its episode changed since the gist was written: build episodes again";

interface Due {
  entry: CatalogEntry;
  rule: number;
  to: "summary" | "gist";
}

/** A summary, or why there is none. */
type Written = Pick<CompressionResult, "keep" | "keepReason"> &
  Partial<CompressionResult> & {
    /** Memories that keep what it quotes. */
    quotes: string[] | null;
  };

class Held {
  readonly #counts = new Map<string, number>();

  add(reason: string): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }

  list(): { reason: string; count: number }[] {
    return Array.from(this.#counts, ([reason, count]) => ({ reason, count })).sort(
      (a, b) => b.count - a.count,
    );
  }
}

export class RetentionService implements Retention {
  readonly #parts: EngineParts;
  /** Why no summary of a memory passed, as found since the store was opened. */
  readonly #refused = new Map<string, string>();

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  policy: Retention["policy"] = () =>
    this.#parts.settings.read(SETTINGS, retentionPolicySchema, NO_POLICY);

  setPolicy: Retention["setPolicy"] = async (policy) => {
    const checked = validate(retentionPolicySchema, policy, "The retention policy");
    await this.#parts.settings.write(SETTINGS, checked);
    return this.policy();
  };

  /** Memories that a rule wants lower than they are, by time; what can't move goes to `held`. */
  #due(policy: RetentionPolicy, held: Held): Due[] {
    const { catalog } = this.#parts.store;
    const nowMs = this.#parts.clock.now();
    const due: Due[] = [];
    for (const entry of catalog.entries()) {
      const rule = decidingRule(policy.rules, entry, nowMs);
      if (rule < 0) continue;
      const to = policy.rules[rule]!.moveTo;
      if (!keepsLess(to, entry.keep)) continue;
      const reason = to === "gist" ? this.#whyNoGist(entry) : (this.#refused.get(entry.id) ?? null);
      if (reason === null) due.push({ entry, rule, to });
      else held.add(reason);
    }
    return due.sort(
      (a, b) => a.entry.timestamp - b.entry.timestamp || a.entry.ordinal - b.entry.ordinal,
    );
  }

  #whyNoGist(entry: CatalogEntry): string | null {
    const row =
      entry.episodeId === null ? undefined : this.#parts.store.catalog.byId(entry.episodeId);
    if (!row) return NO_EPISODE;
    return isStale(row) ? STALE_EPISODE : null;
  }

  preview: Retention["preview"] = async (given) => {
    const policy = given
      ? validate(retentionPolicySchema, given, "The retention policy")
      : await this.policy();
    const held = new Held();
    const due = this.#due(policy, held);
    const after = await this.#bytesAfter(due);
    const moves = due.map(({ entry, rule, to }, i): RetentionMove => ({
      id: entry.id,
      title: entry.metadata[META.title] ?? entry.metadata[META.source] ?? entry.id,
      from: entry.keep,
      to,
      rule,
      beforeBytes: entry.storedBytes,
      afterBytes: after[i]!,
    }));
    return {
      moves: moves.slice(0, MAX_LISTED),
      totalCount: moves.length,
      ...totals(moves),
      held: held.list(),
      undoableCount: this.#parts.store.fading().length,
    } satisfies RetentionPreview;
  };

  /** What the present summaries take, compressed together as a segment would; nothing at `gist`. */
  async #bytesAfter(due: readonly Due[]): Promise<number[]> {
    const { store } = this.#parts;
    const after: number[] = due.map(() => 0);
    const summarised = [...due.keys()].filter((i) => due[i]!.to === "summary");
    for (let from = 0; from < summarised.length; from += PAGE) {
      const page = summarised.slice(from, from + PAGE);
      const texts = await store.getSummaries(page.map((i) => due[i]!.entry.ordinal));
      const sizes = await packedTextBytes(texts);
      page.forEach((i, n) => (after[i] = Math.min(due[i]!.entry.storedBytes, sizes[n]!)));
    }
    return after;
  }

  apply: Retention["apply"] = async (options = {}) => {
    const policy = await this.policy();
    if (!policy.enabled)
      throw new AppError("invalid_input", "Retention is off; nothing moves.", {
        hint: "Look at the preview, then set the policy with `enabled`.",
      });
    const held = new Held();
    const due = this.#due(policy, held);
    const report: RetentionReport = {
      moved: 0,
      undoable: false,
      beforeBytes: 0,
      afterBytes: 0,
      held: [],
    };
    for (let from = 0; from < due.length; from += BATCH) {
      options.onProgress?.({ stage: "Moving", done: from, total: due.length });
      await checkpoint(options);
      await this.#move(due.slice(from, from + BATCH), options, report, held);
    }
    options.onProgress?.({ stage: "Moving", done: due.length, total: due.length });
    report.held = held.list();
    report.undoable = this.#parts.store.fading().length > 0;
    return report;
  };

  async #move(
    batch: readonly Due[],
    options: TaskOptions,
    report: RetentionReport,
    held: Held,
  ): Promise<void> {
    const { store, writes } = this.#parts;
    const summaries = await this.#summarise(
      batch.filter(({ entry, to }) => to === "summary" && entry.keep === "exact"),
      options,
    );
    await writes.run(async () => {
      const edits: MemoryEdit[] = [];
      const moved: Due[] = [];
      for (const one of batch) {
        const { entry, to } = one;
        // Forgotten, or moved by someone else, while summaries were written.
        if (store.catalog.byId(entry.id) === undefined || !keepsLess(to, entry.keep)) continue;
        const reason = to === "gist" ? this.#whyNoGist(entry) : null;
        if (reason !== null) {
          held.add(reason);
          continue;
        }
        const result = summaries.get(entry.id);
        if (to === "summary" && result?.keep !== "summary") {
          const why = result?.keepReason ?? "Its text could not be read";
          this.#refused.set(entry.id, why);
          held.add(why);
          continue;
        }
        // One of them may have been forgotten, or have faded, while the summary was written.
        if (result?.quotes && !areKept(store, result.quotes)) continue;
        edits.push({ id: entry.id, keep: to, ...(result ? summaryEdit(result) : {}) });
        moved.push(one);
      }
      const before = moved.map(({ entry }) => entry.storedBytes);
      await store.commit({ edits });
      const after = await this.#bytesAfter(moved);
      report.moved += moved.length;
      report.beforeBytes += before.reduce((sum, bytes) => sum + bytes, 0);
      report.afterBytes += after.reduce((sum, bytes) => sum + bytes, 0);
    });
  }

  /** Gate-passed summaries by id; what failed says why in `keepReason`. */
  async #summarise(due: readonly Due[], options: TaskOptions): Promise<Map<string, Written>> {
    const found = new Map<string, Written>();
    if (due.length === 0) return found;
    const { store, models } = this.#parts;
    const { compressor } = await models.compressor(true);
    const contents = await store.getContents(due.map(({ entry }) => entry.ordinal));
    const items: { id: string; text: string; kind?: ContentKind; quotes: string[] | null }[] = [];
    for (const [i, { entry }] of due.entries()) {
      const text = contents[i];
      const kind = contentKind(entry.metadata[META.kind]);
      if (text == null) continue;
      const quotes = await quotedSources(store, entry, text);
      items.push({ id: entry.id, text, quotes, ...(kind ? { kind } : {}) });
    }
    const { onProgress: _own, ...control } = options;
    const results = await compressor.compressAll(
      items.map((item) => ({ ...item, quotesKept: item.quotes !== null })),
      { ...control, keep: "summary" },
    );
    results.forEach((result, i) => {
      if (isAbortError(result)) throw result;
      const { id, quotes } = items[i]!;
      found.set(
        id,
        result instanceof Error
          ? { keep: "exact", keepReason: result.message, quotes: null }
          : { ...result, quotes },
      );
    });
    return found;
  }

  undo: Retention["undo"] = () =>
    this.#parts.writes.run(async () => (await this.#parts.store.lift()).length);

  /** A summary was written anew, perhaps by another model: it may pass now. */
  forgetRefusals(): void {
    this.#refused.clear();
  }
}

function summaryEdit(result: Written): Pick<MemoryEdit, "text" | "quality" | "metadata"> {
  const { summary, entities, quality, mode, model } = result as Written & CompressionResult;
  return {
    quality,
    text: { summary, entities, mode, model },
    ...(result.quotes ? { metadata: { [QUOTES]: result.quotes.join("\n") } } : {}),
  };
}

function totals(moves: readonly RetentionMove[]): { beforeBytes: number; afterBytes: number } {
  return {
    beforeBytes: moves.reduce((sum, move) => sum + move.beforeBytes, 0),
    afterBytes: moves.reduce((sum, move) => sum + move.afterBytes, 0),
  };
}
