/**
 * Compresses texts: analyse → embed units → summarise → check → what the engine stores.
 *
 * Many texts are planned together, so that one embedding call sees the units of all of them (the
 * embedder sorts them by length); after it, everything is computed from those unit vectors without
 * further inference. Memory is bounded by the group that is worked on.
 */

import { AppError, isAbortError, toError } from "../../errors.ts";
import type { Comparison, Evaluation } from "../../model/comparison.ts";
import type { CompressedMemory, DecompressResult } from "../../model/compressed-memory.ts";
import type {
  CompressionMode,
  ContentKind,
  Entity,
  KeepLevel,
  QualityVector,
} from "../../model/memory.ts";
import { checkpoint, type TaskOptions } from "../../model/task-control.ts";
import { decodeContainer, encodeContainer } from "./container.ts";
import { EntityExtractor } from "./entities.ts";
import {
  inspectCandidates,
  inspectSummary,
  type InspectionParts,
  type InspectSummaryInput,
} from "./inspection.ts";
import { foreignSpans as defaultForeignSpans } from "./foreign-spans.ts";
import { embedUnits, QualityEvaluator, SourceChecker, type TextVectors } from "./quality.ts";
import { contextRatio, singleTextRatios } from "./ratios.ts";
import { Reconstructor } from "./reconstructor.ts";
import { encodeResidual, encodeText, sha256Hex } from "./residual.ts";
import { pooledVector, pooledWindows, unitVector } from "./similarity.ts";
import { analyzeSource, type ForeignSpans, type SourceAnalysis } from "./source-analysis.ts";
import { SummaryGenerator, type SummaryWriter, type WriterPreferences } from "./summary.ts";
import { summarize } from "./summarize.ts";
import { planUnits, textWindows } from "./units.ts";

export interface CompressSettings extends TaskOptions {
  /** Default "fast". */
  mode?: CompressionMode;
  /** Default "exact". */
  keep?: Extract<KeepLevel, "exact" | "summary">;
  /** "auto", "extractive" or a model's id; default as the writers are set. */
  model?: string;
  /** Longest that a language model may be expected to take for one text. */
  latencyBudgetMs?: number;
  /** Most that one text may be expected to cost. */
  costLimitUsd?: number;
}

export interface CompressItem {
  text: string;
  /** What the text is, where known: of mails and messages, quotes and signatures are told apart. */
  kind?: ContentKind;
  /** Everything it quotes is kept by other memories: its summary needn't stand for that, too. */
  quotesKept?: boolean;
}

/** What the engine stores of one text. */
export interface CompressionResult {
  summary: string;
  entities: Entity[];
  quality: QualityVector;
  /** "extractive", "verbatim", or the model that wrote the summary. */
  model: string;
  mode: CompressionMode;
  keep: Extract<KeepLevel, "exact" | "summary">;
  /** Why "summary" was asked for and "exact" is kept. */
  keepReason?: string;
  /** Why this model wrote the summary, or why no language model did; absent where none was asked. */
  modelReason?: string;
  /** Search vector: length-weighted mean of the unit vectors, unit length. Null without a model or without words. */
  vector: Float32Array | null;
  /** SHA-256 of the UTF-8, lower-case hex. */
  contentSha256: string;
  /** UTF-8 bytes of the text. */
  originalBytes: number;
}

export interface CompressorOptions {
  /** Null: lexical summaries, no vectors, nothing can be kept as a summary only. */
  embedder: TextVectors | null;
  /** Language models that propose summaries; which take part depends on the mode. */
  writers?: readonly SummaryWriter[];
  foreignSpans?: ForeignSpans;
}

/** Texts of one group are in memory together: at most this many, of at most this many characters. */
const GROUP_ITEMS = 32;
const GROUP_CHARS = 256 * 1024;
/** Texts for which language models write at once; the providers' own limits apply below this. */
const PARALLEL_WRITING = 4;

