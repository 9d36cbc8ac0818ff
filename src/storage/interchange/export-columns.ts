/**
 * The columns of a Parquet export: the given interchange schema (V2) exactly, then ours (V3).
 *
 * Parquet knows no fixed-size lists, so the Arrow schema travels in the file's `ARROW:schema`
 * metadata: Arrow readers restore `fixed_size_list<float32>[384]` from it, others see a list.
 */

import {
  Binary,
  type DataType,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int64,
  List,
  Map_,
  Schema,
  Struct,
  Table,
  tableToIPC,
  Utf8,
} from "apache-arrow";
import type { SchemaElement } from "hyparquet";
import { dequantizeVector, EMBEDDING_DIMENSIONS } from "../../model/vector.ts";
import { toBase64 } from "./base64.ts";
import type { PortableMemory } from "./portable-memory.ts";

export interface ExportColumn {
  name: string;
  /** The Arrow field; the Parquet elements are those that Arrow's own writer would make of it. */
  field: Field;
  elements: SchemaElement[];
  /** Written without a dictionary: its values hardly repeat. */
  plain: boolean;
  get(memory: PortableMemory): unknown;
}

type Leaf = Pick<SchemaElement, "type" | "converted_type" | "logical_type">;
const LEAVES: [DataType, Leaf][] = [
  [new Utf8(), { type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } }],
  [new Binary(), { type: "BYTE_ARRAY" }],
  [new Int64(), { type: "INT64" }],
  [new Float32(), { type: "FLOAT" }],
  [new Float64(), { type: "DOUBLE" }],
];
const [UTF8, BINARY, INT64, FLOAT32, FLOAT64] = LEAVES as [
  (typeof LEAVES)[0],
  (typeof LEAVES)[0],
  (typeof LEAVES)[0],
  (typeof LEAVES)[0],
  (typeof LEAVES)[0],
];

const repetition = (nullable: boolean) => (nullable ? "OPTIONAL" : "REQUIRED");

function leaf(
  name: string,
  [type, element]: [DataType, Leaf],
  get: ExportColumn["get"],
  options: { nullable?: boolean; plain?: boolean } = {},
): ExportColumn {
  const nullable = options.nullable ?? false;
  return {
    name,
    field: new Field(name, type, nullable),
    elements: [{ name, ...element, repetition_type: repetition(nullable) }],
    plain: options.plain ?? false,
    get,
  };
}

/** Fields inside nested types are nullable, as in the types that Arrow's constructors make. */
function inner(name: string, [type, element]: [DataType, Leaf]): [Field, SchemaElement] {
  return [new Field(name, type, true), { name, ...element, repetition_type: "OPTIONAL" }];
}

function embeddingColumn(): ExportColumn {
  const name = "embedding";
  const [item, element] = inner("element", FLOAT32);
  return {
    name,
    field: new Field(name, new FixedSizeList(EMBEDDING_DIMENSIONS, item), true),
    elements: [
      { name, repetition_type: "OPTIONAL", converted_type: "LIST", num_children: 1 },
      { name: "list", repetition_type: "REPEATED", num_children: 1 },
      element,
    ],
    plain: true,
    get: (memory) => (memory.embedding ? Array.from(dequantizeVector(memory.embedding)) : null),
  };
}

function entitiesColumn(): ExportColumn {
  const name = "entities";
  const parts = [inner("text", UTF8), inner("type", UTF8), inner("confidence", FLOAT32)];
  const struct = new Struct(parts.map(([field]) => field));
  return {
    name,
    field: new Field(name, new List(new Field("element", struct, true)), false),
    elements: [
      { name, repetition_type: "REQUIRED", converted_type: "LIST", num_children: 1 },
      { name: "list", repetition_type: "REPEATED", num_children: 1 },
      { name: "element", repetition_type: "OPTIONAL", num_children: parts.length },
      ...parts.map(([, element]) => element),
    ],
    plain: false,
    get: (memory) => memory.entities,
  };
}

