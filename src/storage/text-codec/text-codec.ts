/**
 * Codes the owner's text in blocks that can each be read alone: every block starts from the same
 * state, that of a model which has read the prime, a sample of that text.
 *
 * Prime file: magic, version u16, slot bits u8, sizes, the ordinals of the memories whose text it
 * is, its pieces coded one after the other by a model that starts empty, and a CRC-32C of the text.
 * Decoding the pieces is what brings a fresh model into its state.
 */

import { AppError } from "../../errors.ts";
import { checkpoint, type TaskOptions } from "../../model/task-control.ts";
import { ByteReader, ByteWriter, crc32c } from "../bytes.ts";
import { Pace } from "./pace.ts";
import { ReferenceTextModel } from "./reference-model.ts";
import {
  MAX_PRIME_BYTES,
  MAX_SLOT_BITS,
  MIN_SLOT_BITS,
  slotBitsFor,
  type TextModel,
} from "./text-model.ts";
import { WasmTextModel } from "./wasm-model.ts";

const MAGIC = Uint8Array.of(0x4c, 0x4c, 0x4d, 0x43, 0x50, 0x52, 0x4d, 0x1a); // "LLMCPRM" + SUB
const VERSION = 1;
/** The prime is read in pieces of this size: a few milliseconds each, so that others get their turn. */
export const PRIME_PIECE_BYTES = 2 * 1024;
/** Text that can't be predicted at all grows by less than this. */
const MAX_PACKED_BYTES = PRIME_PIECE_BYTES + (PRIME_PIECE_BYTES >> 3) + 16;

export interface PrimeHeader {
  /** Bytes of its text. */
  sizeBytes: number;
  /** Bytes of the text that it was chosen to speak for. */
  coveredBytes: number;
  /** Ordinals of the memories that the text was taken from, ascending. */
  ordinals: number[];
}

function newModel(slotBits: number, capacityBytes: number): Promise<TextModel> {
  return WasmTextModel.create(slotBits, capacityBytes).then(
    (model) => model ?? new ReferenceTextModel(slotBits, capacityBytes),
  );
}

export class TextCodec {
  readonly #model: TextModel;
  readonly header: PrimeHeader;
  /** Bytes of the prime's file. */
  readonly fileBytes: number;

  private constructor(model: TextModel, header: PrimeHeader, fileBytes: number) {
    this.#model = model;
    this.header = header;
    this.fileBytes = fileBytes;
  }

  /** True where the model is the fast one: without it text is read, but not coded anew. */
  get isFast(): boolean {
    return this.#model.name === "wasm-simd";
  }

  get memoryBytes(): number {
    return this.#model.memoryBytes;
  }

  /**
   * Reads the prime; yields between its pieces. Returns the codec and the prime's file.
   * @param text at most `MAX_PRIME_BYTES`
   */
  static async create(
    text: Uint8Array,
    of: { ordinals: readonly number[]; coveredBytes: number },
    options: TaskOptions = {},
  ): Promise<{ codec: TextCodec; file: Uint8Array }> {
    if (text.length > MAX_PRIME_BYTES)
      throw new AppError("too_large", `${text.length} bytes are too many for a prime.`, {
        hint: `Take a sample of at most ${MAX_PRIME_BYTES} bytes.`,
      });
    const slotBits = slotBitsFor(text.length);
    const model = await newModel(slotBits, text.length);
    const header: PrimeHeader = {
      sizeBytes: text.length,
      coveredBytes: of.coveredBytes,
      ordinals: of.ordinals.toSorted((a, b) => a - b),
    };
    const pace = new Pace(true);
    const out = new ByteWriter().bytes(MAGIC).u16(VERSION).u8(slotBits);
    out.varint(text.length).varint(of.coveredBytes).varint(header.ordinals.length);
    let last = 0;
    for (const ordinal of header.ordinals) {
      out.varint(ordinal - last);
      last = ordinal;
    }
    for (let at = 0; at < text.length; at += PRIME_PIECE_BYTES) {
      const packed = model.encode(text.subarray(at, at + PRIME_PIECE_BYTES));
      out.varint(packed.length).bytes(packed);
      await pace.rest();
      await checkpoint(options);
    }
    const file = out.u32(crc32c(text)).finish();
    model.mark();
    return { codec: new TextCodec(model, header, file.length), file };
  }

  /**
   * Brings a model into the state that the file describes. `corrupt_data`, `unsupported_version`;
   * what `pace` rejects with when it is stopped.
   */
  static async open(file: Uint8Array, path: string, pace = new Pace(true)): Promise<TextCodec> {
    const { header, slotBits, reader } = readHeader(file, path);
    const model = await newModel(slotBits, header.sizeBytes);
    let crc = 0;
    for (let at = 0; at < header.sizeBytes; at += PRIME_PIECE_BYTES) {
      const packed = reader.bytes(boundedLength(reader));
      const text = model.decode(packed, Math.min(PRIME_PIECE_BYTES, header.sizeBytes - at));
      crc = crc32c(text, crc);
      await pace.rest();
    }
    if (reader.u32() !== crc) throw reader.fail("its text fails the check");
    if (reader.remaining > 0) throw reader.fail("there are bytes after its end");
    model.mark();
    return new TextCodec(model, header, file.length);
  }

  /** What the prime was made of, without reading its text. */
  static readHeader(file: Uint8Array, path: string): PrimeHeader {
    return readHeader(file, path).header;
  }

  /** The code of a block of at most `MAX_PIECE_BYTES`, or null when it doesn't verify. */
  encodeBlock(text: Uint8Array): Uint8Array | null {
    const packed = this.#fromPrime(() => this.#model.encode(text));
    const back = this.#fromPrime(() => this.#model.decode(packed, text.length));
    return back.every((byte, i) => byte === text[i]) ? packed : null;
  }

  /** The block's `sizeBytes` bytes. The caller has checked that `packed` is what was written. */
  decodeBlock(packed: Uint8Array, sizeBytes: number): Uint8Array {
    return this.#fromPrime(() => this.#model.decode(packed, sizeBytes));
  }

  #fromPrime(work: () => Uint8Array): Uint8Array {
    try {
      return work();
    } finally {
      this.#model.rewind();
    }
  }
}

function boundedLength(reader: ByteReader): number {
  const length = reader.varint();
  if (length > MAX_PACKED_BYTES) throw reader.fail("a piece is too long");
  return length;
}

function readHeader(
  file: Uint8Array,
  path: string,
): { header: PrimeHeader; slotBits: number; reader: ByteReader } {
  const reader = new ByteReader(file, path);
  if (reader.bytes(8).some((byte, i) => byte !== MAGIC[i]))
    throw reader.fail("it has a wrong mark");
  const version = reader.u16();
  if (version !== VERSION)
    throw new AppError("unsupported_version", `"${path}" has format version ${version}.`, {
      hint: "It was written by a newer version of this program; update.",
    });
  const slotBits = reader.u8();
  if (slotBits < MIN_SLOT_BITS || slotBits > MAX_SLOT_BITS)
    throw reader.fail("its model's size is out of range");
  const sizeBytes = reader.varint();
  if (sizeBytes > MAX_PRIME_BYTES) throw reader.fail("its text is too long");
  const coveredBytes = reader.varint();
  const count = reader.varint();
  if (count > file.length) throw reader.fail("it names too many memories");
  const ordinals: number[] = [];
  let last = 0;
  for (let i = 0; i < count; i++) {
    last += reader.varint();
    ordinals.push(last);
  }
  return { header: { sizeBytes, coveredBytes, ordinals }, slotBits, reader };
}
