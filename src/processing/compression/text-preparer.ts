/**
 * Makes groups of texts ready for compression: cuts a batch into groups, analyses each text of one,
 * and embeds the units of all of them in one call, which the embedder sorts by length. The compressor
 * summarises what comes out of it without further inference.
 */

import { toError } from "../../errors.ts";
import type { ContentKind } from "../../model/memory.ts";
import { checkpoint, type TaskOptions } from "../../model/task-control.ts";
import type { CompressItem, CompressSettings } from "./compress-settings.ts";
import type { EntityExtractor } from "./entities.ts";
import type { TextVectors } from "./quality.ts";
import { encodeText, sha256Hex } from "./residual.ts";
import { pooledVector, pooledWindows, unitVector } from "./similarity.ts";
import { analyzeSource, type ForeignSpans, type SourceAnalysis } from "./source-analysis.ts";
import { textWindows } from "./units.ts";

/** One text, analysed; with unit vectors where there is an embedder. */
export interface PreparedText {
  source: SourceAnalysis;
  /** SHA-256 of the UTF-8, lower-case hex. */
  contentSha256: string;
  /** UTF-8 bytes of the text. */
  originalBytes: number;
  kind?: ContentKind;
}

/** A text that is ready, or why it can't be. */
export type PreparedItem = PreparedText | Error;

export interface TextPreparerOptions {
  extractor: EntityExtractor;
  foreignSpans: ForeignSpans;
  /** Null: no vectors. */
  embedder: TextVectors | null;
}

/** Texts of one group are in memory together: at most this many, of at most this many characters. */
const GROUP_ITEMS = 32;
const GROUP_CHARS = 256 * 1024;

/** Cuts a batch, in order, into groups that fit into memory; a longer text is a group of its own. */
export function groupItems<T extends string | CompressItem>(items: readonly T[]): T[][] {
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

/** What a text is found by: its own words, not what it quotes (unless it only quotes). Null without vectors. */
export function searchVector({ units, vectors, quoted }: SourceAnalysis): Float32Array | null {
  if (!vectors) return null;
  const own = [...units.keys()].filter((i) => !quoted[i]);
  const used = own.length > 0 ? own : [...units.keys()];
  return pooledVector(
    used.map((i) => units[i]!),
    used.map((i) => vectors[i]!),
  );
}

/** Analyses and embeds groups of texts. Stateless between calls. */
export class TextPreparer {
  readonly #extractor: EntityExtractor;
  readonly #foreignSpans: ForeignSpans;
  readonly #embedder: TextVectors | null;

  constructor(options: TextPreparerOptions) {
    this.#extractor = options.extractor;
    this.#foreignSpans = options.foreignSpans;
    this.#embedder = options.embedder;
  }

  /**
   * One prepared text per item, in order, or why it is none (`invalid_input` for a lone surrogate).
   * A failure of the embedder and a cancellation (`AbortError`) fail the group.
   */
  async prepare(
    group: readonly (string | CompressItem)[],
    settings: TaskOptions & Pick<CompressSettings, "keep">,
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
    const sources = prepared.flatMap((item) => (item instanceof Error ? [] : [item.source]));
    if (this.#embedder) await embedSources(sources, this.#embedder, settings);
    return prepared;
  }
}

/** One call for the units of all texts, and for their windows where the gate will compare by those. */
async function embedSources(
  sources: readonly SourceAnalysis[],
  embedder: TextVectors,
  { signal, keep }: Pick<CompressSettings, "signal" | "keep">,
): Promise<void> {
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