function metadataColumn(): ExportColumn {
  const name = "metadata";
  const key = new Field("key", new Utf8(), false);
  const [value, valueElement] = inner("value", UTF8);
  const entries = new Field(
    "key_value",
    new Struct<{ key: Utf8; value: Utf8 }>([key, value as Field<Utf8>]),
    false,
  );
  return {
    name,
    field: new Field(name, new Map_(entries), false),
    elements: [
      { name, repetition_type: "REQUIRED", converted_type: "MAP", num_children: 1 },
      { name: "key_value", repetition_type: "REPEATED", num_children: 2 },
      { name: "key", ...UTF8[1], repetition_type: "REQUIRED" },
      valueElement,
    ],
    plain: false,
    get: (memory) => Object.entries(memory.metadata).map(([k, v]) => ({ key: k, value: v })),
  };
}

function qualityColumn(): ExportColumn {
  const name = "quality";
  const names = ["similarity", "coverage", "entity_recall", "number_recall", "faithfulness"];
  const parts = names.map((part) => inner(part, FLOAT64));
  return {
    name,
    field: new Field(name, new Struct(parts.map(([field]) => field)), false),
    elements: [
      { name, repetition_type: "REQUIRED", num_children: parts.length },
      ...parts.map(([, element]) => element),
    ],
    plain: false,
    get: ({ quality }) => ({
      similarity: quality.similarity,
      coverage: quality.coverage,
      entity_recall: quality.entityRecall,
      number_recall: quality.numberRecall,
      faithfulness: quality.faithfulness,
    }),
  };
}

const bigintOrNull = (value: number | null) => (value === null ? null : BigInt(value));
const nullable = { nullable: true };

/** In the order of the file: V2 first. */
export const EXPORT_COLUMNS: readonly ExportColumn[] = [
  leaf("memory_id", UTF8, (memory) => memory.id, { plain: true }),
  leaf("content", UTF8, (memory) => memory.content, nullable),
  embeddingColumn(),
  leaf("summary", UTF8, (memory) => memory.summary),
  entitiesColumn(),
  leaf("timestamp", INT64, (memory) => BigInt(memory.timestamp)),
  leaf("activation_level", FLOAT32, (memory) => memory.activation),
  metadataColumn(),
  leaf("recorded_at", INT64, (memory) => BigInt(memory.recordedAt)),
  leaf("user_id", UTF8, (memory) => memory.userId),
  leaf("keep", UTF8, (memory) => memory.keep),
  leaf("mode", UTF8, (memory) => memory.mode),
  leaf("model", UTF8, (memory) => memory.model),
  qualityColumn(),
  leaf("episode_id", UTF8, (memory) => memory.episodeId, nullable),
  leaf("previous_id", UTF8, (memory) => memory.previousId, nullable),
  leaf("next_id", UTF8, (memory) => memory.nextId, nullable),
  leaf("supersedes", UTF8, (memory) => memory.supersedes, nullable),
  leaf("superseded_by", UTF8, (memory) => memory.supersededBy, nullable),
  leaf("valid_from", INT64, (memory) => bigintOrNull(memory.validFrom), nullable),
  leaf("valid_to", INT64, (memory) => bigintOrNull(memory.validTo), nullable),
  leaf("content_sha256", UTF8, (memory) => memory.contentSha256, { plain: true }),
  leaf("original_bytes", INT64, (memory) => BigInt(memory.originalBytes)),
  leaf("stored_bytes", INT64, (memory) => BigInt(memory.storedBytes)),
  leaf("embedding_model", UTF8, (memory) => memory.embeddingModel, nullable),
  // The step of the INT8 codes that `embedding` was made of: restores them exactly.
  leaf("embedding_scale", FLOAT32, (memory) => memory.embedding?.scale ?? null, nullable),
  leaf("envelope", BINARY, (memory) => memory.envelope, nullable),
];

export const PARQUET_SCHEMA: SchemaElement[] = [
  { name: "schema", num_children: EXPORT_COLUMNS.length },
  ...EXPORT_COLUMNS.flatMap((column) => column.elements),
];

/** The value of `ARROW:schema`: the schema message of an Arrow IPC stream, in base64. */
export function arrowSchemaMetadata(): string {
  const schema = new Schema(EXPORT_COLUMNS.map((column) => column.field));
  const stream = tableToIPC(new Table(schema), "stream");
  const length = 8 + new DataView(stream.buffer, stream.byteOffset).getInt32(4, true);
  return toBase64(stream.subarray(0, length));
}
