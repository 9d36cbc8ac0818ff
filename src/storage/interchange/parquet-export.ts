/** Memories → Parquet files (ZSTD) that pyarrow, DuckDB and others read with the interchange types. */

import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { loadZstd } from "../zstd.ts";
import { arrowSchemaMetadata, EXPORT_COLUMNS, PARQUET_SCHEMA } from "./export-columns.ts";
import { INTERCHANGE_VERSION, type PortableMemory } from "./portable-memory.ts";
import { rebatch } from "./rebatch.ts";

/** Key of the version in the file's key-value metadata. */
export const VERSION_KEY = "llm-compression.interchange_version";
const ROW_GROUP_ROWS = 1_000;
const MAX_FILE_ROWS = 50_000;
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const ZSTD_LEVEL = 6;

/** "memories-0001.parquet", …: at most 50,000 rows, and no row group is begun after 64 MB. */
export async function* exportParquet(
  memories: AsyncIterable<readonly PortableMemory[]>,
): AsyncGenerator<{ path: string; bytes: Uint8Array }> {
  const zstd = await loadZstd();
  const kvMetadata = [
    { key: "ARROW:schema", value: arrowSchemaMetadata() },
    { key: VERSION_KEY, value: String(INTERCHANGE_VERSION) },
  ];
  const open = () => {
    const writer = new ByteWriter();
    const parquet = new ParquetWriter({
      writer,
      schema: PARQUET_SCHEMA,
      codec: "ZSTD",
      compressors: { ZSTD: (bytes) => zstd.compress(bytes, ZSTD_LEVEL) },
      kvMetadata,
      createdBy: "llm-compression",
    });
    return { writer, parquet, rows: 0 };
  };
  let count = 0;
  let file: ReturnType<typeof open> | null = null;
  const finish = async ({ writer, parquet }: ReturnType<typeof open>) => {
    await parquet.finish();
    const path = `memories-${String(++count).padStart(4, "0")}.parquet`;
    return { path, bytes: writer.getBytes() };
  };
  for await (const batch of rebatch(memories, ROW_GROUP_ROWS)) {
    file ??= open();
    await file.parquet.write({
      columnData: EXPORT_COLUMNS.map(({ name, plain, get }) => ({
        name,
        data: batch.map(get),
        ...(plain ? { encoding: "PLAIN" as const } : {}),
      })),
      rowGroupSize: ROW_GROUP_ROWS,
    });
    file.rows += batch.length;
    if (file.rows + ROW_GROUP_ROWS > MAX_FILE_ROWS || file.writer.offset > MAX_FILE_BYTES) {
      yield await finish(file);
      file = null;
    }
  }
  // An empty store still gives a file: its schema is what a reader needs.
  if (file || count === 0) yield await finish(file ?? open());
}
