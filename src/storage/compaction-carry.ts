/** What a compaction repeats in the new journal: changes that the segments it leaves don't hold. */

import { encodeChange, encodeVectors, type ChangedFields } from "./journal-records.ts";
import type { StoreCore } from "./store-core.ts";
import { writtenLevel, type MemoryRecord } from "./store-state.ts";

/** Repeats in the new journal what the old ones said about rows that stay where they are. */
export async function carryOver(
  core: StoreCore,
  plan: { frozen: number; dropped: ReadonlySet<string> },
  replaced: ReadonlySet<number>,
): Promise<void> {
  const { state, journal } = core;
  if (core.damagedSegments.size > 0)
    for (const change of state.unresolved) await journal.append("change", encodeChange(change));
  const forgotten = [...state.forgotten].filter(([id]) => !plan.dropped.has(id));
  for (const erase of [false, true]) {
    const ids = forgotten.filter(([, found]) => found.erase === erase).map(([id]) => id);
    if (ids.length > 0)
      await journal.append(
        "change",
        encodeChange({ op: "forget", ids, carried: true, ...(erase ? { erase: true } : {}) }),
      );
  }
  for (const keep of ["summary", "gist"] as const) {
    const ids = state.records
      .filter((record) => record && record.entry.keep === keep && writtenLevel(record) !== keep)
      .map((record) => record!.entry.id)
      .filter((id) => !plan.dropped.has(id));
    if (ids.length > 0)
      await journal.append("change", encodeChange({ op: "fade", keep, ids, carried: true }));
  }
  const records = state.records.filter(
    (record): record is MemoryRecord =>
      record !== undefined &&
      record.changedIn > 0 &&
      record.changedIn <= plan.frozen &&
      record.place.kind === "segment" &&
      !replaced.has(record.place.segment.info.number),
  );
  for (const { entry, embedding, text } of records) {
    if (text)
      await journal.append(
        "change",
        encodeChange({
          op: "text",
          id: entry.id,
          summary: text.summary,
          entities: text.entities.map(({ text, type, confidence }) => [text, type, confidence]),
          ...(entry.embedded ? {} : { dropVector: true }),
          carried: true,
        }),
      );
    const fields: ChangedFields = {
      metadata: Object.entries(entry.metadata),
      timestamp: entry.timestamp,
      activation: entry.activation,
      episodeId: entry.episodeId,
      mode: entry.mode,
      model: entry.model,
      previousId: entry.previousId,
      nextId: entry.nextId,
      supersedes: entry.supersedes,
      supersededBy: entry.supersededBy,
      validFrom: entry.validFrom,
      validTo: entry.validTo,
      quality: entry.quality,
    };
    await journal.append(
      "change",
      encodeChange({ op: "patch", id: entry.id, fields, carried: true }),
    );
    if (embedding)
      await journal.append(
        "vectors",
        encodeVectors({
          model: entry.embeddingModel!,
          updates: [{ id: entry.id, embedding }],
          carried: true,
        }),
      );
  }
}
