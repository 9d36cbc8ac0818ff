import { parquetWriteBuffer } from "hyparquet-writer";
import { beforeAll, describe, expect, it } from "vitest";
import { tableFromArrays, tableToIPC } from "apache-arrow";
import * as parquetWasm from "parquet-wasm/node";
import type { AppError } from "../../../../src/errors.ts";
import { exportMemories } from "../../../../src/storage/interchange/export.ts";
import { readExport, recognizeExport } from "../../../../src/storage/interchange/import.ts";
import { collect, inBatches, sha256Hex, speechMemories } from "./portable-memories.ts";

const file = (path: string, ...parts: (string | Uint8Array)[]) => ({
  path,
  blob: new Blob(parts as BlobPart[]),
});
const line = (fields: object) =>
  `${JSON.stringify({ memory_id: "a", timestamp: 1_700_000_000_000, ...fields })}\n`;
const read = async (source: ReturnType<typeof file>) =>
  (await collect(readExport(source, { nowMs: 5 }))).flat();

let parquet: Uint8Array;
let jsonl: Uint8Array;
beforeAll(async () => {
  const memories = await speechMemories([
    {
      name: "Abraham Lincoln",
      year: 1862,
      text: "The dogmas of the quiet past are inadequate to the stormy present. We must think anew. ",
    },
  ]);
  parquet = (await collect(exportMemories("parquet", inBatches(memories))))[0]!.bytes;
  jsonl = (await collect(exportMemories("jsonl", inBatches(memories))))[0]!.bytes;
});

describe("importing a V2 file of another program", () => {
  it("fills what is missing with the least that is true", async () => {
    const bytes = new Uint8Array(
      parquetWriteBuffer({
        columnData: [
          { name: "memory_id", data: ["x"], type: "STRING" },
          { name: "content", data: ["Ann paid 12 euros."], type: "STRING" },
          { name: "summary", data: ["Ann paid."], type: "STRING" },
          { name: "timestamp", data: [1_700_000_000_000n], type: "INT64" },
          { name: "unknown", data: [1], type: "INT32" },
        ],
      }),
    );
    expect(await read(file("v2.parquet", bytes))).toEqual([
      {
        id: "x",
        content: "Ann paid 12 euros.",
        envelope: null,
        summary: "Ann paid.",
        entities: [],
        embedding: null,
        embeddingModel: null,
        timestamp: 1_700_000_000_000,
        recordedAt: 5,
        activation: 0,
        metadata: {},
        userId: "local",
        keep: "exact",
        mode: "fast",
        model: "unknown",
        quality: {
          similarity: null,
          coverage: null,
          entityRecall: 0,
          numberRecall: 0,
          faithfulness: 0,
        },
        episodeId: null,
        previousId: null,
        nextId: null,
        supersedes: null,
        supersededBy: null,
        validFrom: null,
        validTo: null,
        contentSha256: await sha256Hex("Ann paid 12 euros."),
        originalBytes: 18,
        storedBytes: 0,
      },
    ]);
  });

  it.each(["ZSTD", "GZIP", "SNAPPY", "UNCOMPRESSED"] as const)(
    "reads %s files of the Rust implementation",
    async (codec) => {
      const table = tableFromArrays({
        memory_id: ["a", "b"],
        content: ["one ".repeat(500), "two ".repeat(500)],
        timestamp: BigInt64Array.of(1n, 2n),
      });
      const properties = new parquetWasm.WriterPropertiesBuilder()
        .setCompression(parquetWasm.Compression[codec])
        .build();
      const bytes = parquetWasm.writeParquet(
        parquetWasm.Table.fromIPCStream(tableToIPC(table, "stream")),
        properties,
      );
      const rows = await read(file("rust.parquet", bytes));
      expect(rows.map((row) => [row.id, row.content?.length])).toEqual([
        ["a", 2000],
        ["b", 2000],
      ]);
    },
  );
});

