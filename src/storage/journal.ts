/**
 * The append log in front of the segments. A write is acknowledged when its frame is flushed.
 *
 * File: header (magic, version, number, dictionary checksum, CRC) and frames. A frame has a mark,
 * its stored size, a CRC-32C over all that follows, a kind, a coding, its decoded size and its
 * payload. Kinds: the Arrow schema (first frame), Arrow batches of memories, JSON changes, and
 * batches of vectors. A torn last frame is cut at opening; damage before intact frames is told
 * apart from it by looking for later marks.
 */

import { AppError } from "../errors.ts";
import type { FileStore } from "../ports/file-store.ts";
import { ByteReader, ByteWriter, concatBytes, crc32c } from "./bytes.ts";
import type { Zstd } from "./zstd.ts";

const MAGIC = Uint8Array.of(0x4c, 0x4c, 0x4d, 0x43, 0x4a, 0x4e, 0x4c, 0x1a); // "LLMCJNL" + SUB
const VERSION = 1;
const HEADER_BYTES = 24;
const FRAME_MARK = 0x454d5246; // "FRME"
const FRAME_HEADER_BYTES = 18;
const MAX_FRAME_BYTES = 256 * 1024 * 1024;
const CODING_PLAIN = 0;
const CODING_ZSTD = 1;
const CODING_DICTIONARY = 2;
/** Fast: a frame lives only until compaction, and the writer waits for it. */
const LEVEL = 3;
/** Of large groups speed counts more. */
const LARGE_FRAME_BYTES = 256 * 1024;
const LARGE_LEVEL = 1;
/** With a dictionary the frames are small, so that more effort costs little. */
const DICTIONARY_LEVEL = 9;
/** Larger frames find their repetitions in themselves. */
const MAX_DICTIONARY_FRAME_BYTES = 64 * 1024;

export const FRAME_KINDS = ["schema", "memories", "change", "vectors", "bundle"] as const;
export type FrameKind = (typeof FRAME_KINDS)[number];

export interface Frame {
  kind: FrameKind;
  /** Decoded. */
  payload: Uint8Array;
  /** Bytes of the payload on disk. */
  storedBytes: number;
}

export interface Dictionary {
  bytes: Uint8Array;
  crc: number;
}

export interface Replay {
  frames: Frame[];
  /** Bytes of intact frames and header; what lies after is a torn write. */
  intactBytes: number;
  sizeBytes: number;
  /** Byte ranges that hold no intact frame but are followed by one. */
  damaged: { offset: number; length: number; reason: string }[];
}

export function journalPath(number: number): string {
  return `journal-${number}`;
}

function header(number: number, dictionary: Dictionary | null): Uint8Array {
  const head = new ByteWriter()
    .bytes(MAGIC)
    .u16(VERSION)
    .u16(0)
    .u32(number)
    .u32(dictionary?.crc ?? 0)
    .finish();
  return new ByteWriter().bytes(head).u32(crc32c(head)).finish();
}

export class Journal {
  readonly number: number;
  readonly path: string;
  readonly #files: FileStore;
  readonly #zstd: Zstd;
  readonly #dictionary: Dictionary | null;
  #sizeBytes: number;
  /** A failed append may have left bytes behind; they are cut before the next one. */
  #torn = false;

  constructor(
    files: FileStore,
    zstd: Zstd,
    options: { number: number; dictionary: Dictionary | null; sizeBytes: number },
  ) {
    this.#files = files;
    this.#zstd = zstd;
    this.number = options.number;
    this.path = journalPath(options.number);
    this.#dictionary = options.dictionary;
    this.#sizeBytes = options.sizeBytes;
  }

  /** A new journal whose first frame is the schema of its batches. */
  static async create(
    files: FileStore,
    zstd: Zstd,
    options: { number: number; dictionary: Dictionary | null; schema: Uint8Array },
  ): Promise<Journal> {
    const { number, dictionary } = options;
    const journal = new Journal(files, zstd, { number, dictionary, sizeBytes: 0 });
    const first = journal.#frame("schema", options.schema);
    const bytes = concatBytes([header(number, dictionary), first]);
    await files.write(journal.path, bytes);
    journal.#sizeBytes = bytes.length;
    return journal;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  #frame(kind: FrameKind, payload: Uint8Array): Uint8Array {
    let coding = CODING_PLAIN;
    let stored = payload;
    if (payload.length > 64) {
      const dictionary =
        payload.length <= MAX_DICTIONARY_FRAME_BYTES ? this.#dictionary?.bytes : undefined;
      const packed = dictionary
        ? this.#zstd.compress(payload, DICTIONARY_LEVEL, dictionary)
        : this.#zstd.compress(payload, payload.length > LARGE_FRAME_BYTES ? LARGE_LEVEL : LEVEL);
      if (packed.length < payload.length) {
        stored = packed;
        coding = dictionary ? CODING_DICTIONARY : CODING_ZSTD;
      }
    }
    const checked = new ByteWriter()
      .u32(stored.length)
      .u8(FRAME_KINDS.indexOf(kind))
      .u8(coding)
      .u32(payload.length)
      .bytes(stored)
      .finish();
    return new ByteWriter().u32(FRAME_MARK).u32(crc32c(checked)).bytes(checked).finish();
  }

