/** Where small records of a store are kept: settings, profiles, the ledger of costs. */

import type { z } from "zod";

export interface RecordStore {
  /** The stored value, or `fallback` where none is stored or it doesn't fit the schema. */
  read<T>(name: string, schema: z.ZodType, fallback: T): Promise<T>;
  /** Replaces the record; durable when resolved. */
  write(name: string, value: unknown): Promise<void>;
}