/** Compresses and restores texts. Stateless between calls; safe to call side by side. */
export class LLMCompressor {
  readonly #embedder: TextVectors | null;
  readonly #extractor = new EntityExtractor();
  readonly #generator: SummaryGenerator;
  readonly #reconstructor = new Reconstructor();
  readonly #foreignSpans: ForeignSpans;

  constructor(options: CompressorOptions) {
    this.#embedder = options.embedder;
    this.#generator = new SummaryGenerator(options.writers);
    this.#foreignSpans = options.foreignSpans ?? defaultForeignSpans;
  }

  /** The evaluator that this compressor judges by. */
  get evaluator(): QualityEvaluator {
    return new QualityEvaluator(this.#extractor, this.#foreignSpans, this.#embedder);
  }

  /** One text. `invalid_input` for a lone surrogate, `model_failed` when embedding fails. */
  async compress(
    text: string | CompressItem,
    settings: CompressSettings = {},
  ): Promise<CompressionResult> {
    const [result] = await this.compressAll([text], settings);
    if (result instanceof Error) throw result;
    return result!;
  }

  /**
   * Many texts: one result or error per text, in order. One bad text doesn't stop the others; a
   * failure of the model does, and so does a cancellation (`AbortError`).
   */
  async compressAll(
    items: readonly (string | CompressItem)[],
    settings: CompressSettings = {},
  ): Promise<(CompressionResult | Error)[]> {
    const results: (CompressionResult | Error)[] = [];
    for await (const group of this.compressGroups(items, settings)) results.push(...group);
    return results;
  }

  /**
   * As `compressAll`, a group at a time, in order: what a group needed is free before the one after
   * the next starts. While a group is embedded, the next one is analysed.
   */
  async *compressGroups(
    items: readonly (string | CompressItem)[],
    settings: CompressSettings = {},
  ): AsyncGenerator<(CompressionResult | Error)[]> {
    const groups = groupItems(items);
    let done = 0;
    let ahead: Promise<PreparedItem[]> | null = null;
    for (const [position, group] of groups.entries()) {
      await checkpoint(settings);
      const prepared: PreparedItem[] = await (ahead ?? this.#prepare(group, settings));
      const next = groups[position + 1];
      ahead = next ? this.#prepare(next, settings) : null;
      // Awaited in the next round; until then a failure must not count as unhandled.
      ahead?.catch(() => undefined);
      const results = await this.#finishAll(prepared, settings);
      done += results.length;
      settings.onProgress?.({ stage: "Compressing", done, total: items.length });
      yield results;
    }
  }

  /**
   * `compressAll` for large batches: every result is handed over as soon as its group is done, so a
   * run that is cancelled keeps what it has, and running it again over the rest completes it.
   * Returns how many succeeded and failed.
   */
  async compressBatch(
    items: readonly (string | CompressItem)[],
    settings: CompressSettings & {
      onResult: (index: number, result: CompressionResult | Error) => void | Promise<void>;
      /** True for items that an earlier run has done. */
      isDone?: (index: number) => boolean;
    },
  ): Promise<{ done: number; failed: number; skipped: number }> {
    const { onResult, isDone, ...rest } = settings;
    const open = [...items.keys()].filter((index) => !isDone?.(index));
    const counts = { done: 0, failed: 0, skipped: items.length - open.length };
    let at = 0;
    for await (const group of this.compressGroups(
      open.map((index) => items[index]!),
      rest,
    ))
      for (const result of group) {
        if (result instanceof Error) counts.failed++;
        else counts.done++;
        await onResult(open[at++]!, result);
      }
    return counts;
  }

  /**
   * Vectors for texts that were compressed without a model, and the quality of the summaries that
   * were written then (`written` null: only the vector). In order; needs an embedder.
   */
  async embedAll(
    items: readonly (CompressItem & {
      written: Pick<CompressionResult, "summary" | "entities"> | null;
    })[],
    settings: TaskOptions = {},
  ): Promise<{ vector: Float32Array | null; quality: QualityVector | null }[]> {
    const prepared = await this.#prepare(items, settings);
    const results: { vector: Float32Array | null; quality: QualityVector | null }[] = [];
    for (const [position, item] of prepared.entries()) {
      if (item instanceof Error) throw item;
      const { source } = item;
      const { written } = items[position]!;
      const vector = searchVector(source);
      if (!written || !this.#embedder) {
        results.push({ vector, quality: null });
        continue;
      }
      const units = planUnits(written.summary);
      const vectors = await embedUnits(units, this.#embedder, settings.signal);
      const { quality } = new SourceChecker(source).check(
        written.summary,
        written.entities,
        units,
        vectors,
      );
      results.push({ vector, quality });
    }
    return results;
  }

  /** Judges anyone's summary of a text, and says where each of its sentences comes from. */
  inspectSummary(input: InspectSummaryInput): Promise<Evaluation> {
    return inspectSummary(this.#inspection, input);
  }

  /** A text with every candidate summary and its verdict; keep level "summary" unless asked otherwise. */
  inspectCandidates(
    text: string | CompressItem,
    settings: CompressSettings = {},
  ): Promise<Comparison> {
    const item = typeof text === "string" ? { text } : text;
    encodeText(item.text);
    return inspectCandidates(this.#inspection, {
      ...item,
      mode: settings.mode ?? "fast",
      keep: settings.keep ?? "summary",
      preferences: preferencesOf(settings),
      ...(settings.signal && { signal: settings.signal }),
    });
  }

  get #inspection(): InspectionParts {
    return {
      extractor: this.#extractor,
      foreignSpans: this.#foreignSpans,
      embedder: this.#embedder,
      generator: this.#generator,
    };
  }

  /** One text as a memory outside any store: the content of a `.llmc` file. */
  async compressToMemory(text: string, settings: CompressSettings = {}): Promise<CompressedMemory> {
    return this.toCompressedMemory(text, await this.compress(text, settings));
  }

  /** A stored or fresh result with its text as a memory outside any store. */
  async toCompressedMemory(
    text: string,
    result: Omit<CompressionResult, "vector" | "originalBytes">,
  ): Promise<CompressedMemory> {
    const { summary, entities, quality, model, mode, keep, keepReason } = result;
    const residual = await encodeResidual(text);
    if (residual.contentSha256 !== result.contentSha256)
      throw new AppError("invalid_input", "The text is not the one that was compressed.");
    const memory: CompressedMemory = {
      version: 1,
      keep,
      ...(keepReason !== undefined && { keepReason }),
      mode,
      model,
      summary,
      entities,
      quality,
      residual: keep === "exact" ? residual.frame : null,
      contentSha256: residual.contentSha256,
      ratios: singleTextRatios(residual.originalBytes, 1, contextRatio(text, summary, entities)),
    };
    // Reading it back gives the ratios of its real size, and proves that it can be read.
    return decodeContainer(await encodeContainer(memory));
  }

  decompress(
    compressed: CompressedMemory,
    options: { maxBytes?: number } = {},
  ): Promise<DecompressResult> {
    return this.#reconstructor.reconstruct(compressed, options);
  }

  /** Analyses a group and embeds the units of all its texts in one call. */
  async #prepare(
    group: readonly (string | CompressItem)[],
    settings: CompressSettings,
  ): Promise<PreparedItem[]> {
    const prepared: PreparedItem[] = [];
    for (const item of group) {
      const { text, kind, quotesKept }: CompressItem =
        typeof item === "string" ? { text: item } : item;
      try {
        const bytes = encodeText(text);
        prepared.push({
          source: analyzeSource(text, this.#extractor, this.#foreignSpans, kind, {
            withQuotes: settings.keep === "summary" && !quotesKept,
          }),
          contentSha256: sha256Hex(bytes),
          originalBytes: bytes.length,
          ...(kind && { kind }),
        });
      } catch (error) {
        prepared.push(toError(error));
      }
      await checkpoint(settings);
    }
    if (this.#embedder) await this.#embed(prepared, this.#embedder, settings);
    return prepared;
  }

  /** One call for the units of all texts, and for their windows where the gate will compare by those. */
  async #embed(
    prepared: readonly PreparedItem[],
    embedder: TextVectors,
    { signal, keep }: CompressSettings,
  ): Promise<void> {
    const sources = prepared.flatMap((item) => (item instanceof Error ? [] : [item.source]));
    const pieces = sources.flatMap((source) => source.units.flatMap((unit) => unit.pieces));
    const windows = sources.map((source) => (keep === "summary" ? textWindows(source.text) : []));
    const texts = [...pieces, ...windows.flat()];
    if (texts.length === 0) return;
    const vectors = await embedder.embed(texts, signal ? { signal } : {});
    let at = 0;
    const take = (count: number): Float32Array[] => vectors.slice(at, (at += count));
    for (const source of sources)
      source.vectors = source.units.map((unit) => unitVector(unit, take(unit.pieces.length)));
    sources.forEach((source, index) => {
      source.windowVector = pooledWindows(windows[index]!, take(windows[index]!.length));
    });
  }

