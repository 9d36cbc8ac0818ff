/** Reads exports back: our Parquet and JSONL files, and Parquet files in the V2 schema by others. */

import { AppError, toError } from "../../errors.ts";
import { parseLine, readLines } from "./jsonl.ts";
import { readParquetRecords } from "./parquet-import.ts";
import { type ExportRecord, fromRecord, type PortableMemory } from "./portable-memory.ts";

const BATCH_SIZE = 500;

export interface ExportFile {
  path: string;
  /** Read in slices. */
  blob: Blob;
}

export interface ReadExportOptions {
  /** Called for each row that can't be taken; the others go on. Without it the first one throws. */
  onRowError?: (error: AppError, rowNumber: number) => void;
  /** What `recorded_at` becomes where the export has none. Default now. */
  nowMs?: number;
}

/** Which of our export formats the file is, by its content; null when neither. */
export async function recognizeExport(file: ExportFile): Promise<"parquet" | "jsonl" | null> {
  const { blob } = file;
  const head = new Uint8Array(await blob.slice(0, 4).arrayBuffer());
  const tail = new Uint8Array(await blob.slice(Math.max(0, blob.size - 4)).arrayBuffer());
  const isMagic = (bytes: Uint8Array) => String.fromCharCode(...bytes) === "PAR1";
  if (blob.size >= 12 && isMagic(head)) return isMagic(tail) ? "parquet" : null;
  try {
    for await (const line of readLines(blob)) {
      if ("error" in line) return null;
      const record = parseLine(line.text, "The first line");
      const isRecord = typeof record["memory_id"] === "string" && "timestamp" in record;
      return isRecord ? "jsonl" : null;
    }
  } catch (error) {
    return error instanceof AppError && error.code === "unsupported_version" ? "jsonl" : null;
  }
  return null;
}

type Row = { number: number; record: () => ExportRecord };

async function* jsonlRows(blob: Blob): AsyncGenerator<Row[]> {
  let rows: Row[] = [];
  for await (const line of readLines(blob)) {
    rows.push({
      number: line.number,
      record: () => {
        if ("error" in line) throw line.error;
        return parseLine(line.text, `Line ${line.number}`);
      },
    });
    if (rows.length === BATCH_SIZE) {
      yield rows;
      rows = [];
    }
  }
  if (rows.length > 0) yield rows;
}

async function* parquetRows(file: ExportFile): AsyncGenerator<Row[]> {
  for await (const rows of readParquetRecords(file.path, file.blob))
    yield rows.map(({ number, record }) => ({ number, record: () => record }));
}

/**
 * The memories of an export, in batches. `unsupported_input` when the file is no export,
 * `unsupported_version` when a newer program wrote it, `corrupt_data` when it is damaged.
 */
export async function* readExport(
  file: ExportFile,
  options: ReadExportOptions = {},
): AsyncGenerator<PortableMemory[]> {
  const format = await recognizeExport(file);
  if (!format)
    throw new AppError("unsupported_input", `“${file.path}” is not an export of memories.`, {
      hint: "Give a .parquet or .jsonl file written by an export; a cut-off Parquet file can't be read.",
    });
  const nowMs = options.nowMs ?? Date.now();
  const label = format === "parquet" ? "Row" : "Line";
  for await (const rows of format === "parquet" ? parquetRows(file) : jsonlRows(file.blob)) {
    const memories: PortableMemory[] = [];
    for (const { number, record } of rows) {
      try {
        memories.push(await fromRecord(record(), `${label} ${number}`, nowMs));
      } catch (error) {
        const failure = toError(error);
        if (!(failure instanceof AppError) || !options.onRowError) throw failure;
        options.onRowError(failure, number);
      }
    }
    if (memories.length > 0) yield memories;
  }
}
