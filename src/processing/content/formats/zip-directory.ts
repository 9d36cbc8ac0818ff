/**
 * The central directory of a ZIP archive (APPNOTE 4.3, ZIP64 included), read from the end of the file
 * so that entries can be sliced out without unpacking the others.
 */

import { readBytes } from "../blob-reader.ts";

export interface ZipEntry {
  name: string;
  /** 0 stored, 8 deflate. */
  method: number;
  encrypted: boolean;
  crc: number;
  compressedBytes: number;
  bytes: number;
  /** Offset of the local header. */
  headerOffset: number;
  /** ms since epoch, local time as ZIP keeps it. */
  modified: number | undefined;
}

const END = 0x06054b50;
const END64_LOCATOR = 0x07064b50;
const END64 = 0x06064b50;
const ENTRY = 0x02014b50;
const MAX_COMMENT = 65_557;
/** A directory above this isn't read. */
const MAX_DIRECTORY_BYTES = 256 * 1024 * 1024;

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

interface DirectoryPlace {
  offset: number;
  bytes: number;
}

async function findDirectory(blob: Blob): Promise<DirectoryPlace | null> {
  const tailStart = Math.max(0, blob.size - MAX_COMMENT);
  const tail = viewOf(await readBytes(blob, tailStart));
  for (let at = tail.byteLength - 22; at >= 0; at--) {
    if (tail.getUint32(at, true) !== END) continue;
    const place = { bytes: tail.getUint32(at + 12, true), offset: tail.getUint32(at + 16, true) };
    if (
      place.offset === 0xffffffff ||
      place.bytes === 0xffffffff ||
      tail.getUint16(at + 10, true) === 0xffff
    ) {
      const locator = tailStart + at - 20;
      if (locator < 0) return null;
      const pointer = viewOf(await readBytes(blob, locator, locator + 20));
      if (pointer.byteLength < 20 || pointer.getUint32(0, true) !== END64_LOCATOR) return null;
      const end64 = Number(pointer.getBigUint64(8, true));
      const record = viewOf(await readBytes(blob, end64, end64 + 56));
      if (record.byteLength < 56 || record.getUint32(0, true) !== END64) return null;
      place.bytes = Number(record.getBigUint64(40, true));
      place.offset = Number(record.getBigUint64(48, true));
    }
    return place.offset + place.bytes <= blob.size && place.bytes <= MAX_DIRECTORY_BYTES
      ? place
      : null;
  }
  return null;
}

function dosTime(date: number, time: number): number | undefined {
  if (date === 0) return undefined;
  const value = new Date(
    1980 + (date >> 9),
    ((date >> 5) & 15) - 1,
    date & 31,
    time >> 11,
    (time >> 5) & 63,
    (time & 31) * 2,
  ).getTime();
  return Number.isNaN(value) ? undefined : value;
}

/** The entries as the directory lists them; null when there is none (a truncated archive). */
export async function readZipDirectory(blob: Blob): Promise<ZipEntry[] | null> {
  const place = await findDirectory(blob);
  if (!place) return null;
  const bytes = await readBytes(blob, place.offset, place.offset + place.bytes);
  const view = viewOf(bytes);
  const entries: ZipEntry[] = [];
  for (let at = 0; at + 46 <= bytes.length && view.getUint32(at, true) === ENTRY;) {
    const flags = view.getUint16(at + 8, true);
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const nameEnd = at + 46 + nameLength;
    const rawName = bytes.subarray(at + 46, nameEnd);
    const entry: ZipEntry = {
      name: new TextDecoder(flags & 0x800 ? "utf-8" : "windows-1252").decode(rawName),
      method: view.getUint16(at + 10, true),
      encrypted: (flags & 1) !== 0,
      crc: view.getUint32(at + 16, true),
      compressedBytes: view.getUint32(at + 20, true),
      bytes: view.getUint32(at + 24, true),
      headerOffset: view.getUint32(at + 42, true),
      modified: dosTime(view.getUint16(at + 14, true), view.getUint16(at + 12, true)),
    };
    readZip64(view, nameEnd, Math.min(bytes.length, nameEnd + extraLength), entry);
    entries.push(entry);
    at = nameEnd + extraLength + view.getUint16(at + 32, true);
  }
  return entries;
}

function readZip64(view: DataView, start: number, end: number, entry: ZipEntry): void {
  for (let at = start; at + 4 <= end; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    let field = at + 4;
    const next = (): number => {
      const value = field + 8 <= end ? Number(view.getBigUint64(field, true)) : 0;
      field += 8;
      return value;
    };
    if (entry.bytes === 0xffffffff) entry.bytes = next();
    if (entry.compressedBytes === 0xffffffff) entry.compressedBytes = next();
    if (entry.headerOffset === 0xffffffff) entry.headerOffset = next();
  }
}

/** Offset of an entry's data: its local header may be longer than the directory says. */
export async function dataOffset(blob: Blob, entry: ZipEntry): Promise<number | null> {
  const header = viewOf(await readBytes(blob, entry.headerOffset, entry.headerOffset + 30));
  if (header.byteLength < 30 || header.getUint32(0, true) !== 0x04034b50) return null;
  return entry.headerOffset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
}
