/**
 * sqlite-vec in a Node that has SQLite, as a process of its own: builds the table from the raw float32
 * files of `peers.ts`, times the queries, prints JSON. Arguments: the extension, the folder, dimensions.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const [extension = "", folder = "", size = ""] = process.argv.slice(2);
const dimensions = Number(size);
const bytesPerRow = dimensions * 4;
const db = new DatabaseSync(":memory:", { allowExtension: true });
db.loadExtension(extension);
db.exec(`CREATE VIRTUAL TABLE v USING vec0(embedding float[${dimensions}] distance_metric=cosine)`);
const rows = readFileSync(join(folder, "rows"));
const queries = readFileSync(join(folder, "queries"));

const from = performance.now();
const insert = db.prepare("INSERT INTO v(rowid, embedding) VALUES (?, ?)");
db.exec("BEGIN");
for (let i = 0; i * bytesPerRow < rows.length; i++)
  insert.run(BigInt(i), rows.subarray(i * bytesPerRow, (i + 1) * bytesPerRow));
db.exec("COMMIT");
const buildMs = performance.now() - from;
const { page_count: pages } = db.prepare("PRAGMA page_count").get() ?? {};
const { page_size: pageBytes } = db.prepare("PRAGMA page_size").get() ?? {};

const search = db.prepare("SELECT rowid FROM v WHERE embedding MATCH ? AND k = 10");
const times = [];
const ids = [];
for (let at = 0; at < queries.length; at += bytesPerRow) {
  const query = queries.subarray(at, at + bytesPerRow);
  const start = performance.now();
  const hits = search.all(query);
  times.push(performance.now() - start);
  ids.push(hits.map((hit) => Number(hit.rowid)));
}
console.log(JSON.stringify({ buildMs, bytes: Number(pages) * Number(pageBytes), times, ids }));
