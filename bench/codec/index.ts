/**
 * What the text codec saves on text that it hasn't seen, primed with four times as much of the same
 * owner's, beside the codecs that are around, and how long one text takes to read.
 *
 * `npm run bench -- codec [--data DIR] [--json FILE] [--seed N] [--sweep]`
 * (`--data`: a folder of text files, one a text, or of LoCoMo JSON files; `--sweep`: block and prime
 * sizes instead of peers)
 */

import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { BLOCK_BYTES, MAX_CODED_BYTES, PRIME_BYTES, groupTexts, planBlocks, splitTexts } from "../../src/storage/text-codec/text-blocks.ts"; // prettier-ignore
import { TextCodec } from "../../src/storage/text-codec/text-codec.ts";
import { MAX_PIECE_BYTES, MAX_PRIME_BYTES } from "../../src/storage/text-codec/text-model.ts";
import { loadZstd, type Zstd } from "../../src/storage/zstd.ts";
import { addressOwner, folderOwners, mailOwners, sizeOf, split, type Split } from "./corpora.ts";
import { cpuMs, peers, timed, type Coded } from "./peers.ts";

const KB = 1024;
const NO_MEMORIES = { ordinals: [], coveredBytes: 0 };
const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))] ?? Number.NaN;

/** Whole texts, evenly spaced, up to a size. */
function primeText(texts: readonly string[], maxBytes: number): Uint8Array {
  const every = Math.max(1, sizeOf(texts) / maxBytes);
  const parts: Buffer[] = [];
  let size = 0;
  for (let at = 0; at < texts.length; at += every) {
    const part = Buffer.from(`${texts[Math.floor(at)]!}\0`);
    if (size + part.length > maxBytes) break;
    parts.push(part);
    size += part.length;
  }
  return Buffer.concat(parts);
}

interface Ours extends Coded {
  primeMs: number;
  memoryBytes: number;
}

/** As the store does it: blocks from the prime's state, and long texts in ZSTD pages. */
async function runOurs(
  { train, heldOut }: Split,
  options: { zstd: Zstd; blockBytes: number; primeBytes: number },
): Promise<Ours> {
  const isCoded = (text: string) => Buffer.byteLength(text) <= MAX_CODED_BYTES;
  const prime = primeText(train.filter(isCoded), options.primeBytes);
  const start = cpuMs();
  const { codec, file } = await TextCodec.create(prime, NO_MEMORIES);
  const primeMs = cpuMs() - start;
  const texts = heldOut.filter(isCoded).map((text, index) => ({ index, text, thread: null }));
  const plan = planBlocks(
    groupTexts(texts).map(({ index, text }) => ({ index, bytes: Buffer.from(text) })),
    options.blockBytes,
  );
  const found = new Map<number, number[]>();
  const readOf = texts.map(() => 0);
  const pages = longTexts(
    options.zstd,
    train.filter((text) => !isCoded(text)),
    heldOut.filter((text) => !isCoded(text)),
  );
  let { bytes, encodeMs, decodeMs } = pages;
  plan.forEach((block, number) => {
    const begin = cpuMs();
    const packed = codec.encodeBlock(block.bytes);
    if (packed === null) throw new Error("A block doesn't verify.");
    const middle = cpuMs();
    const decoded = codec.decodeBlock(packed, block.bytes.length);
    const ms = cpuMs() - middle;
    if (block.kind === "texts" && splitTexts(decoded, block.indexes.length) === null)
      throw new Error("A block has other texts.");
    // `encodeBlock` decodes once to verify.
    encodeMs += middle - begin - ms;
    decodeMs += ms;
    bytes += packed.length + 6; // its entry in the directory
    for (const index of block.indexes) {
      readOf[index]! += ms;
      found.set(index, [...(found.get(index) ?? []), number]);
    }
  });
  if (found.size !== texts.filter(({ text }) => text !== "").length)
    throw new Error("A text is missing.");
  bytes += texts.length; // about one byte names its place
  const { memoryBytes } = codec;
  return {
    bytes,
    primeBytes: file.length,
    primeTextBytes: prime.length,
    encodeMs,
    decodeMs,
    readMs: [...readOf, ...pages.readMs],
    primeMs,
    memoryBytes,
  };
}

const PAGE_BYTES = 2 * 1024 * 1024;

/** What held-out texts add to the ZSTD pages that the known long ones lie in; reading one decodes its page. */
function longTexts(
  zstd: Zstd,
  train: readonly string[],
  heldOut: readonly string[],
): { bytes: number; encodeMs: number; decodeMs: number; readMs: number[] } {
  const own = Buffer.from(heldOut.join(""));
  if (own.length === 0) return { bytes: 0, encodeMs: 0, decodeMs: 0, readMs: [] };
  const known = Buffer.from(train.join("")).subarray(-Math.max(0, PAGE_BYTES - own.length));
  const page = Buffer.concat([known, own]);
  const coded = timed(() => zstd.compress(page, 19));
  const decode = () => timed(() => zstd.decompress(coded.result, { maxBytes: page.length }));
  if (!page.equals(decode().result)) throw new Error("zstd gave back something else.");
  const share = own.length / page.length;
  const readMs = heldOut.map(() => decode().ms);
  return {
    bytes: coded.result.length - (known.length > 0 ? zstd.compress(known, 19).length : 0),
    encodeMs: coded.ms * share,
    decodeMs: readMs[0]! * share,
    readMs,
  };
}

