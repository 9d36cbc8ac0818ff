/**
 * Gathers the vectors of memories into one buffer: from the store's embedding column straight to
 * their place in it, once copied.
 */

import type { EmbeddingsBuffer, EmbeddingsQuery } from "../model/embeddings-buffer.ts";
import { EMBEDDING_DIMENSIONS, writeDequantized } from "../model/vector.ts";
import type { CatalogEntry, MemoryStore } from "../storage/memory-store.ts";

/** @param passes what `query.filter` lets pass; absent: all */
export async function gatherEmbeddings(
  store: MemoryStore,
  { ids, format = "float32" }: EmbeddingsQuery,
  passes: ((ordinal: number) => boolean) | null,
): Promise<EmbeddingsBuffer> {
  const { model, chosen } = chooseEntries(store, ids, passes);
  const rowOf = new Map(chosen.map(({ ordinal }, row) => [ordinal, row]));
  const dimensions = EMBEDDING_DIMENSIONS;
  const vectors =
    format === "int8"
      ? {
          format,
          codes: new Int8Array(chosen.length * dimensions),
          scales: new Float32Array(chosen.length),
        }
      : { format, embeddings: new Float32Array(chosen.length * dimensions) };
  const filled = new Uint8Array(chosen.length);
  if (chosen.length > 0)
    for await (const column of store.scanVectors())
      for (const { from, to, row } of runs(column.ordinals, rowOf)) {
        filled.fill(1, row, row + to - from);
        const codes = column.codes.subarray(from * dimensions, to * dimensions);
        const scales = column.scales.subarray(from, to);
        if (vectors.format === "float32") {
          const fine = column.fine?.subarray((from * dimensions) / 8, (to * dimensions) / 8);
          writeFloats(vectors.embeddings, row * dimensions, { codes, scales, fine });
        } else {
          vectors.codes.set(codes, row * dimensions);
          vectors.scales.set(scales, row);
        }
      }
  return withoutEmptyRows(
    { ids: chosen.map(({ id }) => id), model, dimensions, ...vectors },
    filled,
  );
}

/** Parts of a column whose rows follow each other in the buffer, too. */
function* runs(
  ordinals: Int32Array,
  rowOf: ReadonlyMap<number, number>,
): Generator<{ from: number; to: number; row: number }> {
  for (let from = 0; from < ordinals.length;) {
    const row = rowOf.get(ordinals[from]!);
    let to = from + 1;
    if (row !== undefined) {
      while (to < ordinals.length && rowOf.get(ordinals[to]!) === row + to - from) to++;
      yield { from, to, row };
    }
    from = to;
  }
}

function writeFloats(
  out: Float32Array,
  at: number,
  { codes, scales, fine }: { codes: Int8Array; scales: Float32Array; fine: Uint8Array | undefined },
): void {
  for (let i = 0; i < scales.length; i++) {
    const values = {
      codes: codes.subarray(i * EMBEDDING_DIMENSIONS, (i + 1) * EMBEDDING_DIMENSIONS),
      scale: scales[i]!,
      ...(fine && {
        fine: fine.subarray((i * EMBEDDING_DIMENSIONS) / 8, ((i + 1) * EMBEDDING_DIMENSIONS) / 8),
      }),
    };
    writeDequantized(values, out, at + i * EMBEDDING_DIMENSIONS);
  }
}

/** The memories asked for that have a vector, of the model that most of them have. */
function chooseEntries(
  store: MemoryStore,
  ids: readonly string[] | undefined,
  passes: ((ordinal: number) => boolean) | null,
): { model: string | null; chosen: CatalogEntry[] } {
  const asked: Iterable<CatalogEntry | undefined> = ids
    ? [...new Set(ids)].map((id) => store.catalog.byId(id))
    : store.catalog.entries();
  const embedded: CatalogEntry[] = [];
  const counts = new Map<string, number>();
  for (const entry of asked) {
    if (!entry?.embeddingModel || (passes && !passes(entry.ordinal))) continue;
    embedded.push(entry);
    counts.set(entry.embeddingModel, (counts.get(entry.embeddingModel) ?? 0) + 1);
  }
  const model = [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? null;
  return { model, chosen: embedded.filter((entry) => entry.embeddingModel === model) };
}

/** Memories that were removed while their vectors were being read have none. */
function withoutEmptyRows(buffer: EmbeddingsBuffer, filled: Uint8Array): EmbeddingsBuffer {
  if (!filled.includes(0)) return buffer;
  const { dimensions } = buffer;
  let kept = 0;
  const ids = buffer.ids.filter((_, row) => {
    if (filled[row] === 0) return false;
    if (buffer.format === "float32")
      buffer.embeddings.copyWithin(kept * dimensions, row * dimensions, (row + 1) * dimensions);
    else {
      buffer.codes.copyWithin(kept * dimensions, row * dimensions, (row + 1) * dimensions);
      buffer.scales[kept] = buffer.scales[row]!;
    }
    kept++;
    return true;
  });
  return buffer.format === "float32"
    ? { ...buffer, ids, embeddings: buffer.embeddings.slice(0, kept * dimensions) }
    : {
        ...buffer,
        ids,
        codes: buffer.codes.slice(0, kept * dimensions),
        scales: buffer.scales.slice(0, kept),
      };
}
