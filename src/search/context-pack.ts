/**
 * Recalled text within a token budget: chooses, hit by hit, whether to hand out the original, the
 * sentences around the query's words, the summary or the episode's gist, so that what is likely to
 * hold the answer gets in as often as possible; then writes it in the order of time.
 *
 * The choice is greedy by expected evidence per token. Figures: docs/decisions/0012-episodes.md.
 */

import type { ContextPack, ContextPart } from "../model/episode.ts";
import { isEpisode, META, type KeepLevel } from "../model/memory.ts";
import { shownDay } from "../model/wall-clock.ts";
import type { CatalogEntry, MemoryStore } from "../storage/memory-store.ts";
import type { RankedHit } from "./hits.ts";
import { choosePassage } from "./passage.ts";
import type { QueryPlan } from "./query-plan.ts";

/** Ranked memories that a context chooses from. */
export const PACK_DEPTH = 200;

export interface PackOptions {
  budgetTokens: number;
  countTokens?: (text: string) => number;
  /** For measuring what a choice adds. */
  tuning?: Partial<PackTuning>;
}

export interface PackTuning {
  /** A part costs its tokens to this power: 0 takes the best hits, 1 the shortest good ones. */
  thrift: number;
}

/** On a plateau that is the same in each conversation left out. */
export const PACK_TUNING: PackTuning = { thrift: 0.2 };

/** Evidence expected in a shorter form of a hit, beside 1 in its original. */
const FORM_VALUE = { passage: 0.8, summary: 0.5, gist: 0.3 } as const;
/** Originals of more tokens than this share of the budget are handed out in part. */
const LARGEST_SHARE = 0.25;
/** Tokens of a passage out of a long text. */
const PASSAGE_TOKENS = 120;

interface Option {
  hit: number;
  entry: CatalogEntry;
  level: KeepLevel;
  text: string;
  tokens: number;
  value: number;
  /** Tokens of all that it stands for. */
  originalTokens: number;
}

const estimateTokens = (text: string): number => Math.ceil(text.length / 4);

/** Packs hits, best first. Never cuts inside a sentence; never exceeds the budget. */
export async function packContext(
  store: MemoryStore,
  plan: QueryPlan,
  ranked: readonly RankedHit[],
  options: PackOptions,
): Promise<ContextPack> {
  const count = options.countTokens ?? estimateTokens;
  const tuning = { ...PACK_TUNING, ...options.tuning };
  const { budgetTokens } = options;
  const hits = ranked.slice(0, PACK_DEPTH);
  const choices = await optionsOf(store, plan, hits, { budgetTokens, count });
  const chosen = choose(choices, budgetTokens, count, tuning);
  let pack = render(chosen, budgetTokens, count);
  // Counted piece by piece a text may seem shorter than in one: then the least gives way.
  while (pack.tokens > budgetTokens && chosen.length > 0) {
    let worst = 0;
    chosen.forEach((option, i) => {
      if (option.value < chosen[worst]!.value) worst = i;
    });
    chosen.splice(worst, 1);
    pack = render(chosen, budgetTokens, count);
  }
  return pack;
}

async function optionsOf(
  store: MemoryStore,
  plan: QueryPlan,
  hits: readonly RankedHit[],
  { budgetTokens, count }: { budgetTokens: number; count: (text: string) => number },
): Promise<Option[]> {
  const { catalog } = store;
  const entries = hits.map(({ ordinal }) => catalog.byOrdinal(ordinal));
  const ordinals = entries.flatMap((entry) => (entry ? [entry.ordinal] : []));
  const [contents, summaries] = await Promise.all([
    store.getContents(ordinals),
    store.getSummaries(ordinals),
  ]);
  const textOf = new Map(
    ordinals.map((ordinal, i) => [
      ordinal,
      { content: contents[i] ?? null, summary: summaries[i]!.summary },
    ]),
  );
  const gists = await episodeGists(store, entries);
  const best = hits[0]?.score.total ?? 0;
  const options: Option[] = [];
  entries.forEach((entry, hit) => {
    if (!entry || best <= 0) return;
    const expected = hits[hit]!.score.total / best;
    const { content, summary } = textOf.get(entry.ordinal)!;
    const add = (
      form: keyof typeof FORM_VALUE | "original",
      text: string,
      of: CatalogEntry = entry,
      originalTokens?: number,
    ): void => {
      const trimmed = text.trim();
      if (trimmed === "") return;
      const value = expected * (form === "original" ? 1 : FORM_VALUE[form]);
      const tokens = count(trimmed);
      const level = form === "summary" || form === "gist" ? form : "exact";
      options.push({
        hit,
        entry: of,
        level,
        text: trimmed,
        tokens,
        value,
        originalTokens:
          originalTokens ?? (content === null ? of.originalBytes / 4 : count(content)),
      });
    };
    const isLong = content !== null && count(content) > budgetTokens * LARGEST_SHARE;
    if (content !== null && !isLong) add("original", content);
    if (content !== null && count(content) > 1.5 * PASSAGE_TOKENS) {
      const passage = choosePassage(content, plan.words, PASSAGE_TOKENS, count);
      if (passage !== null) add("passage", passage);
    }
    if (isEpisode(entry)) add("gist", summary);
    else if (summary !== "" && summary !== content) add("summary", summary);
    const row = entry.episodeId === null ? undefined : catalog.byId(entry.episodeId);
    const gist = row && gists.get(row.ordinal);
    if (row && gist && row !== entry) add("gist", gist.text, row, gist.originalTokens);
  });
  return options;
}