/** All held-out texts as one stream: what blocks cost. */
async function runSolid({ train, heldOut }: Split): Promise<Coded> {
  const known = primeText(train, MAX_PRIME_BYTES);
  const { file } = await TextCodec.create(known, NO_MEMORIES);
  const both = primeText([...train, ...heldOut], MAX_PRIME_BYTES);
  const all = await TextCodec.create(both, NO_MEMORIES);
  return {
    bytes: all.file.length - file.length,
    primeBytes: file.length,
    primeTextBytes: known.length,
    encodeMs: null,
    decodeMs: null,
    readMs: [],
  };
}

function row(name: string, size: number, coded: Coded): Record<string, unknown> {
  const speed = (ms: number | null) => (ms === null ? "-" : (size / 1e3 / ms).toFixed(2));
  const read = (share: number) =>
    coded.readMs.length === 0 ? "-" : quantile(coded.readMs, share).toFixed(2);
  return {
    codec: name,
    ratio: (size / coded.bytes).toFixed(2),
    "with prime": ((size + coded.primeTextBytes) / (coded.bytes + coded.primeBytes)).toFixed(2),
    "encode MB/s": speed(coded.encodeMs),
    "decode MB/s": speed(coded.decodeMs),
    "read ms p50": read(0.5),
    "read ms p99": read(0.99),
  };
}

/** Runs the benchmark; `args` as on the command line. */
export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: "string" },
      data: { type: "string" },
      seed: { type: "string", default: "1" },
      sweep: { type: "boolean", default: false },
    },
  });
  const seed = Number(values.seed);
  const owners = values.data
    ? folderOwners(values.data)
    : [...mailOwners(150 * KB).slice(0, 4), addressOwner()];
  if (owners.length === 0) throw new Error(`There are no texts in ${values.data}.`);
  const zstd = await loadZstd();
  console.log(
    `${cpus()[0]?.model ?? "?"}, ${availableParallelism()} processors, load ${loadavg()[0]!.toFixed(1)}; held out: a fifth of each owner's texts, seed ${seed}`,
  );
  const report: Record<string, unknown>[] = [];
  for (const owner of owners) {
    const parts = split(owner.texts, seed);
    const size = sizeOf(parts.heldOut);
    console.log(
      `\n${owner.name}: ${owner.texts.length} texts; known ${(sizeOf(parts.train) / KB).toFixed(0)} KB, held out ${(size / KB).toFixed(0)} KB`,
    );
    const rows = values.sweep ? await sweep(zstd, parts, size) : await compare(zstd, parts, size);
    console.table(rows);
    report.push(...rows.map((one) => ({ owner: owner.name, ...one })));
  }
  console.log(
    'ratio: held-out bytes / bytes they take. with prime: the prime, or the known text that the stream begins with, counted on both sides, a dictionary on one. Times are processor time. read: one text alone, primed ("-": the whole stream must be decoded). solid rows of brotli, xz and ours: what the held-out texts add to a stream of the known ones.',
  );
  if (values.json) writeFileSync(values.json, JSON.stringify({ seed, report }, null, 2));
}

async function compare(zstd: Zstd, parts: Split, size: number): Promise<Record<string, unknown>[]> {
  const ours = await runOurs(parts, { zstd, blockBytes: BLOCK_BYTES, primeBytes: PRIME_BYTES });
  const rows = [row(`ours, random access, blocks of ${BLOCK_BYTES / KB} KB`, size, ours)];
  if (sizeOf(parts.train) + size < MAX_PRIME_BYTES * 0.95)
    rows.push(row("ours, one stream", size, await runSolid(parts)));
  for (const peer of peers(zstd)) rows.push(row(peer.name, size, await peer.run(parts)));
  return rows;
}

async function sweep(zstd: Zstd, parts: Split, size: number): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  const add = async (name: string, blockBytes: number, primeBytes: number) => {
    const result = await runOurs(parts, { zstd, blockBytes, primeBytes });
    rows.push({
      ...row(name, size, result),
      "prime s": (result.primeMs / 1000).toFixed(2),
      "memory MB": (result.memoryBytes / 1e6).toFixed(0),
    });
  };
  for (const blockKb of [2, 4, 6, 8, 16])
    await add(`blocks of ${blockKb} KB`, Math.min(blockKb * KB, MAX_PIECE_BYTES), PRIME_BYTES);
  const known = sizeOf(parts.train);
  for (const primeKb of [0, 64, 256, 512, 1024, 2048])
    if (primeKb === 0 || primeKb * KB < known * 2)
      await add(`prime of at most ${primeKb} KB`, BLOCK_BYTES, Math.max(1, primeKb * KB));
  return rows;
}

await main(process.argv.slice(2));
