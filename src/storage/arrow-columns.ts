/**
 * Columns of rows as the buffers of Arrow arrays, both ways, without an object or a call of the
 * library per value: a journal of 100,000 rows is read while its store opens. Used by
 * `arrow-batch.ts`, which puts them into batches.
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
  Utf8,
  makeData,
  type Data,
  type DataType,
} from "apache-arrow";
import {
  utf8Length,
  type ColumnKind,
  type EntityCells,
  type MetadataCells,
  type QualityCells,
} from "./stored-row.ts";

const required = (name: string, type: DataType) => new Field(name, type, false);
const nullable = (name: string, type: DataType) => new Field(name, type, true);

/** The Arrow types of the columns; `text` is the type of every string in them. */
export function arrowTypes(text: DataType): Record<ColumnKind, DataType> {
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

export const TYPES = arrowTypes(new Utf8());

const encoder = new TextEncoder();
// A byte order mark at the start of a text belongs to the text.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

interface Validity {
  nullCount: number;
  nullBitmap: Uint8Array | null;
}

function validityOf(values: readonly unknown[]): Validity {
  let nullBitmap: Uint8Array | null = null;
  let nullCount = 0;
  for (let i = 0; i < values.length; i++) {
    if (values[i] !== null) continue;
    nullBitmap ??= new Uint8Array((values.length + 7) >> 3).fill(0xff);
    nullBitmap[i >> 3]! &= ~(1 << (i & 7));
    nullCount++;
  }
  return { nullCount, nullBitmap };
}

/** All strings are encoded at once; where that gave one byte per unit, lengths are known without counting. */
function textData(values: readonly (string | null)[]): Data<Utf8> {
  const joined = values.join("");
  const data = encoder.encode(joined);
  const plain = data.length === joined.length;
  const valueOffsets = new Int32Array(values.length + 1);
  let end = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value) end += plain ? value.length : utf8Length(value);
    valueOffsets[i + 1] = end;
  }
  return makeData({
    type: TYPES.utf8 as Utf8,
    length: values.length,
    ...validityOf(values),
    valueOffsets,
    data,
  });
}

function bytesData(values: readonly (Uint8Array | null)[]): Data<Binary> {
  const valueOffsets = new Int32Array(values.length + 1);
  values.forEach((value, i) => (valueOffsets[i + 1] = valueOffsets[i]! + (value?.length ?? 0)));
  const data = new Uint8Array(valueOffsets[values.length]!);
  values.forEach((value, i) => value && data.set(value, valueOffsets[i]));
  return makeData({
    type: TYPES.bytes as Binary,
    length: values.length,
    ...validityOf(values),
    valueOffsets,
    data,
  });
}

function int64Data(values: readonly (number | null)[]): Data<Int64> {
  const words = new Int32Array(2 * values.length);
  values.forEach((value, i) => {
    if (value === null) return;
    words[2 * i] = value % 2 ** 32;
    words[2 * i + 1] = Math.floor(value / 2 ** 32);
  });
  return makeData({
    type: TYPES.int64 as Int64,
    length: values.length,
    ...validityOf(values),
    data: new BigInt64Array(words.buffer),
  });
}

function floatData(values: readonly (number | null)[], bits: 32 | 64): Data {
  const filled = values.map((value) => value ?? 0);
  const common = { length: values.length, ...validityOf(values) };
  return bits === 32
    ? makeData({ type: new Float32(), ...common, data: Float32Array.from(filled) })
    : makeData({ type: new Float64(), ...common, data: Float64Array.from(filled) });
}

function offsetsOf(values: readonly { length: number }[]): Int32Array {
  const offsets = new Int32Array(values.length + 1);
  values.forEach(({ length }, i) => (offsets[i + 1] = offsets[i]! + length));
  return offsets;
}

function structData(type: DataType, children: readonly Data[]): Data<Struct> {
  const length = children[0]!.length;
  return makeData({ type: type as Struct, length, nullCount: 0, children: [...children] });
}

/** One column of a batch. @param values as `ColumnSpec.get` gives them */
export function columnData(kind: ColumnKind, values: readonly unknown[]): Data {
  switch (kind) {
    case "utf8":
      return textData(values as (string | null)[]);
    case "bytes":
      return bytesData(values as (Uint8Array | null)[]);
    case "int64":
      return int64Data(values as (number | null)[]);
    case "int32":
      return makeData({
        type: TYPES.int32 as Int32,
        length: values.length,
        nullCount: 0,
        data: Int32Array.from(values as number[]),
      });
    case "float32":
      return floatData(values as (number | null)[], 32);
    case "entities": {
      const lists = values as EntityCells[];
      const items = lists.flat();
      const type = TYPES.entities as List;
      return makeData({
        type,
        length: lists.length,
        nullCount: 0,
        valueOffsets: offsetsOf(lists),
        child: structData(type.valueType, [
          textData(items.map((item) => item.text)),
          textData(items.map((item) => item.type)),
          floatData(
            items.map((item) => item.confidence),
            32,
          ),
        ]),
      });
    }
    case "metadata": {
      const lists = values as MetadataCells[];
      const items = lists.flat();
      const type = TYPES.metadata as Map_<DataType, DataType>;
      return makeData({
        type,
        length: lists.length,
        nullCount: 0,
        valueOffsets: offsetsOf(lists),
        child: structData(type.children[0]!.type, [
          textData(items.map((item) => item.key)),
          textData(items.map((item) => item.value)),
        ]),
      });
    }
    case "quality": {
      const cells = values as QualityCells[];
      return structData(
        TYPES.quality,
        QUALITY_KEYS.map((key) =>
          floatData(
            cells.map((cell) => cell[key]),
            64,
          ),
        ),
      );
    }
  }
}

