/**
 * One import as `batch` and `import` run it: files into the store, and one line per item *after* it
 * is durable, with its `.llmc` file before the line where those are asked for.
 */

import { constants, openAsBlob } from "node:fs";
import { access, stat } from "node:fs/promises";
import { join } from "node:path";
import { toWireError, type WireError } from "../../errors.ts";
import type { Engine, ImportFile, ImportOptions, ImportReport, Receipt } from "../../engine.ts";
import type { CompressionMode, KeepLevel } from "../../model/memory.ts";
import type { CommandContext } from "./context.ts";
import { describeFailure, EXIT_PARTIAL, fileFailure } from "./failure.ts";
import { FileNames } from "./file-names.ts";
import { writeWholeFile, type WalkedFile } from "./files.ts";
import { printable } from "./output.ts";
import { formatBytes, formatDuration, formatPlural, formatRatio } from "./format.ts";
import { SerialQueue } from "./serial-queue.ts";

export interface ImportRunOptions {
  mode: CompressionMode;
  keep: Extract<KeepLevel, "exact" | "summary">;
  embed: boolean;
  /** Which language model may write the summaries. */
  choice: Pick<ImportOptions, "model" | "costLimitUsd" | "latencyBudgetMs">;
  /** Absolute folder for one `.llmc` per item. */
  outputDirectory?: string;
}

export interface ImportRun {
  /** A file that can't be imported; reported like a failed item. */
  fail(source: string, error: unknown): void;
  /** Imports and returns the exit code: 0, or `EXIT_PARTIAL` when some items failed. */
  finish(files: ImportFile[]): Promise<number | undefined>;
}

/** A file as the importer takes it: read lazily, in slices. */
export async function toImportFile(file: WalkedFile): Promise<ImportFile> {
  try {
    const { mtimeMs } = await stat(file.absolutePath);
    // The blob would only say later that it can't be read, and not why.
    await access(file.absolutePath, constants.R_OK);
    return {
      path: file.path,
      blob: await openAsBlob(file.absolutePath),
      lastModified: Math.trunc(mtimeMs),
    };
  } catch (error) {
    throw fileFailure(error, file.path);
  }
}

export function startImport(
  context: CommandContext,
  engine: Engine,
  options: ImportRunOptions,
): ImportRun {
  const names = new FileNames(".llmc");
  let failedCount = 0;

  const queue = new SerialQueue<Receipt>(async (receipt) => {
    const { id, source } = receipt;
    if (receipt.status === "failed" || id === null) {
      const unknown: WireError = { code: "internal", message: "Unknown failure", retryable: false };
      await reportFailure(source, receipt.error ?? unknown);
      return;
    }
    let output: string | undefined;
    if (options.outputDirectory !== undefined) {
      try {
        const { packMemory } = await import("./memory-file.ts");
        output = names.next(source ?? "item", id);
        const bytes = await packMemory(await engine.read(id));
        await writeWholeFile(join(options.outputDirectory, output), bytes, { overwrite: true });
      } catch (error) {
        await reportFailure(source, toWireError(error), id);
        return;
      }
    }
    if (context.json) await context.printJson(toLine(receipt, output));
  });

  async function reportFailure(
    source: string | undefined,
    error: WireError,
    id?: string,
  ): Promise<void> {
    failedCount++;
    const named = source === undefined ? {} : { source };
    if (context.json) await context.printJson({ ...(id ? { id } : {}), ...named, error });
    else
      context.note(describeFailure({ ...error, message: `${source ?? "item"}: ${error.message}` }));
  }

  return {
    fail(source, error) {
      const wire = toWireError(error);
      queue.push({
        index: -1,
        status: "failed",
        id: null,
        source,
        originalBytes: 0,
        storedBytes: 0,
        error: wire,
      });
    },
    async finish(files) {
      let report: ImportReport;
      try {
        report = await engine.importStore(
          { kind: "files", files },
          {
            mode: options.mode,
            keep: options.keep,
            embed: options.embed,
            ...options.choice,
            signal: context.signal,
            onProgress: (progress) => context.progress.report(progress),
            onReceipt: (receipt) => queue.push(receipt),
          },
        );
      } finally {
        // Also after a cancellation: what became durable is reported.
        await queue.drain();
      }
      const summary = describeReport(report, failedCount);
      if (context.json) {
        if (context.progress.enabled) context.note(summary);
      } else await context.print(`${summary}\n`);
      return failedCount > 0 ? EXIT_PARTIAL : undefined;
    },
  };
}

function toLine(receipt: Receipt, output: string | undefined): Record<string, unknown> {
  const { id, source, status, keep, keepReason, originalBytes, storedBytes, quality } = receipt;
  return {
    id,
    source,
    status,
    keep,
    keepReason,
    originalBytes,
    storedBytes,
    ratio: storedBytes > 0 ? Number((originalBytes / storedBytes).toFixed(3)) : null,
    quality,
    output,
  };
}

function describeReport(report: ImportReport, failedCount: number): string {
  const { files, storedCount, duplicateCount, originalBytes, storedBytes, elapsedMs } = report;
  const parts = [
    `Stored ${formatPlural(storedCount, "memory", "memories")} from ${formatPlural(files.length, "file", "files")} in ${formatDuration(elapsedMs)}`,
  ];
  if (duplicateCount > 0) parts.push(`${duplicateCount.toLocaleString("en-US")} already there`);
  if (failedCount > 0) parts.push(`${failedCount.toLocaleString("en-US")} failed`);
  if (storedBytes > 0)
    parts.push(
      `${formatBytes(originalBytes)} kept in ${formatBytes(storedBytes)} (${formatRatio(originalBytes / storedBytes)})`,
    );
  const written = report.writers.filter(({ model }) => model !== "verbatim");
  if (written.some(({ model }) => model !== "extractive"))
    parts.push(
      `summaries by ${written.map(({ model, count }) => `${printable(model)} (${count.toLocaleString("en-US")})`).join(", ")}`,
    );
  const notes = report.modelNotes.map(
    ({ reason, count }) => `\n  ${count.toLocaleString("en-US")}x: ${printable(reason)}`,
  );
  return `${parts.join("; ")}.${notes.join("")}`;
}
