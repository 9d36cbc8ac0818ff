/**
 * Rows as Arrow record batches (IPC streaming format) for the journal. A journal keeps the schema
 * message once; each frame holds one batch message, so that schema + batches is one Arrow stream.
 */

import {
  Binary,
  Field,
  RecordBatch,
  Schema,
  Struct,
  Table,
  makeData,
  tableFromIPC,
  tableToIPC,
  type Data,
  type DataType,
} from "apache-arrow";
import { AppError } from "../errors.ts";
import { TYPES, arrowTypes, columnData, readColumn } from "./arrow-columns.ts";
import { concatBytes } from "./bytes.ts";
import {
  COLUMNS,
  FIRST_COLUMNS,
  rowsFromColumns,
  type ColumnKind,
  type StoredRow,
} from "./stored-row.ts";

const CONTENT = COLUMNS.findIndex(({ name }) => name === "content");
const END_OF_STREAM = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

function schemaFor(types: Record<ColumnKind, DataType>, columnCount = COLUMNS.length): Schema {
  const columns = COLUMNS.slice(0, columnCount);
  return new Schema(columns.map(({ name, kind }) => new Field(name, types[kind], true)));
}

function toTable(rows: readonly StoredRow[]): Table {
  const schema = schemaFor(TYPES);
  const values = transpose(rows);
  const children: Data[] = [];
  COLUMNS.forEach(({ name, kind }, i) => {
    // Short texts are their own summaries: encoded once.
    const twin = name === "summary" ? CONTENT : -1;
    const isSame = twin >= 0 && values[i]!.every((value, row) => value === values[twin]![row]);
    children.push(isSame ? children[twin]! : columnData(kind, values[i]!));
  });
  const type = new Struct(schema.fields);
  return new Table([
    new RecordBatch(schema, makeData({ type, length: rows.length, nullCount: 0, children })),
  ]);
}

/** Few enough that they stay in the processor's cache while each column is taken from them. */
const BLOCK_ROWS = 128;

function transpose(rows: readonly StoredRow[]): unknown[][] {
  const values = COLUMNS.map(() => new Array<unknown>(rows.length));
  for (let from = 0; from < rows.length; from += BLOCK_ROWS) {
    const end = Math.min(rows.length, from + BLOCK_ROWS);
    COLUMNS.forEach(({ get }, column) => {
      for (let i = from; i < end; i++) values[column]![i] = get(rows[i]!);
    });
  }
  return values;
}

/** Length of the first message: continuation mark, metadata length, metadata (a schema has no body). */
function schemaLength(stream: Uint8Array): number {
  return 8 + new DataView(stream.buffer, stream.byteOffset).getInt32(4, true);
}

function schemaOf(types: Record<ColumnKind, DataType>, columnCount?: number): Uint8Array {
  const stream = tableToIPC(new Table(schemaFor(types, columnCount)), "stream");
  return stream.slice(0, schemaLength(stream));
}

let schemaMessage: Uint8Array | undefined;
const readingSchemas = new Map<number, Uint8Array>();

function readingSchema(columnCount: number): Uint8Array {
  let schema = readingSchemas.get(columnCount);
  if (!schema) {
    schema = schemaOf(arrowTypes(new Binary()), columnCount);
    readingSchemas.set(columnCount, schema);
  }
  return schema;
}

/** How many columns the batches of a journal have that begins with this schema. `corrupt_data`. */
export function columnsOfSchema(message: Uint8Array): number {
  try {
    const { fields } = tableFromIPC(concatBytes([message, END_OF_STREAM])).schema;
    const known = fields.every(({ name }, i) => name === COLUMNS[i]?.name);
    if (!known || fields.length < FIRST_COLUMNS) throw new Error("it has other columns");
    return fields.length;
  } catch (cause) {
    throw new AppError("corrupt_data", "The schema of a journal can't be decoded.", { cause });
  }
}

/** The message that begins every stream of these batches. */
export function arrowSchemaMessage(): Uint8Array {
  return (schemaMessage ??= schemaOf(TYPES));
}

/** One batch message; append it to `arrowSchemaMessage()` for a readable stream. */
export function encodeBatch(rows: readonly StoredRow[]): Uint8Array {
  const stream = tableToIPC(toTable(rows), "stream");
  return stream.subarray(schemaLength(stream), stream.length - END_OF_STREAM.length);
}

/**
 * The rows of one batch message. `corrupt_data` when it isn't one.
 *
 * Read with binary in the place of text, which lies in memory alike: the library's own decoder of
 * strings drops a byte order mark.
 * @param columnCount of the journal's schema, see `columnsOfSchema`
 */
export function decodeBatch(batch: Uint8Array, columnCount = COLUMNS.length): StoredRow[] {
  try {
    const schema = readingSchema(columnCount);
    const table = tableFromIPC(concatBytes([schema, batch, END_OF_STREAM]));
    return table.batches.flatMap(({ data, numRows }) => {
      const columns: Record<string, unknown[]> = {};
      COLUMNS.slice(0, columnCount).forEach(({ name, kind }, i) => {
        columns[name] = readColumn(kind, data.children[i]!);
      });
      return rowsFromColumns(columns, numRows);
    });
  } catch (cause) {
    throw new AppError("corrupt_data", "A batch of memories in the journal can't be decoded.", {
      cause,
    });
  }
}