/** Gists of the episodes that hits belong to, and the tokens of their members' originals. */
async function episodeGists(
  store: MemoryStore,
  entries: readonly (CatalogEntry | undefined)[],
): Promise<Map<number, { text: string; originalTokens: number }>> {
  const { catalog } = store;
  const rows = new Set<CatalogEntry>();
  for (const entry of entries) {
    const row = entry?.episodeId ? catalog.byId(entry.episodeId) : undefined;
    if (row && isEpisode(row)) rows.add(row);
  }
  const list = [...rows];
  const texts = await store.getSummaries(list.map(({ ordinal }) => ordinal));
  return new Map(
    list.map((row, i) => {
      const bytes = catalog.membersOf(row.id).reduce((sum, one) => sum + one.originalBytes, 0);
      return [row.ordinal, { text: texts[i]!.summary, originalTokens: bytes / 4 }];
    }),
  );
}

function choose(
  options: readonly Option[],
  budgetTokens: number,
  count: (text: string) => number,
  { thrift }: PackTuning,
): Option[] {
  const taken = new Map<number, Option>();
  const days = new Set<string>();
  const gistsTaken = new Set<CatalogEntry>();
  let used = 0;
  const costOf = (option: Option): number => {
    const day = shownDay(option.entry.timestamp);
    return option.tokens + count(labelOf(option, 99)) + (days.has(day) ? 0 : count(`${day}\n`));
  };
  const order = options
    .map((option) => ({ option, worth: option.value / costOf(option) ** thrift }))
    .sort((a, b) => b.worth - a.worth || a.option.hit - b.option.hit);
  for (const { option } of order) {
    if (taken.has(option.hit)) continue;
    if (option.level === "gist" && gistsTaken.has(option.entry)) continue;
    const cost = costOf(option);
    if (used + cost > budgetTokens) continue;
    taken.set(option.hit, option);
    if (option.level === "gist") gistsTaken.add(option.entry);
    days.add(shownDay(option.entry.timestamp));
    used += cost;
  }
  return [...taken.values()];
}

/** "[3] Ann: " before a text, "[4] (gist) " before one that stands for several. */
function labelOf({ entry, level }: Option, mark: number): string {
  if (level === "gist") return `[${mark}] (gist of ${entry.metadata[META.title] ?? "an episode"}) `;
  const speaker = entry.metadata[META.speaker] ?? entry.metadata[META.title];
  const form = level === "summary" ? "(summary) " : "";
  return `[${mark}] ${form}${speaker ? `${speaker}: ` : ""}`;
}

function render(
  chosen: readonly Option[],
  budgetTokens: number,
  count: (text: string) => number,
): ContextPack {
  const ordered = [...chosen].sort(
    (a, b) => a.entry.timestamp - b.entry.timestamp || a.entry.ordinal - b.entry.ordinal,
  );
  const lines: string[] = [];
  const parts: ContextPart[] = [];
  let day = "";
  ordered.forEach((option, i) => {
    const { entry, level, text, tokens } = option;
    const own = shownDay(entry.timestamp);
    if (own !== day) lines.push((day = own));
    lines.push(`${labelOf(option, i + 1)}${text}`);
    parts.push({ id: entry.id, level, timestamp: entry.timestamp, tokens, text });
  });
  const text = lines.join("\n");
  const tokens = text === "" ? 0 : count(text);
  const original = chosen.reduce((sum, { originalTokens }) => sum + originalTokens, 0);
  return {
    text,
    tokens,
    budgetTokens,
    parts,
    contextRatio: tokens === 0 ? 1 : original / tokens,
  };
}
