/**
 * Small settings and records of one store, one JSON file each under `settings/`: what the owner set
 * and what can't be derived from memories. Written atomically; a damaged or unknown file is set
 * aside by the defaults, never an obstacle to opening the store.
 */

import type { z } from "zod";
import type { FileStore } from "../ports/file-store.ts";
import type { RecordStore } from "../ports/record-store.ts";

const PREFIX = "settings/";

export class SettingsStore implements RecordStore {
  readonly #files: FileStore;

  constructor(files: FileStore) {
    this.#files = files;
  }

  /**
   * The stored value, or `fallback` where none is stored or the stored one doesn't fit the schema.
   * `schema` must describe `T`; its output is taken as such (optional fields keep their exact form).
   */
  async read<T>(name: string, schema: z.ZodType, fallback: T): Promise<T> {
    const path = `${PREFIX}${name}.json`;
    if (!(await this.#files.stat(path))) return fallback;
    try {
      const parsed = schema.safeParse(
        JSON.parse(new TextDecoder().decode(await this.#files.read(path))),
      );
      return parsed.success ? (parsed.data as T) : fallback;
    } catch (error) {
      if (error instanceof SyntaxError) return fallback;
      throw error;
    }
  }

  /** Durable when resolved. */
  async write(name: string, value: unknown): Promise<void> {
    await this.#files.write(
      `${PREFIX}${name}.json`,
      new TextEncoder().encode(JSON.stringify(value, null, 1)),
    );
  }
}