describe("importing JSONL", () => {
  it("takes a BOM, empty lines, CRLF and a last line without an end", async () => {
    const text = `\ufeff${line({})}\r\n\n${line({ memory_id: "b" }).trim()}`;
    expect((await read(file("a.jsonl", text))).map((row) => row.id)).toEqual(["a", "b"]);
  });

  it("says what is wrong with each row and goes on", async () => {
    const errors: [number, string, string][] = [];
    const source = file(
      "a.jsonl",
      line({ memory_id: "first" }),
      '{"memory_id": "cut off\n',
      line({ timestamp: "yesterday" }),
      line({ memory_id: "" }),
      line({ content: "changed", content_sha256: "0".repeat(64) }),
      line({ embedding: [1, 2, 3] }),
      line({ embedding: { codes: "AAAA", scale: 1 } }),
      line({ envelope: "***" }),
      line({ entities: [{ text: 7 }] }),
      line({ version: 99 }),
      line({ keep: "forever" }),
      "[1, 2]\n",
      new Uint8Array([0x22, 0xff, 0x22, 0x0a]),
      line({ memory_id: "last" }),
    );
    const rows = await collect(
      readExport(source, {
        onRowError: (error, row) => errors.push([row, error.code, error.message]),
      }),
    );
    expect(rows.flat().map((row) => row.id)).toEqual(["first", "last"]);
    expect(errors.map(([row, code]) => [row, code])).toEqual([
      [2, "invalid_input"],
      [3, "invalid_input"],
      [4, "invalid_input"],
      [5, "corrupt_data"],
      [6, "invalid_input"],
      [7, "invalid_input"],
      [8, "invalid_input"],
      [9, "invalid_input"],
      [10, "unsupported_version"],
      [11, "invalid_input"],
      [12, "invalid_input"],
      [13, "corrupt_data"],
    ]);
    for (const [row, , message] of errors) expect(message).toContain(`Line ${row}`);
  });

  it("throws at the first bad row when nobody listens", async () => {
    await expect(read(file("a.jsonl", line({}), line({ timestamp: null })))).rejects.toMatchObject({
      code: "invalid_input",
      message: expect.stringContaining("Line 2: timestamp"),
    });
  });

  it("takes an unknown entity type as other, and drops metadata without a value", async () => {
    const [row] = await read(
      file(
        "a.jsonl",
        line({ entities: [{ text: "Rex", type: "DOG" }], metadata: { a: "1", b: null } }),
      ),
    );
    expect(row!.entities).toEqual([{ text: "Rex", type: "other", confidence: 0 }]);
    expect(row!.metadata).toEqual({ a: "1" });
  });
});

describe("importing what isn't whole or isn't an export", () => {
  it("recognises exports by content, not by name", async () => {
    expect(await recognizeExport(file("a.bin", parquet))).toBe("parquet");
    expect(await recognizeExport(file("a.bin", jsonl))).toBe("jsonl");
    for (const other of ["", "hello", '{"a": 1}\n', "PAR1", "[]", "\0\0\0\0"])
      expect(await recognizeExport(file("a", other)), other).toBeNull();
    await expect(read(file("a.txt", "hello"))).rejects.toMatchObject({ code: "unsupported_input" });
  });

  it("refuses a Parquet file without memories", async () => {
    const bytes = new Uint8Array(
      parquetWriteBuffer({ columnData: [{ name: "a", data: [1], type: "INT32" }] }),
    );
    await expect(read(file("a.parquet", bytes))).rejects.toMatchObject({
      code: "unsupported_input",
    });
  });

  it("never changes exact text silently when Parquet bytes are cut off or changed", async () => {
    const whole = await read(file("a.parquet", parquet));
    for (let length = 0; length < parquet.length; length += 211)
      await expect(read(file("a.parquet", parquet.subarray(0, length)))).rejects.toMatchObject({
        name: "AppError",
      });
    for (let at = 4; at < parquet.length - 8; at += 41) {
      const bytes = parquet.slice();
      bytes[at]! ^= 0x10;
      try {
        const rows = await read(file("a.parquet", bytes));
        // A changed byte in page headers or statistics may be harmless; exact text is never changed.
        for (const [index, row] of rows.entries()) {
          expect(row.content).toBe(whole[index]!.content);
        }
      } catch (error) {
        if ((error as Error).name !== "AppError") throw error;
        expect((error as AppError).message).not.toBe("");
      }
    }
  });
});
