/** Where the bytes of a store live: one flat-ish folder on OPFS, on disk, or in memory. */

export interface FileStat {
  /** Path relative to the store, "/"-separated: "segments/3.parquet". */
  path: string;
  sizeBytes: number;
}

/**
 * A folder that one engine owns. Paths are relative, "/"-separated, of [A-Za-z0-9._-] parts;
 * anything else is refused with `invalid_input`. A missing file is `not_found`; a full disk or
 * quota is `storage_full`; a second opener is `store_locked`.
 *
 * Durability: a promise of `write`, `append`, `truncate`, `remove` and `move` resolves when the
 * change survives the end of the process (flush / fsync).
 */
export interface FileStore {
  /** "opfs", "fs" or "memory"; shown in status. */
  readonly kind: string;
  list(prefix?: string): Promise<FileStat[]>;
  stat(path: string): Promise<FileStat | null>;
  /** Bytes [offset, offset + length), shorter at the end of the file. The whole file without a range. */
  read(path: string, offset?: number, length?: number): Promise<Uint8Array>;
  /** Replaces the whole file atomically: afterwards a reader sees the old or the new bytes, never a mix. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Appends and flushes; returns the file's size after it. A crash may leave a torn tail, never a changed head. */
  append(path: string, bytes: Uint8Array): Promise<number>;
  truncate(path: string, sizeBytes: number): Promise<void>;
  /** Removing what is not there is no error. */
  remove(path: string): Promise<void>;
  /** Free and used bytes where the platform tells them. */
  usage(): Promise<{ usedBytes: number; quotaBytes: number | null; persistent: boolean | null }>;
  /** A handle that DuckDB can read in place: a `File` in the browser, an absolute path in Node, bytes in memory. */
  handle(path: string): Promise<FileHandle>;
  close(): Promise<void>;
}

export type FileHandle =
  | { kind: "file"; file: Blob }
  | { kind: "path"; path: string }
  | { kind: "bytes"; bytes: Uint8Array };
