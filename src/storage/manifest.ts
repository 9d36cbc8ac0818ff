/**
 * Which files are the store. Two copies, `manifest-a` and `manifest-b`; a change is committed when
 * the first of them is replaced, then the other follows, so that damage to one is harmless. The
 * copy of the higher generation wins.
 *
 * File: magic, version u16, payload size u32, CRC-32C of all before and after it, JSON payload.
 */

import { z } from "zod";
import { AppError } from "../errors.ts";
import type { FileStore } from "../ports/file-store.ts";
import { ByteReader, ByteWriter, crc32c } from "./bytes.ts";

const MAGIC = Uint8Array.of(0x4c, 0x4c, 0x4d, 0x43, 0x4d, 0x46, 0x53, 0x1a); // "LLMCMFS" + SUB
/** Version 2 names primes, 3 says when rows changed; a store without is written as an earlier one, which older programs read. */
const VERSION = 3;
export const MANIFEST_PATHS = ["manifest-a", "manifest-b"] as const;

const count = z.number().int().nonnegative();

const segmentSchema = z.strictObject({
  number: count,
  rows: count,
  sizeBytes: count,
  /** Bytes before the footer; block checksums in the footer cover them. */
  dataBytes: count,
  /** CRC-32C of the footer, [dataBytes, sizeBytes). */
  footerCrc: count,
  /** UTF-8 bytes of content, before compression. */
  contentBytes: count,
  /** ZSTD level of its text. */
  level: z.number().int(),
  /** The prime that its coded texts start from; absent where there are none. */
  prime: count.optional(),
  /** Generation of the last change among its rows after they were new; absent where none changed. */
  editedAt: count.optional(),
});

const manifestSchema = z.strictObject({
  /** Counts manifest changes. */
  generation: count,
  /** Durable changes before the first of `journals`. */
  baseGeneration: count,
  segments: z.array(segmentSchema),
  /**
   * Oldest first; the last one is written to. `minBytes` is what was acknowledged when the
   * manifest was written: a shorter journal has lost something.
   */
  journals: z
    .array(z.strictObject({ number: count, minBytes: count, dictionary: count.nullable() }))
    .min(1),
  dictionaries: z.array(z.strictObject({ number: count, sizeBytes: count, crc: count })),
  /** Samples of text that coded texts start from. */
  primes: z.array(z.strictObject({ number: count, sizeBytes: count, crc: count })).optional(),
  /** The one that the next journal will use. */
  dictionary: count.nullable(),
  /** Files are numbered from one sequence. */
  nextNumber: count,
  /** Ordinals below were given out before the first of `journals`. */
  nextOrdinal: count,
});

export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestSegment = Manifest["segments"][number];

export function encodeManifest(manifest: Manifest): Uint8Array {
  const payload = new TextEncoder().encode(JSON.stringify(manifest));
  const isEdited = manifest.segments.some(({ editedAt }) => editedAt !== undefined);
  const version = isEdited ? VERSION : manifest.primes?.length ? 2 : 1;
  const head = new ByteWriter().bytes(MAGIC).u16(version).u32(payload.length).finish();
  return new ByteWriter()
    .bytes(head)
    .u32(crc32c(payload, crc32c(head)))
    .bytes(payload)
    .finish();
}

/** `corrupt_data`, or `unsupported_version`. */
export function decodeManifest(bytes: Uint8Array, path: string): Manifest {
  const reader = new ByteReader(bytes, path);
  if (reader.bytes(8).some((byte, i) => byte !== MAGIC[i]))
    throw reader.fail("it has a wrong mark");
  const version = reader.u16();
  const size = reader.u32();
  const crc = reader.u32();
  const payload = reader.bytes(reader.remaining);
  if (payload.length !== size || crc32c(payload, crc32c(bytes.subarray(0, 14))) !== crc)
    throw reader.fail("its check fails");
  if (version < 1 || version > VERSION)
    throw new AppError("unsupported_version", `The store has format version ${version}.`, {
      hint: "It was written by a newer version of this program; update.",
    });
  const parsed = manifestSchema.safeParse(JSON.parse(new TextDecoder().decode(payload)));
  if (!parsed.success) throw reader.fail(parsed.error.issues[0]?.message ?? "its form is wrong");
  return parsed.data;
}

export interface ManifestReading {
  manifest: Manifest | null;
  /** Copies that exist and are damaged. */
  damaged: string[];
  /** True when the copies differ or one is missing: both should be written again. */
  uneven: boolean;
}

/** The newest intact copy. `unsupported_version` when either was written by a newer program. */
export async function readManifest(files: FileStore): Promise<ManifestReading> {
  const found: Manifest[] = [];
  const damaged: string[] = [];
  for (const path of MANIFEST_PATHS) {
    if (!(await files.stat(path))) continue;
    const read = async () => decodeManifest(await files.read(path), path);
    try {
      // A disk may err once.
      found.push(await read().catch(read));
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "corrupt_data") throw error;
      damaged.push(path);
    }
  }
  const manifest = found.sort((a, b) => b.generation - a.generation)[0] ?? null;
  const uneven = found.length < 2 || found[0]!.generation !== found[1]!.generation;
  return { manifest, damaged, uneven };
}

/**
 * Commits when the first copy is replaced; the order alternates. Resolves to whether the second
 * copy followed: until it has, files that only the older one names must stay. Rejects when nothing
 * was committed; `internal` when that can't be told.
 */
export async function writeManifest(files: FileStore, manifest: Manifest): Promise<boolean> {
  const bytes = encodeManifest(manifest);
  const [a, b] = MANIFEST_PATHS;
  const [first, second] = manifest.generation % 2 === 0 ? [a, b] : [b, a];
  try {
    await files.write(first, bytes);
  } catch (error) {
    // The failure may have come after the replacement: what is on disk decides.
    const { manifest: found } = await readManifest(files).catch(() => {
      throw new AppError("storage_unavailable", "The store's manifest can't be written or read.", {
        hint: "Close the store and open it again; what was acknowledged is kept.",
        retryable: true,
        cause: error,
      });
    });
    if (found?.generation !== manifest.generation) throw error;
    return false;
  }
  return files.write(second, bytes).then(
    () => true,
    () => false,
  );
}
