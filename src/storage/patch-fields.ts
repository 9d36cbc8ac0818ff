/** Turns an owner's patch into the fields that the journal records, or says what is wrong with it. */

import { AppError } from "../errors.ts";
import type { MemoryPatch } from "../model/memory.ts";
import type { ChangedFields } from "./journal-records.ts";
import type { CatalogEntry } from "./memory-store.ts";

/** `invalid_input` for a time that is no whole number, a keep level that would rise, an activation outside of 0–1. */
export function patchFields(entry: CatalogEntry, patch: MemoryPatch): ChangedFields {
  const wrong = (why: string) => new AppError("invalid_input", `Memory ${entry.id}: ${why}.`);
  const fields: ChangedFields = {};
  const whole = (name: "timestamp" | "validFrom" | "validTo", value: number | null | undefined) => {
    if (value === undefined) return;
    if (value !== null && !Number.isSafeInteger(value)) throw wrong(`${name} is ${value}`);
    Object.assign(fields, { [name]: value });
  };
  whole("timestamp", patch.timestamp);
  whole("validFrom", patch.validFrom);
  whole("validTo", patch.validTo);
  if (patch.keep !== undefined) {
    const order = ["exact", "summary", "gist"];
    if (order.indexOf(patch.keep) < order.indexOf(entry.keep))
      throw wrong(`what is kept as "${entry.keep}" can't become "${patch.keep}" again`);
    fields.keep = patch.keep;
  }
  if (patch.activation !== undefined) {
    if (!(patch.activation >= 0 && patch.activation <= 1))
      throw wrong(`activation is ${patch.activation}, not 0 to 1`);
    fields.activation = Math.fround(patch.activation);
  }
  if (patch.supersededBy !== undefined) fields.supersededBy = patch.supersededBy;
  if (patch.metadata)
    fields.metadata = Object.entries(patch.metadata).map(([key, value]) => [
      key.toWellFormed(),
      value?.toWellFormed() ?? null,
    ]);
  return fields;
}
