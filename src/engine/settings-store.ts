/**
 * Small settings and records of one store, one JSON file each under `settings/`: what the owner set
 * and what can't be derived from memories. Written atomically; a damaged or unknown file is set
 * aside by the defaults, never an obstacle to opening the store.
 */

import type { z } from "zod";
import type { FileStore } from "../ports/file-store.ts";

const PREFIX = "settings/";

export class SettingsStore {
  readonly #files: FileStore;

  constructor(files: FileStore) {
    this.#files = files;
  }

  /** The stored value, or `fallback` where none is stored or the stored one doesn't fit the schema. */
  async read<T>(name: string, schema: z.ZodType<T>, fallback: T): Promise<T> {
    const path = `${PREFIX}${name}.json`;
    if (!(await this.#files.stat(path))) return fallback;
    try {
      const parsed = schema.safeParse(
        JSON.parse(new TextDecoder().decode(await this.#files.read(path))),
      );
      return parsed.success ? parsed.data : fallback;
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