const QUALITY_KEYS = [
  "similarity",
  "coverage",
  "entity_recall",
  "number_recall",
  "faithfulness",
] as const;

/** `Data` as a reader gives it, with the fields that its type has. */
interface Buffers {
  length: number;
  offset: number;
  nullCount: number;
  nullBitmap: Uint8Array;
  valueOffsets: Int32Array;
  values: unknown;
  children: Buffers[];
}

function isNull({ nullCount, nullBitmap, offset }: Buffers, index: number): boolean {
  if (nullCount <= 0 || nullBitmap.length === 0) return false;
  const bit = offset + index;
  return (nullBitmap[bit >> 3]! & (1 << (bit & 7))) === 0;
}

/** Texts of a binary array, all decoded at once where they are ASCII. Parts of one string share its memory. */
function readTexts(data: Buffers, of: "column" | "cells" = "column"): (string | null)[] {
  const { valueOffsets: offsets, length } = data;
  const bytes = data.values as Uint8Array;
  const from = offsets[0]!;
  const whole = decoder.decode(bytes.subarray(from, offsets[length]!));
  const plain = whole.length === offsets[length]! - from;
  const texts = new Array<string | null>(length);
  const known = new Map<string, string>();
  for (let i = 0; i < length; i++) {
    if (isNull(data, i)) {
      texts[i] = null;
      continue;
    }
    const [start, end] = [offsets[i]!, offsets[i + 1]!];
    if (!plain) texts[i] = decoder.decode(bytes.subarray(start, end));
    else if (of === "column") texts[i] = whole.slice(start - from, end - from);
    else {
      // Cells that are alike become one string, which keeps nothing else alive.
      const part = whole.slice(start - from, end - from);
      let text = known.get(part);
      if (text === undefined) {
        text = decoder.decode(bytes.subarray(start, end));
        known.set(text, text);
      }
      texts[i] = text;
    }
  }
  return texts;
}

/** Views of one copy, so that a row doesn't keep the whole batch. */
function readBytes(data: Buffers): (Uint8Array | null)[] {
  const { valueOffsets: offsets, length } = data;
  const bytes = (data.values as Uint8Array).slice(offsets[0], offsets[length]);
  return Array.from({ length }, (_, i) =>
    isNull(data, i)
      ? null
      : bytes.subarray(offsets[i]! - offsets[0]!, offsets[i + 1]! - offsets[0]!),
  );
}

function readInt64(data: Buffers): (number | null)[] {
  const values = data.values as BigInt64Array;
  const words = new Int32Array(values.buffer, values.byteOffset, 2 * values.length);
  return Array.from({ length: data.length }, (_, i) =>
    isNull(data, i) ? null : words[2 * i + 1]! * 2 ** 32 + (words[2 * i]! >>> 0),
  );
}

function readNumbers(data: Buffers): (number | null)[] {
  const values = data.values as ArrayLike<number>;
  return Array.from({ length: data.length }, (_, i) => (isNull(data, i) ? null : values[i]!));
}

/** The cells of one column, in the form that `rowFromCells` takes. Text columns are read as binary. */
export function readColumn(kind: ColumnKind, data: Data): unknown[] {
  const own = data as unknown as Buffers;
  switch (kind) {
    case "utf8":
      return readTexts(own);
    case "bytes":
      return readBytes(own);
    case "int64":
      return readInt64(own);
    case "int32":
    case "float32":
      return readNumbers(own);
    case "entities": {
      const [texts, types, confidences] = own.children[0]!.children as [Buffers, Buffers, Buffers];
      const text = readTexts(texts, "cells");
      const type = readTexts(types, "cells");
      const confidence = readNumbers(confidences);
      return lists(own, (at) => ({
        text: text[at],
        type: type[at],
        confidence: confidence[at],
      }));
    }
    case "metadata": {
      const [keys, cells] = own.children[0]!.children as [Buffers, Buffers];
      const key = readTexts(keys, "cells");
      const value = readTexts(cells, "cells");
      return lists(own, (at) => ({ key: key[at], value: value[at] }));
    }
    case "quality": {
      const [similarity, coverage, entities, numbers, faithfulness] = own.children.map(readNumbers);
      return Array.from({ length: own.length }, (_, i) => ({
        similarity: similarity![i],
        coverage: coverage![i],
        entity_recall: entities![i],
        number_recall: numbers![i],
        faithfulness: faithfulness![i],
      }));
    }
  }
}

function lists<T>({ valueOffsets, length }: Buffers, item: (at: number) => T): T[][] {
  return Array.from({ length }, (_, i) => {
    const found: T[] = [];
    for (let at = valueOffsets[i]!; at < valueOffsets[i + 1]!; at++) found.push(item(at));
    return found;
  });
}
