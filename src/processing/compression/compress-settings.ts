/**
 * What a text is compressed from, under which settings, and what comes of it: the input and result
 * of `LLMCompressor` (`compressor.ts`), shared with the steps that it is made of.
 */

import type {
  CompressionMode,
  ContentKind,
  Entity,
  KeepLevel,
  QualityVector,
} from "../../model/memory.ts";
import type { TaskOptions } from "../../model/task-control.ts";
import type { WriterPreferences } from "./summary.ts";

/** How to compress; what isn't set has the default named. */
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

/** One text with what is known of it. */
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

/** What a language model that writes must keep to; only what was set. */
export function preferencesOf(settings: CompressSettings): WriterPreferences {
  const { model, latencyBudgetMs, costLimitUsd } = settings;
  return {
    ...(model !== undefined && { model }),
    ...(latencyBudgetMs !== undefined && { latencyBudgetMs }),
    ...(costLimitUsd !== undefined && { costLimitUsd }),
  };
}
