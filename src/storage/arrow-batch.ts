/**
 * Rows as Arrow record batches (IPC streaming format) for the journal. A journal keeps the schema
 * message once; each frame holds one batch message, so that schema + batches is one Arrow stream.
 */

import {
  Binary,
  Field,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  Map_,
  Struct,
  Table,
  Utf8,
  tableFromIPC,
  tableToIPC,
  vectorFromArray,
  type DataType,
  type Vector,
} from "apache-arrow";
import { AppError } from "../errors.ts";
import { concatBytes } from "./bytes.ts";
import {
  COLUMNS,
  rowFromCells,
  type Cells,
  type ColumnKind,
  type MetadataCells,
  type StoredRow,
} from "./stored-row.ts";

const END_OF_STREAM = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

const required = (name: string, type: DataType) => new Field(name, type, false);
const nullable = (name: string, type: DataType) => new Field(name, type, true);

/** The Arrow types of the columns; `text` is the type of every string in them. */
function arrowTypes(text: DataType): Record<ColumnKind, DataType> {
  return {
    utf8: text,
    bytes: new Binary(),
    int64: new Int64(),
    int32: new Int32(),
    float32: new Float32(),
    entities: new List(
      required(
        "item",
        new Struct([
          required("text", text),
          required("type", text),
          required("confidence", new Float32()),
        ]),
      ),
    ),
    metadata: new Map_(
      required("entries", new Struct([required("key", text), required("value", text)])) as Field<
        Struct<{ key: DataType; value: DataType }>
      >,
    ),
    quality: new Struct([
      nullable("similarity", new Float64()),
      nullable("coverage", new Float64()),
      required("entity_recall", new Float64()),
      required("number_recall", new Float64()),
      required("faithfulness", new Float64()),
    ]),
  };
}

const TYPES = arrowTypes(new Utf8());
// A byte order mark at the start of a text belongs to the text.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function toArrowValue(kind: ColumnKind, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (kind === "int64") return BigInt(value as number);
  if (kind === "metadata")
    return new Map((value as MetadataCells).map((cell) => [cell.key, cell.value]));
  return value;
}

type Json = { toJSON(): Record<string, unknown> };
const decode = (bytes: unknown) => decoder.decode(bytes as Uint8Array);

function fromArrowValue(kind: ColumnKind, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  switch (kind) {
    case "utf8":
      return decode(value);
    case "entities":
      return Array.from(value as Iterable<Json>, (item) => {
        const { text, type, confidence } = item.toJSON();
        return { text: decode(text), type: decode(type), confidence };
      });
    case "metadata":
      return Array.from(value as Iterable<[unknown, unknown]>, ([key, cell]) => ({
        key: decode(key),
        value: decode(cell),
      }));
    case "quality":
      return (value as Json).toJSON();
    case "bytes":
      return (value as Uint8Array).slice();
    default:
      return value;
  }
}

function toTable(rows: readonly StoredRow[], types: Record<ColumnKind, DataType>): Table {
  const columns: Record<string, Vector> = {};
  for (const { name, kind, get } of COLUMNS)
    columns[name] = vectorFromArray(
      rows.map((row) => toArrowValue(kind, get(row))),
      types[kind],
    );
  return new Table(columns);
}

/** Length of the first message: continuation mark, metadata length, metadata (a schema has no body). */
function schemaLength(stream: Uint8Array): number {
  return 8 + new DataView(stream.buffer, stream.byteOffset).getInt32(4, true);
}

function schemaOf(types: Record<ColumnKind, DataType>): Uint8Array {
  const stream = tableToIPC(toTable([], types), "stream");
  return stream.slice(0, schemaLength(stream));
}

let schemaMessage: Uint8Array | undefined;
let readingSchema: Uint8Array | undefined;

/** The message that begins every stream of these batches. */
export function arrowSchemaMessage(): Uint8Array {
  return (schemaMessage ??= schemaOf(TYPES));
}

/** One batch message; append it to `arrowSchemaMessage()` for a readable stream. */
export function encodeBatch(rows: readonly StoredRow[]): Uint8Array {
  const stream = tableToIPC(toTable(rows, TYPES), "stream");
  return stream.subarray(schemaLength(stream), stream.length - END_OF_STREAM.length);
}

/**
 * The rows of one batch message. `corrupt_data` when it isn't one.
 *
 * Read with binary in the place of text, which lies in memory alike: the library's own decoder of
 * strings drops a byte order mark.
 */
export function decodeBatch(batch: Uint8Array): StoredRow[] {
  readingSchema ??= schemaOf(arrowTypes(new Binary()));
  try {
    const table = tableFromIPC(concatBytes([readingSchema, batch, END_OF_STREAM]));
    const columns = COLUMNS.map((spec) => {
      const vector = table.getChild(spec.name);
      if (!vector) throw new Error(`no column ${spec.name}`);
      return { spec, vector };
    });
    return Array.from({ length: table.numRows }, (_, i) => {
      const cells: Cells = {};
      for (const { spec, vector } of columns)
        cells[spec.name] = fromArrowValue(spec.kind, vector.get(i));
      return rowFromCells(cells);
    });
  } catch (cause) {
    throw new AppError("corrupt_data", "A batch of memories in the journal can't be decoded.", {
      cause,
    });
  }
}
