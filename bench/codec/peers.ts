/** What the codec is compared with: each codes the held-out texts, with the owner's other text known or not. */

import { spawnSync } from "node:child_process";
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { trainDictionary } from "../../src/storage/dictionary.ts";
import type { Zstd } from "../../src/storage/zstd.ts";
import type { Split } from "./corpora.ts";

export interface Coded {
  /** Bytes of the held-out texts. */
  bytes: number;
  /** Bytes of what must be stored once beside them, and how much of the known text that is. */
  primeBytes: number;
  primeTextBytes: number;
  encodeMs: number | null;
  /** Of everything. */
  decodeMs: number | null;
  /** One text alone; none where it takes decoding all before it. */
  readMs: number[];
}

export interface Peer {
  name: string;
  run(split: Split): Coded | Promise<Coded>;
}

const utf8 = (texts: readonly string[]): Buffer => Buffer.from(texts.join("\n"));

/** Processor time of this process in ms: other processes don't lengthen it. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

export const timed = <T>(work: () => T): { result: T; ms: number } => {
  const start = cpuMs();
  const result = work();
  return { result, ms: cpuMs() - start };
};

const MAX_BYTES = 256 * 1024 * 1024;

function brotli(bytes: Uint8Array): Buffer {
  return brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
}

/** One text after the other, each by itself. */
function perItem(
  texts: readonly string[],
  codec: { encode(bytes: Uint8Array): Uint8Array; decode(packed: Uint8Array): Uint8Array },
  primeBytes: number,
): Coded {
  const items = texts.map((text) => Buffer.from(text));
  const coded = timed(() => items.map((item) => codec.encode(item)));
  const readMs = coded.result.map((packed, i) => {
    const { result, ms } = timed(() => codec.decode(packed));
    if (!items[i]!.equals(result)) throw new Error("A peer gave back something else.");
    return ms;
  });
  return {
    bytes: coded.result.reduce((sum, packed) => sum + packed.length, 0),
    primeBytes,
    primeTextBytes: 0,
    encodeMs: coded.ms,
    decodeMs: readMs.reduce((sum, ms) => sum + ms, 0),
    readMs,
  };
}

/** What the held-out texts add to a stream that begins with the others. */
function added(split: Split, size: (bytes: Buffer) => number): Coded {
  const train = size(utf8(split.train));
  const all = size(utf8([...split.train, ...split.heldOut]));
  return {
    bytes: all - train,
    primeBytes: train,
    primeTextBytes: utf8(split.train).length,
    encodeMs: null,
    decodeMs: null,
    readMs: [],
  };
}

function xzSize(bytes: Buffer): number {
  const { status, stdout, stderr } = spawnSync("xz", ["-9e", "-c", "-T1"], {
    input: bytes,
    maxBuffer: MAX_BYTES,
  });
  if (status !== 0) throw new Error(`xz failed: ${stderr.toString()}`);
  return stdout.length;
}

export function peers(zstd: Zstd): Peer[] {
  const zstdItem = (dictionary?: Uint8Array) => ({
    encode: (bytes: Uint8Array) => zstd.compress(bytes, 19, dictionary),
    decode: (packed: Uint8Array) =>
      zstd.decompress(packed, { maxBytes: MAX_BYTES, ...(dictionary ? { dictionary } : {}) }),
  });
  const list: Peer[] = [
    {
      name: "zstd -19 solid, primed",
      run: ({ train, heldOut }) => {
        const dictionary = utf8(train);
        const codec = zstdItem(dictionary);
        const text = utf8(heldOut);
        const coded = timed(() => codec.encode(text));
        const decoded = timed(() => codec.decode(coded.result));
        if (!text.equals(decoded.result)) throw new Error("zstd gave back something else.");
        return {
          bytes: coded.result.length,
          primeBytes: zstd.compress(dictionary, 19).length,
          primeTextBytes: dictionary.length,
          encodeMs: coded.ms,
          decodeMs: decoded.ms,
          readMs: [],
        };
      },
    },
    {
      name: "zstd -19 per text, dictionary of 32 KB",
      run: ({ train, heldOut }) => {
        // Of little text none is trained: the end of it serves as well.
        const dictionary = trainDictionary(train) ?? utf8(train).subarray(-32 * 1024);
        return perItem(heldOut, zstdItem(dictionary), zstd.compress(dictionary, 19).length);
      },
    },
    { name: "zstd -19 per text", run: ({ heldOut }) => perItem(heldOut, zstdItem(), 0) },
    {
      name: "brotli 11 solid, primed",
      run: (split) => added(split, (bytes) => brotli(bytes).length),
    },
    {
      name: "brotli 11 per text",
      run: ({ heldOut }) =>
        perItem(heldOut, { encode: brotli, decode: (packed) => brotliDecompressSync(packed) }, 0),
    },
  ];
  if (spawnSync("xz", ["--version"]).status === 0)
    list.push({ name: "xz -9e solid, primed", run: (split) => added(split, xzSize) });
  else console.warn("SKIPPED: xz isn't installed, its row is missing.");
  return list;
}
