/**
 * The one picture of this application: a memory (or the whole store) as layers whose lengths are
 * real bytes on one scale. Pure; drawn by `components/StrataBar.svelte`.
 */

import type { KeepLevel, QualityVector } from "../../../model/memory.ts";
import type { MemoryView } from "../../../model/query.ts";
import { formatBytes, utf8Length } from "./format.ts";

export type StrataTone = "gist" | "summary" | "exact" | "index" | "original";

export interface StrataLayer {
  tone: StrataTone;
  /** "Summary". */
  name: string;
  bytes: number;
  /** How the number came about, one sentence. */
  how: string;
}

export const KEEP_WORDS: Record<KeepLevel, string> = {
  exact: "kept exactly",
  summary: "kept as a summary",
  gist: "kept as a gist",
};

/** Layers of one memory, lightest first. */
export function memoryLayers(
  memory: Pick<MemoryView, "summary" | "keep" | "storedBytes" | "originalBytes">,
): StrataLayer[] {
  return [
    {
      tone: "summary",
      name: "Summary",
      bytes: utf8Length(memory.summary),
      how: "UTF-8 bytes of the summary you read, before compression.",
    },
    {
      tone: memory.keep === "exact" ? "exact" : memory.keep,
      name: memory.keep === "exact" ? "Stored, exact" : "Stored",
      bytes: memory.storedBytes,
      how: "Compressed bytes of everything kept for this memory: text, summary and entities, its share of the block it is stored in.",
    },
    {
      tone: "original",
      name: "Original",
      bytes: memory.originalBytes,
      how: "Bytes of the source as it was given.",
    },
  ];
}

/** The layers' shares of the longest one, 0–1. */
export function layerShares(layers: readonly StrataLayer[]): number[] {
  const longest = Math.max(1, ...layers.map((layer) => layer.bytes));
  return layers.map((layer) => layer.bytes / longest);
}

/** What a screen reader says for the picture. */
export function describeLayers(layers: readonly StrataLayer[]): string {
  return layers.map((layer) => `${layer.name} ${formatBytes(layer.bytes)}`).join(", ");
}

/** The weakest of the measures taken: a chain is as strong as that. Null when none was. */
export function weakestQuality(quality: QualityVector): number | null {
  const measured = Object.values(quality).filter((value): value is number => value !== null);
  return measured.length === 0 ? null : Math.min(...measured);
}