  /** In order; side by side only where language models answer, which is waiting, not work. */
  async #finishAll(
    prepared: readonly PreparedItem[],
    settings: CompressSettings,
  ): Promise<(CompressionResult | Error)[]> {
    const results = new Array<CompressionResult | Error>(prepared.length);
    const asksModels = this.#generator.hasWriters(settings.mode ?? "fast", preferencesOf(settings));
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < prepared.length) {
        const index = next++;
        const item = prepared[index]!;
        results[index] = item instanceof Error ? item : await this.#finish(item, settings);
      }
    };
    await Promise.all(Array.from({ length: asksModels ? PARALLEL_WRITING : 1 }, work));
    return results;
  }

  async #finish(item: Prepared, settings: CompressSettings): Promise<CompressionResult | Error> {
    const { source, contentSha256, originalBytes } = item;
    try {
      const mode = settings.mode ?? "fast";
      const outcome = await summarize({
        source,
        sourceBytes: originalBytes,
        checker: new SourceChecker(source),
        generator: this.#generator,
        embedder: this.#embedder,
        mode,
        keep: settings.keep ?? "exact",
        ...(item.kind && { kind: item.kind }),
        preferences: preferencesOf(settings),
        ...(settings.signal && { signal: settings.signal }),
      });
      return {
        ...outcome,
        mode,
        vector: searchVector(source),
        contentSha256,
        originalBytes,
      };
    } catch (error) {
      if (isAbortError(error)) throw error;
      return toError(error);
    }
  }
}

