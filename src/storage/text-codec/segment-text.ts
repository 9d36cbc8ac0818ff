/**
 * The coded texts of one segment: their blocks lie in the segment's file between the row groups,
 * where Parquet readers pass over them, and this directory of them in its footer.
 */

import { ByteReader, ByteWriter } from "../bytes.ts";
import { MAX_PIECE_BYTES } from "./text-model.ts";

/** Key of the directory in the file's key-value metadata. */
export const TEXT_KEY = "llm-compression.text_blocks";

export interface CodedBlock {
  /** Whole texts, each ended by a zero byte, or one part of a long text. */
  kind: "texts" | "part";
  /** Row group, and rows in it: of a part one, whose parts follow each other. */
  group: number;
  rows: number[];
  /** Where its code lies in the file. */
  offset: number;
  packedBytes: number;
  /** Bytes when decoded. */
  sizeBytes: number;
}

export function encodeDirectory(blocks: readonly CodedBlock[]): Uint8Array {
  const out = new ByteWriter().varint(blocks.length);
  let end = 0;
  for (const block of blocks) {
    out.u8(block.kind === "part" ? 1 : 0).varint(block.group);
    out
      .varint(block.offset - end)
      .varint(block.packedBytes)
      .varint(block.sizeBytes);
    out.varint(block.rows.length);
    // Texts that belong together need not be in order: zigzag differences.
    let last = 0;
    for (const row of block.rows) {
      const step = row - last;
      out.varint(step < 0 ? -step * 2 - 1 : step * 2);
      last = row;
    }
    end = block.offset + block.packedBytes;
  }
  return out.finish();
}

/**
 * `corrupt_data` for what can't be: places outside the file or its row groups, oversized blocks.
 * @param groupRows rows of each row group
 */
export function decodeDirectory(
  bytes: Uint8Array,
  path: string,
  file: { dataBytes: number; groupRows: readonly number[] },
): CodedBlock[] {
  const reader = new ByteReader(bytes, path);
  const blocks: CodedBlock[] = [];
  const count = reader.varint();
  let end = 0;
  for (let i = 0; i < count; i++) {
    const kind = reader.u8() === 1 ? "part" : "texts";
    const group = reader.varint();
    const offset = end + reader.varint();
    const packedBytes = reader.varint();
    const sizeBytes = reader.varint();
    const rowCount = reader.varint();
    const rows: number[] = [];
    const most = file.groupRows[group] ?? 0;
    end = offset + packedBytes;
    if (end > file.dataBytes || sizeBytes > MAX_PIECE_BYTES || rowCount > most || rowCount === 0)
      throw reader.fail("its directory of texts is wrong");
    let row = 0;
    for (let r = 0; r < rowCount; r++) {
      const step = reader.varint();
      row += step % 2 === 1 ? -(step + 1) / 2 : step / 2;
      if (row < 0 || row >= most) throw reader.fail("its directory of texts is wrong");
      rows.push(row);
    }
    blocks.push({ kind, group, rows, offset, packedBytes, sizeBytes });
  }
  if (reader.remaining > 0) throw reader.fail("its directory of texts is too long");
  return blocks;
}
