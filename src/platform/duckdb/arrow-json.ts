/** DuckDB's Arrow results as plain JSON values and SQL type names. */

import { DataType, Precision, type Struct, TimeUnit, type Vector } from "apache-arrow";

/** The SQL name of an Arrow type, as DuckDB would print it. */
export function sqlTypeName(type: DataType): string {
  if (DataType.isNull(type)) return "NULL";
  if (DataType.isBool(type)) return "BOOLEAN";
  if (DataType.isInt(type)) {
    const name = { 8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT" }[type.bitWidth];
    return type.isSigned ? name : `U${name}`;
  }
  if (DataType.isFloat(type)) return type.precision === Precision.DOUBLE ? "DOUBLE" : "FLOAT";
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return "VARCHAR";
  if (DataType.isBinary(type) || DataType.isLargeBinary(type) || DataType.isFixedSizeBinary(type))
    return "BLOB";
  if (DataType.isDecimal(type))
    return type.precision === 38 && type.scale === 0
      ? "HUGEINT"
      : `DECIMAL(${type.precision},${type.scale})`;
  if (DataType.isDate(type)) return "DATE";
  if (DataType.isTime(type)) return "TIME";
  if (DataType.isTimestamp(type)) return type.timezone ? "TIMESTAMP WITH TIME ZONE" : "TIMESTAMP";
  if (DataType.isInterval(type)) return "INTERVAL";
  if (DataType.isDictionary(type)) return "ENUM";
  if (DataType.isMap(type)) {
    const [key, value] = (type.childType as Struct).children;
    return `MAP(${sqlTypeName(key!.type)}, ${sqlTypeName(value!.type)})`;
  }
  if (DataType.isList(type)) return `${sqlTypeName(type.valueType)}[]`;
  if (DataType.isFixedSizeList(type)) return `${sqlTypeName(type.valueType)}[${type.listSize}]`;
  if (DataType.isStruct(type))
    return `STRUCT(${type.children.map((field) => `${field.name} ${sqlTypeName(field.type)}`).join(", ")})`;
  return String(type).toUpperCase();
}

/** bigint within ±2^53 as number, else as decimal string. */
function integer(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function float(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

/** Little-endian two's complement words → bigint. */
function wordsToBigInt(words: Uint32Array): bigint {
  let value = 0n;
  for (let i = words.length - 1; i >= 0; i--) value = (value << 32n) | BigInt(words[i]!);
  return BigInt.asIntN(words.length * 32, value);
}

function decimal(words: Uint32Array, scale: number): number | string {
  const value = wordsToBigInt(words);
  if (scale === 0) return integer(value);
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, "0");
  const text = `${value < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return digits.length <= 15 ? Number(text) : text;
}

function isoTime(value: number | bigint, unit: TimeUnit): string {
  const perSecond = { 0: 1, 1: 1e3, 2: 1e6, 3: 1e9 }[unit];
  const seconds = Number(value) / perSecond;
  const pad = (part: number): string => String(Math.floor(part)).padStart(2, "0");
  const fraction = (seconds % 1)
    .toFixed(6)
    .slice(1)
    .replace(/\.?0+$/, "");
  return `${pad(seconds / 3600)}:${pad((seconds / 60) % 60)}:${pad(seconds % 60)}${fraction}`;
}

/** An ISO date or instant; a time beyond what `Date` can hold stays a number. */
function isoDate(ms: number, dateOnly: boolean): string | number {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return ms;
  return dateOnly ? date.toISOString().slice(0, 10) : date.toISOString();
}

/** ISO 8601 duration of [months, days, nanoseconds low, high]. */
function duration(parts: Int32Array): string {
  const nanos = (BigInt(parts[3] ?? 0) << 32n) | BigInt((parts[2] ?? 0) >>> 0);
  const seconds = Number(nanos) / 1e9;
  const months = parts[0] ? `${parts[0]}M` : "";
  const days = parts[1] ? `${parts[1]}D` : "";
  const time = seconds !== 0 || (!months && !days) ? `T${seconds}S` : "";
  return `P${months}${days}${time}`;
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x2000)
    text += String.fromCharCode(...bytes.subarray(i, i + 0x2000));
  return btoa(text);
}

/** One value of an Arrow vector as plain JSON: lists → arrays, structs and maps → objects, BLOB → base64, dates → ISO strings. */
export function toJsonValue(value: unknown, type: DataType): unknown {
  if (value === null || value === undefined) return null;
  if (DataType.isInt(type)) return typeof value === "bigint" ? integer(value) : value;
  if (DataType.isFloat(type)) return float(value as number);
  if (DataType.isDecimal(type)) return decimal(value as Uint32Array, type.scale);
  if (DataType.isDate(type)) return isoDate(Number(value), true);
  if (DataType.isTimestamp(type)) return isoDate(Number(value), false);
  if (DataType.isTime(type)) return isoTime(value as number | bigint, type.unit);
  if (DataType.isInterval(type)) return duration(value as Int32Array);
  if (value instanceof Uint8Array) return base64(value);
  if (DataType.isDictionary(type)) return toJsonValue(value, type.dictionary);
  if (DataType.isMap(type)) {
    const valueType = (type.childType as Struct).children[1]!.type;
    return Object.fromEntries(
      Array.from(value as Iterable<[unknown, unknown]>, ([key, item]) => [
        String(key),
        toJsonValue(item, valueType),
      ]),
    );
  }
  if (DataType.isList(type) || DataType.isFixedSizeList(type))
    return Array.from(value as Vector, (item) => toJsonValue(item, type.valueType));
  if (DataType.isStruct(type)) {
    const row = value as Record<string, unknown>;
    return Object.fromEntries(
      type.children.map((field) => [field.name, toJsonValue(row[field.name], field.type)]),
    );
  }
  return typeof value === "bigint" ? integer(value) : value;
}