  /**
   * Durable when resolved; nothing of it is replayed when it rejects and the tail could be cut.
   * Returns the payload's bytes on disk.
   */
  async append(kind: FrameKind, payload: Uint8Array): Promise<number> {
    if (payload.length > MAX_FRAME_BYTES)
      throw new AppError("too_large", `One write of ${payload.length} bytes is too large.`, {
        hint: "Write fewer memories at once.",
      });
    const frame = this.#frame(kind, payload);
    if (this.#torn) await this.#cut();
    try {
      const size = await this.#files.append(this.path, frame);
      if (size !== this.#sizeBytes + frame.length)
        throw new AppError("internal", `${this.path} has ${size} bytes after a write.`);
      this.#sizeBytes = size;
    } catch (error) {
      this.#torn = true;
      await this.#cut().catch(() => undefined);
      throw error;
    }
    return frame.length - FRAME_HEADER_BYTES;
  }

  async #cut(): Promise<void> {
    await this.#files.truncate(this.path, this.#sizeBytes);
    this.#torn = false;
  }

  /** Cuts what a crash left after the last intact frame. */
  async cutTo(sizeBytes: number): Promise<void> {
    this.#sizeBytes = sizeBytes;
    await this.#cut();
  }
}

/** Reads every intact frame. `corrupt_data` when not even the header is intact, `unsupported_version`. */
export async function replayJournal(
  files: FileStore,
  zstd: Zstd,
  number: number,
  dictionary: Dictionary | null,
): Promise<Replay> {
  const path = journalPath(number);
  const sizeBytes = (await files.stat(path))?.sizeBytes ?? 0;
  const bytes = await files.read(path);
  // What isn't there yet must not be taken for the end: it would be cut off.
  if (bytes.length < sizeBytes)
    throw new AppError(
      "storage_unavailable",
      `Only ${bytes.length} of ${sizeBytes} bytes of ${path} could be read.`,
      {
        hint: "Open the store again; nothing was changed.",
        retryable: true,
      },
    );
  checkHeader(bytes, path, number);
  const replay: Replay = {
    frames: [],
    intactBytes: HEADER_BYTES,
    sizeBytes: bytes.length,
    damaged: [],
  };
  let badFrom: number | null = null;
  let reason = "";
  for (let offset = HEADER_BYTES; offset < bytes.length;) {
    const found = readFrame(bytes, offset, zstd, dictionary, path);
    if (typeof found === "string") {
      if (badFrom === null) [badFrom, reason] = [offset, found];
      const next = findMark(bytes, offset + 1);
      if (next < 0) break;
      offset = next;
      continue;
    }
    if (badFrom !== null) {
      replay.damaged.push({ offset: badFrom, length: offset - badFrom, reason });
      badFrom = null;
    }
    if (found.frame) replay.frames.push(found.frame);
    else replay.damaged.push({ offset, length: found.end - offset, reason: found.reason! });
    offset = found.end;
    replay.intactBytes = offset;
  }
  return replay;
}

function checkHeader(bytes: Uint8Array, path: string, number: number): void {
  const reader = new ByteReader(bytes, path);
  const damaged = (why: string) =>
    new AppError("corrupt_data", `The header of ${path} is damaged: ${why}.`, {
      hint: "The file was kept; restore it from a copy.",
    });
  if (bytes.length < HEADER_BYTES) throw damaged("it is cut off");
  if (reader.bytes(8).some((byte, i) => byte !== MAGIC[i])) throw damaged("it has a wrong mark");
  const version = reader.u16();
  reader.u16();
  const own = reader.u32();
  reader.u32();
  const intact = reader.u32() === crc32c(bytes.subarray(0, HEADER_BYTES - 4));
  if (!intact) throw damaged("its check fails");
  if (version !== VERSION)
    throw new AppError("unsupported_version", `${path} has format version ${version}.`, {
      hint: "It was written by a newer version of this program; update.",
    });
  if (own !== number) throw damaged(`it says that it is journal ${own}`);
}

/** The frame at `offset`, or why there is none. A frame whose bytes are intact but can't be decoded has no `frame`. */
function readFrame(
  bytes: Uint8Array,
  offset: number,
  zstd: Zstd,
  dictionary: Dictionary | null,
  path: string,
): { frame: Frame | null; end: number; reason?: string } | string {
  if (bytes.length - offset < FRAME_HEADER_BYTES) return "it is cut off";
  const reader = new ByteReader(bytes, path, offset);
  if (reader.u32() !== FRAME_MARK) return "its mark is missing";
  const crc = reader.u32();
  const size = reader.u32();
  const end = offset + FRAME_HEADER_BYTES + size;
  if (end > bytes.length) return "it is cut off";
  if (crc32c(bytes.subarray(offset + 8, end)) !== crc) return "its check fails";
  const kind = FRAME_KINDS[reader.u8()];
  const coding = reader.u8();
  const decodedBytes = reader.u32();
  const stored = reader.bytes(size);
  if (!kind || coding > CODING_DICTIONARY)
    throw new AppError("unsupported_version", `${path} holds a frame of an unknown kind.`, {
      hint: "It was written by a newer version of this program; update.",
    });
  if (coding === CODING_DICTIONARY && !dictionary)
    return { frame: null, end, reason: "the dictionary that it was compressed with is damaged" };
  if (coding === CODING_PLAIN) return { frame: { kind, payload: stored, storedBytes: size }, end };
  try {
    const payload = zstd.decompress(stored, {
      maxBytes: Math.min(decodedBytes, MAX_FRAME_BYTES),
      ...(coding === CODING_DICTIONARY ? { dictionary: dictionary!.bytes } : {}),
    });
    return { frame: { kind, payload, storedBytes: size }, end };
  } catch {
    return { frame: null, end, reason: "it doesn't decode" };
  }
}

function findMark(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0x46, from); at >= 0; at = bytes.indexOf(0x46, at + 1))
    if (bytes[at + 1] === 0x52 && bytes[at + 2] === 0x4d && bytes[at + 3] === 0x45) return at;
  return -1;
}