/** What a text is found by: its own words, not what it quotes (unless it only quotes). */
function searchVector({ units, vectors, quoted }: SourceAnalysis): Float32Array | null {
  if (!vectors) return null;
  const own = [...units.keys()].filter((i) => !quoted[i]);
  const used = own.length > 0 ? own : [...units.keys()];
  return pooledVector(
    used.map((i) => units[i]!),
    used.map((i) => vectors[i]!),
  );
}

interface Prepared {
  source: SourceAnalysis;
  contentSha256: string;
  originalBytes: number;
  kind?: ContentKind;
}

function preferencesOf(settings: CompressSettings): WriterPreferences {
  const { model, latencyBudgetMs, costLimitUsd } = settings;
  return {
    ...(model !== undefined && { model }),
    ...(latencyBudgetMs !== undefined && { latencyBudgetMs }),
    ...(costLimitUsd !== undefined && { costLimitUsd }),
  };
}

type PreparedItem = Prepared | Error;

function groupItems<T extends string | CompressItem>(items: readonly T[]): T[][] {
  const groups: T[][] = [];
  let chars = 0;
  for (const item of items) {
    const length = typeof item === "string" ? item.length : item.text.length;
    const group = groups.at(-1);
    if (!group || group.length >= GROUP_ITEMS || chars + length > GROUP_CHARS) {
      groups.push([item]);
      chars = length;
    } else {
      group.push(item);
      chars += length;
    }
  }
  return groups;
}
