/**
 * Inputs that bring their own search vector. Short texts among them that are kept exactly need no
 * model and no summary: they are stored as they are, in large groups, which is the fast way into the
 * store for programs that have vectors already.
 */

import type { RememberOptions } from "../engine.ts";
import { AppError } from "../errors.ts";
import type { MemoryInput } from "../model/memory.ts";
import {
  EMBEDDING_DIMENSIONS,
  quantizeVector,
  type QuantizedVector,
  type VectorRoom,
} from "../model/vector.ts";
import type { CompressionResult } from "../processing/compression/compressor.ts";
import { EXACT_QUALITY } from "../processing/compression/reconstructor.ts";

/** A text up to this long is its own summary. */
const SHORT_CHARACTERS = 1_000;
/** Items that go through a model: one journal frame and one embedding batch. */
const GROUP_ITEMS = 32;
/** Items that are stored as they are: a frame of one or two megabytes. */
const READY_GROUP_ITEMS = 2_048;

/** Whether the item is stored as it is. */
export function isReady(
  item: MemoryInput,
  options: Pick<RememberOptions, "keep" | "model">,
): boolean {
  return (
    item.embedding !== undefined &&
    (options.keep ?? "exact") === "exact" &&
    options.model === undefined &&
    item.text.length <= SHORT_CHARACTERS
  );
}

/** Cuts items, in order, into groups: large ones where every item is stored as it is. */
export function* rememberGroups(
  items: readonly MemoryInput[],
  options: RememberOptions,
): Generator<MemoryInput[]> {
  const ready = (item: MemoryInput) => typeof item?.text === "string" && isReady(item, options);
  for (let from = 0; from < items.length;) {
    let to = from;
    while (to < items.length && to - from < READY_GROUP_ITEMS && ready(items[to]!)) to++;
    if (to - from < GROUP_ITEMS) to = from + GROUP_ITEMS;
    yield items.slice(from, to);
    from = to;
  }
}

/** Codes of the given vector at unit length; null when none is given. `invalid_input`. */
export function givenVector({ embedding }: MemoryInput, room: VectorRoom): QuantizedVector | null {
  if (!embedding) return null;
  const { length } = embedding.vector;
  if (length !== EMBEDDING_DIMENSIONS)
    throw new AppError(
      "invalid_input",
      `The embedding has ${length} values instead of ${EMBEDDING_DIMENSIONS}.`,
      { hint: "Vectors of all-MiniLM-L6-v2 and models of the same size fit." },
    );
  const vector =
    embedding.vector instanceof Float32Array
      ? embedding.vector
      : Float32Array.from(embedding.vector);
  let squares = 0;
  for (let i = 0; i < length; i++) squares += vector[i]! * vector[i]!;
  const norm = Math.sqrt(squares);
  if (!Number.isFinite(norm))
    throw new AppError("invalid_input", "The embedding holds a value that is not a finite number.");
  if (norm === 0) throw new AppError("invalid_input", "The embedding is zero.");
  // Codes don't depend on the length of the vector, only their scale does.
  const quantized = quantizeVector(vector, { room });
  return { ...quantized, scale: Math.fround(quantized.scale / norm) };
}

/** What compression would give for a text that is its own summary; its vector is kept beside it. */
export function readyResult(
  {
    text,
    entities,
    contentSha256,
    originalBytes,
  }: {
    text: string;
    entities: MemoryInput["entities"];
    contentSha256: string;
    originalBytes: number;
  },
  options: Pick<RememberOptions, "mode">,
): CompressionResult {
  return {
    summary: text,
    entities: entities ?? [],
    quality: EXACT_QUALITY,
    model: "verbatim",
    mode: options.mode ?? "fast",
    keep: "exact",
    vector: null,
    contentSha256,
    originalBytes,
  };
}
