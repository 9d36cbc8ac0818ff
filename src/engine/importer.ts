/**
 * `importStore`: files → items → groups → memories. Groups are parsed and compressed one ahead of
 * the one being stored, so that the embedding model never waits for the disk.
 */

import { AppError, isAbortError, toWireError, type WireError } from "../errors.ts";
import type {
  ImportFile,
  ImportOptions,
  ImportReport,
  ImportSource,
  Receipt,
  RecognizedFile,
} from "../engine.ts";
import { META } from "../model/memory.ts";
import { checkpoint } from "../model/task-control.ts";
import { recognizeExport } from "../storage/interchange/import.ts";
import { restoreExport } from "./export-restorer.ts";
import { IngestRun, type IngestDeps, type IngestItem } from "./ingest.ts";

/** Only these are looked into for an export: of a thousand mails not one needs to be opened for it. */
const EXPORT_NAME = /\.(?:parquet|jsonl|ndjson)(?:\.gz)?$/i;
/** A group is one journal frame and one embedding batch: small enough that a kill loses little work. */
const GROUP_ITEMS = 32;
const GROUP_CHARACTERS = 128 * 1024;
/** Originals are stored in the same frame: mails with large attachments make small groups. */
const GROUP_ORIGINAL_BYTES = 16 * 1024 * 1024;
/** The first groups are smaller, so that progress shows at once. */
const FIRST_GROUP_ITEMS = 4;
/** Groups compressed ahead of the one being stored. */
const GROUPS_AHEAD = 2;
const MAX_REPORTED_FAILURES = 1_000;

export async function importFiles(
  deps: IngestDeps,
  source: ImportSource,
  options: ImportOptions,
): Promise<ImportReport> {
  const startedAt = deps.clock.elapsed();
  // The parsers are loaded with the first import; searching needs none of them.
  const { parseFiles } = await import("../processing/content/import-files.ts");
  const files = source.kind === "files" ? source.files : [pastedFile(source, deps.clock.now())];
  const run = new IngestRun(deps, options);
  const report = new ReportBuilder(files, options);
  const commits: Promise<void>[] = [];

  const store = async (inputs: IngestItem[]): Promise<void> => {
    if (inputs.length === 0) return;
    // Waiting for the oldest keeps memory bounded; chaining keeps the order of the commits.
    if (commits.length >= GROUPS_AHEAD) await commits.shift();
    const before = commits.at(-1);
    const prepared = run.prepare(inputs);
    prepared.catch(() => undefined);
    const commit = (async () => {
      await before;
      report.addReceipts(await (await prepared)());
    })();
    commit.catch(() => undefined);
    commits.push(commit);
  };

  // A pasted text happens now; the time of a file says nothing about its text.
  const fileTimes = new Set(source.kind === "files" ? files.map((file) => file.lastModified) : []);
  const given = source.kind === "text" ? titleOf(source) : {};
  let group: IngestItem[] = [];
  let groupCharacters = 0;
  let groupOriginalBytes = 0;
  let groupItems = FIRST_GROUP_ITEMS;
  const flush = async (): Promise<void> => {
    const inputs = group;
    group = [];
    [groupCharacters, groupOriginalBytes] = [0, 0];
    await store(inputs);
  };

  try {
    const others: ImportFile[] = [];
    for (const file of files) {
      await checkpoint(options);
      if (report.ended) break;
      const isExport = EXPORT_NAME.test(file.path) && (await recognizeExport(file)) !== null;
      if (!isExport) others.push(file);
      else await restoreFile(deps, file, options, report);
    }
    for await (const event of parseFiles(report.ended ? [] : others, {
      ...(options.signal ? { signal: options.signal } : {}),
    })) {
      await checkpoint(options);
      if (run.ended) break;
      if (event.type === "item") {
        const { item } = event;
        const originalBytes = item.original?.byteLength ?? 0;
        // Not even one that is too large itself may take others with it.
        if (group.length > 0 && groupOriginalBytes + originalBytes > GROUP_ORIGINAL_BYTES)
          await flush();
        group.push({
          text: item.text,
          ...(item.original === undefined ? {} : { original: item.original }),
          ...(item.timestamp === undefined ? {} : { timestamp: item.timestamp }),
          undated: item.timestamp === undefined || fileTimes.has(item.timestamp),
          metadata: { ...given, ...item.metadata },
        });
        groupCharacters += item.text.length;
        groupOriginalBytes += originalBytes;
        report.addItem();
        if (group.length >= groupItems || groupCharacters >= GROUP_CHARACTERS) {
          groupItems = Math.min(GROUP_ITEMS, groupItems * 2);
          await flush();
        }
      } else if (event.type === "error") {
        report.addFailure(event.locator, toWireError(event.error));
      } else if (event.type === "file") {
        report.startFile(event.file);
      } else {
        report.endFile(event.path, event.items);
      }
    }
    await flush();
  } finally {
    // Also when cancelled: what is being stored now is finished or refused, never abandoned.
    const ended = await Promise.allSettled(commits);
    const failed = ended.find((result) => result.status === "rejected");
    if (failed && !isAbortError(failed.reason)) report.addFatal(failed.reason);
  }
  for (const commit of commits) await commit;
  await checkpoint(options);
  if (run.ended) report.end(run.ended);
  return report.build(deps.clock.elapsed() - startedAt);
}

/** What pasted texts have for a source. */
const PASTED = "pasted text";

function titleOf(source: Extract<ImportSource, { kind: "text" }>): Record<string, string> {
  const title = source.title?.trim();
  return title ? { [META.title]: title } : {};
}

