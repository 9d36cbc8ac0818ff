/**
 * Compresses texts: prepare (analyse, embed units) → summarise → check → what the engine stores.
 *
 * Many texts are planned together, so that one embedding call sees the units of all of them
 * (`text-preparer.ts`); after it, everything is computed from those unit vectors without further
 * inference. Memory is bounded by the group that is worked on.
 */

import { AppError, isAbortError, toError } from "../../errors.ts";
import type { Comparison, Evaluation } from "../../model/comparison.ts";
import type { CompressedMemory, DecompressResult } from "../../model/compressed-memory.ts";
import type { QualityVector } from "../../model/memory.ts";
import { checkpoint, type TaskOptions } from "../../model/task-control.ts";
import {
  preferencesOf,
  type CompressItem,
  type CompressionResult,
  type CompressSettings,
} from "./compress-settings.ts";
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
import { encodeResidual, encodeText } from "./residual.ts";
import type { ForeignSpans } from "./source-analysis.ts";
import { SummaryGenerator, type SummaryWriter } from "./summary.ts";
import { summarize } from "./summarize.ts";
import {
  groupItems,
  searchVector,
  TextPreparer,
  type PreparedItem,
  type PreparedText,
} from "./text-preparer.ts";
import { planUnits } from "./units.ts";

export type { CompressItem, CompressionResult, CompressSettings } from "./compress-settings.ts";

export interface CompressorOptions {
  /** Null: lexical summaries, no vectors, nothing can be kept as a summary only. */
  embedder: TextVectors | null;
  /** Language models that propose summaries; which take part depends on the mode. */
  writers?: readonly SummaryWriter[];
  foreignSpans?: ForeignSpans;
}

/** Texts for which language models write at once; the providers' own limits apply below this. */
const PARALLEL_WRITING = 4;

/** Compresses and restores texts. Stateless between calls; safe to call side by side. */
export class LLMCompressor {
  readonly #embedder: TextVectors | null;
  readonly #extractor = new EntityExtractor();
  readonly #generator: SummaryGenerator;
  readonly #reconstructor = new Reconstructor();
  readonly #foreignSpans: ForeignSpans;
  readonly #preparer: TextPreparer;

  constructor(options: CompressorOptions) {
    this.#embedder = options.embedder;
    this.#generator = new SummaryGenerator(options.writers);
    this.#foreignSpans = options.foreignSpans ?? defaultForeignSpans;
    this.#preparer = new TextPreparer({
      extractor: this.#extractor,
      foreignSpans: this.#foreignSpans,
      embedder: this.#embedder,
    });
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
      const prepared: PreparedItem[] = await (ahead ?? this.#preparer.prepare(group, settings));
      const next = groups[position + 1];
      ahead = next ? this.#preparer.prepare(next, settings) : null;
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
    const prepared = await this.#preparer.prepare(items, settings);
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

  async #finish(
    item: PreparedText,
    settings: CompressSettings,
  ): Promise<CompressionResult | Error> {
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
