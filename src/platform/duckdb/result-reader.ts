/** Runs one statement in a DuckDB worker and turns its Arrow stream into JSON rows, within limits. */

import { DataType, type RecordBatch, RecordBatchReader, type Schema } from "apache-arrow";
import type { SqlTable } from "../../ports/sql.ts";
import { sqlTypeName, toJsonValue } from "./arrow-json.ts";
import type { DuckDb } from "./duckdb-host.ts";
import type { QueryDeadline } from "./query-deadline.ts";

const MAX_RESULT_BYTES = 64 * 1024 * 1024;

/** Appends the rows of a batch as JSON objects until there are `limit`. */
function appendRows(batch: RecordBatch, rows: Record<string, unknown>[], limit: number): void {
  const { fields } = batch.schema;
  for (let r = 0; r < batch.numRows && rows.length < limit; r++)
    rows.push(
      Object.fromEntries(
        fields.map((field, c) => [
          field.name,
          toJsonValue(batch.getChildAt(c)!.get(r), field.type),
        ]),
      ),
    );
}

/** The rows of a whole result (not of a stream). */
export function readRows(ipc: Uint8Array): Record<string, unknown>[] {
  const rows: Record<string, unknown>[] = [];
  for (const batch of RecordBatchReader.from(ipc)) appendRows(batch, rows, Infinity);
  return rows;
}

const hasEnum = (type: DataType): boolean =>
  DataType.isDictionary(type) || (type.children ?? []).some((field) => hasEnum(field.type));

function columnsOf(schema: Schema): SqlTable["columns"] {
  return schema.fields.map((field) => ({ name: field.name, type: sqlTypeName(field.type) }));
}

/** Runs one statement to its end, or to the row and byte limits. */
export async function runStatement(
  db: DuckDb,
  connection: number,
  statement: string,
  maxRows: number,
  deadline: QueryDeadline,
): Promise<Omit<SqlTable, "elapsedMs">> {
  let header = await db.startPendingQuery(connection, statement);
  while (header === null) {
    deadline.check();
    header = await db.pollPendingQuery(connection);
  }
  const rows: Record<string, unknown>[] = [];
  let bytes = 0;
  let depleted = false;
  const stream = header;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield stream;
    while (bytes < MAX_RESULT_BYTES) {
      deadline.check();
      const chunk = await db.fetchQueryResults(connection);
      if (chunk.length === 0) {
        depleted = true;
        return;
      }
      bytes += chunk.length;
      yield chunk;
    }
  }
  const reader = await RecordBatchReader.from(chunks());
  await reader.open();
  const { schema } = reader;
  if (schema.fields.some((field) => hasEnum(field.type))) {
    // The stream leaves out the dictionaries of ENUM columns; the whole result has them.
    await db.cancelPendingQuery(connection);
    deadline.check();
    rows.push(...readRows(await db.runQuery(connection, statement)));
    depleted = true;
  } else for await (const batch of reader) appendRows(batch, rows, maxRows + 1);
  const truncated = rows.length > maxRows || !depleted;
  rows.length = Math.min(rows.length, maxRows);
  if (!depleted) await db.cancelPendingQuery(connection).catch(() => undefined);
  return { columns: columnsOf(schema), rows, rowCount: rows.length, truncated };
}