async function restoreFile(
  deps: IngestDeps,
  file: ImportFile,
  options: ImportOptions,
  report: ReportBuilder,
): Promise<void> {
  const format = "llm-compression-export";
  report.startFile({ path: file.path, format, sizeBytes: file.blob.size });
  let items = 0;
  try {
    items = await restoreExport(deps, file, options, {
      onReceipts: (receipts) => {
        for (const receipt of receipts) {
          report.addItem();
          options.onReceipt?.(receipt);
        }
        report.addReceipts(receipts);
      },
      onRowError: (locator, error) => report.addFailure(locator, toWireError(error)),
    });
  } catch (error) {
    if (isAbortError(error)) throw error;
    if (isFull(error)) report.end(error);
    else report.addFailure(file.path, toWireError(error));
  }
  report.endFile(file.path, items);
}

function pastedFile(source: Extract<ImportSource, { kind: "text" }>, nowMs: number): ImportFile {
  if (source.text.trim() === "")
    throw new AppError("invalid_input", "There is no text to remember.", {
      hint: "Paste or type some text first.",
    });
  return {
    path: PASTED,
    blob: new Blob([source.text], { type: "text/plain" }),
    lastModified: nowMs,
  };
}

class ReportBuilder {
  readonly #options: ImportOptions;
  readonly #totalBytes: number;
  readonly #files = new Map<string, RecognizedFile>();
  readonly #failures: ImportReport["failures"] = [];
  readonly #counts = { stored: 0, duplicate: 0, failed: 0 };
  readonly #writers = new Map<string, number>();
  readonly #modelNotes = new Map<string, number>();
  #originalBytes = 0;
  #storedBytes = 0;
  #parsedItems = 0;
  #readBytes = 0;
  #finishedFiles = 0;
  readonly #given: ReadonlySet<string>;
  #ended = false;

  constructor(files: readonly ImportFile[], options: ImportOptions) {
    this.#options = options;
    this.#given = new Set(files.map((file) => file.path));
    this.#totalBytes = files.reduce((sum, file) => sum + file.blob.size, 0);
  }

  startFile(file: { path: string; format: string; sizeBytes: number }): void {
    this.#files.set(file.path, { ...file, items: 0 });
  }

  endFile(path: string, items: number): void {
    const file = this.#files.get(path);
    if (!file) return;
    file.items = items;
    // Entries of archives are files too, but their bytes and their end belong to the archive.
    if (this.#given.has(path)) {
      this.#readBytes += file.sizeBytes;
      this.#finishedFiles++;
    }
    this.#options.onFile?.({ ...file });
  }

  addItem(): void {
    this.#parsedItems++;
  }

  addFailure(source: string, error: WireError): void {
    this.#counts.failed++;
    if (this.#failures.length < MAX_REPORTED_FAILURES) this.#failures.push({ source, error });
    const file = this.#files.get(source);
    if (file) file.error ??= error;
    this.#options.onReceipt?.({
      index: -1,
      status: "failed",
      id: null,
      source,
      originalBytes: 0,
      storedBytes: 0,
      error,
    });
  }

  /** Whether nothing more can be stored. */
  get ended(): boolean {
    return this.#ended;
  }

  /** One failure for all that the full storage refused; to be told when everything before it was counted. */
  end(error: AppError): void {
    this.#ended = true;
    const { stored } = this.#counts;
    this.#failures.push({
      source: "store",
      error: toWireError(
        new AppError(error.code, `${error.message} The import ended; ${stored} texts were kept.`, {
          hint: `${error.hint ?? "Make room."} Then import the same again: what is there is recognised.`,
          retryable: true,
        }),
      ),
    });
  }

  addFatal(error: unknown): void {
    this.#failures.push({ source: "store", error: toWireError(error) });
  }

  addReceipts(receipts: readonly Receipt[]): void {
    for (const receipt of receipts) {
      this.#counts[receipt.status]++;
      if (receipt.status === "failed") {
        // What ends the import is told once, by `end`.
        if (receipt.error?.code === "storage_full") continue;
        if (this.#failures.length < MAX_REPORTED_FAILURES && receipt.error)
          this.#failures.push({ source: receipt.source ?? "text", error: receipt.error });
        continue;
      }
      this.#originalBytes += receipt.originalBytes;
      this.#storedBytes += receipt.storedBytes;
      if (receipt.status !== "stored") continue;
      if (receipt.model !== undefined) increment(this.#writers, receipt.model);
      if (receipt.modelReason !== undefined) increment(this.#modelNotes, receipt.modelReason);
    }
    const done = this.#counts.stored + this.#counts.duplicate + this.#counts.failed;
    this.#options.onProgress?.({
      stage: "Remembering",
      done,
      // The number of items is known once every file was read.
      total: this.#finishedFiles === this.#given.size ? Math.max(done, this.#parsedItems) : null,
      doneBytes: this.#readBytes,
      totalBytes: this.#totalBytes,
    });
  }

  build(elapsedMs: number): ImportReport {
    return {
      files: [...this.#files.values()],
      storedCount: this.#counts.stored,
      duplicateCount: this.#counts.duplicate,
      failedCount: this.#counts.failed,
      originalBytes: this.#originalBytes,
      storedBytes: this.#storedBytes,
      failures: this.#failures,
      writers: [...this.#writers].map(([model, count]) => ({ model, count })),
      modelNotes: [...this.#modelNotes].map(([reason, count]) => ({ reason, count })),
      elapsedMs,
    };
  }
}

function isFull(error: unknown): error is AppError {
  return error instanceof AppError && error.code === "storage_full";
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
