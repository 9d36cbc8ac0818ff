/**
 * Turns edits that belong together into one journal frame: new memories, changes of others, vectors.
 * Everything is checked before a byte is written.
 */

import { AppError } from "../errors.ts";
import { keepsLess } from "../model/memory.ts";
import type { Bundle, Change, VectorUpdate } from "./journal-records.ts";
import type { CatalogEntry, MemoryEdit } from "./memory-store.ts";
import { isWholeVector, normalizeMemory, normalizeVector } from "./stored-row.ts";
import type { Zstd } from "./zstd.ts";

/** As the journal's frames. */
const LEVEL = 3;

type EditedText = NonNullable<MemoryEdit["text"]>;

/**
 * The frame's changes and vectors. `invalid_input` for a keep level that would rise, a text too
 * long, a vector without its model, or vectors of two models.
 */
export function bundleEdits(
  zstd: Zstd,
  edits: readonly MemoryEdit[],
  entryOf: (id: string) => CatalogEntry,
): Omit<Bundle, "rows"> {
  const changes: Change[] = [];
  const updates: VectorUpdate[] = [];
  let vectorModel: string | null = null;
  const fading = new Map<"summary" | "gist", string[]>();
  for (const edit of edits) {
    const entry = entryOf(edit.id);
    if (edit.text) {
      const text = normalizeText(entry, edit.text);
      changes.push({
        op: "text",
        id: entry.id,
        summary: text.summary,
        entities: text.entities.map(({ text, type, confidence }) => [text, type, confidence]),
        ...(text.embedding === undefined ? {} : { dropVector: true }),
      });
      if (text.embedding) {
        if (!text.embeddingModel || (vectorModel ?? text.embeddingModel) !== text.embeddingModel)
          throw invalid(entry, "its vector isn't of the one model of this change");
        vectorModel = text.embeddingModel;
        updates.push({ id: entry.id, embedding: text.embedding });
      }
    }
    const fields = lightFields(zstd, entry, edit);
    if (Object.keys(fields).length > 0) changes.push({ op: "patch", id: entry.id, fields });
    if (edit.lift) changes.push({ op: "lift", ids: [entry.id] });
    if (edit.keep !== undefined && edit.keep !== entry.keep) {
      if (!keepsLess(edit.keep, entry.keep) || edit.keep === "exact")
        throw invalid(entry, `what is kept as "${entry.keep}" can't become "${edit.keep}" again`);
      const ids = fading.get(edit.keep) ?? [];
      ids.push(entry.id);
      fading.set(edit.keep, ids);
    }
  }
  for (const [keep, ids] of fading) changes.push({ op: "fade", keep, ids });
  return {
    changes,
    vectors: vectorModel === null ? null : { model: vectorModel, updates },
  };
}

function lightFields(
  zstd: Zstd,
  entry: CatalogEntry,
  edit: MemoryEdit,
): Extract<Change, { op: "patch" }>["fields"] {
  if (edit.timestamp !== undefined && !Number.isSafeInteger(edit.timestamp))
    throw invalid(entry, `timestamp is ${edit.timestamp}`);
  return {
    ...(edit.episodeId === undefined ? {} : { episodeId: edit.episodeId }),
    ...(edit.timestamp === undefined ? {} : { timestamp: edit.timestamp }),
    ...(edit.quality ? { quality: edit.quality } : {}),
    ...(edit.metadata
      ? {
          metadata: Object.entries(edit.metadata).map(([key, value]): [string, string | null] => [
            key.toWellFormed(),
            value?.toWellFormed() ?? null,
          ]),
        }
      : {}),
    ...(edit.text
      ? {
          mode: edit.text.mode,
          model: edit.text.model,
          // Beside an original the summary is a small part; the next compaction measures it.
          ...(entry.keep === "exact" ? {} : { storedBytes: packedBytes(zstd, edit.text) }),
        }
      : {}),
  };
}

function invalid(entry: CatalogEntry, why: string): AppError {
  return new AppError("invalid_input", `Memory ${entry.id}: ${why}.`);
}

/** As it will come back, by the rules for new memories. */
function normalizeText(entry: CatalogEntry, text: EditedText): EditedText {
  const { summary, entities } = normalizeMemory({
    ...entry,
    content: null,
    envelope: null,
    embedding: null,
    summary: text.summary,
    entities: text.entities,
  });
  if (text.embedding && !isWholeVector(text.embedding))
    throw invalid(entry, "its embedding is empty or its finer bits aren't one per value");
  return {
    ...text,
    summary,
    entities,
    ...(text.embedding && { embedding: normalizeVector(text.embedding) }),
  };
}

function packedBytes(zstd: Zstd, { summary, entities }: EditedText): number {
  const text = `${summary}${entities.map((entity) => `${entity.text}\n${entity.type}\n`).join("")}`;
  return zstd.compress(new TextEncoder().encode(text), LEVEL).length;
}
