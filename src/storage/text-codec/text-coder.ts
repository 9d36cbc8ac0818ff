/** Codes the texts of one row group: which go into blocks, and what stays with ZSTD. */

import { checkpoint, type TaskOptions } from "../../model/task-control.ts";
import { nextTurn } from "../../next-turn.ts";
import type { StoredRow } from "../stored-row.ts";
import { MAX_CODED_BYTES, groupTexts, planBlocks } from "./text-blocks.ts";
import type { TextCodec } from "./text-codec.ts";

/** How a segment's texts are coded. */
export interface TextCoding {
  prime: number;
  /** Null where blocks are only carried over and new texts are left to ZSTD. */
  codec: TextCodec | null;
  /** Bytes of the prime's file per byte of text that is coded with it. */
  primeShare: number;
}

/** A block with its code, not yet in a file. */
export interface PackedBlock {
  kind: "texts" | "part";
  /** Rows of the new row group. */
  rows: number[];
  packed: Uint8Array;
  sizeBytes: number;
}

/** A block that shrinks less than this is left to ZSTD: it isn't text. */
const LEAST_GAIN = 0.6;

const encoder = new TextEncoder();

/**
 * Blocks for those rows that gain by it; every block was decoded again and compared. Yields
 * between blocks.
 * @param done rows that have a block already
 */
export async function codeTexts(
  codec: TextCodec,
  rows: readonly StoredRow[],
  done: ReadonlySet<number>,
  options: TaskOptions,
): Promise<PackedBlock[]> {
  const roots = threadRoots(rows);
  const items: { index: number; text: string; thread: string | null; bytes: Uint8Array }[] = [];
  rows.forEach(({ id, content }, index) => {
    if (content === null || content === "" || done.has(index)) return;
    const bytes = encoder.encode(content);
    if (bytes.length > MAX_CODED_BYTES) return;
    items.push({ index, text: content, thread: roots.get(id) ?? null, bytes });
  });
  const coded: PackedBlock[] = [];
  const refused = new Set<number>();
  for (const { kind, indexes, bytes } of planBlocks(groupTexts(items))) {
    const packed = codec.encodeBlock(bytes);
    if (packed === null || packed.length > bytes.length * LEAST_GAIN)
      for (const index of indexes) refused.add(index);
    else coded.push({ kind, rows: indexes, packed, sizeBytes: bytes.length });
    await nextTurn();
    await checkpoint(options);
  }
  // A long text is coded in all of its parts or in none.
  return coded.filter((block) => !block.rows.some((row) => refused.has(row)));
}

/** The first memory of each thread, as far as it is in this group. */
function threadRoots(rows: readonly StoredRow[]): Map<string, string> {
  const roots = new Map<string, string>();
  for (const { id, previousId } of rows)
    roots.set(id, previousId === null ? id : (roots.get(previousId) ?? previousId));
  return roots;
}
