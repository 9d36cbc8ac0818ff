/**
 * The SQL of the view `memories`: every column of the segments, plus the ones a person asks for
 * first (`time`, `source`, `kind`, `speaker`, `title`), lifted out of `timestamp` and `metadata`.
 */

/** Name and DuckDB type of the segments' columns; they shape the view while there is no segment. */
export const SEGMENT_COLUMNS: readonly (readonly [name: string, type: string])[] = [
  ["memory_id", "VARCHAR"],
  ["content", "VARCHAR"],
  ["envelope", "BLOB"],
  ["summary", "VARCHAR"],
  ["entities", 'STRUCT("text" VARCHAR, "type" VARCHAR, confidence FLOAT)[]'],
  ["embedding", "BLOB"],
  ["embedding_scale", "FLOAT"],
  ["embedding_model", "VARCHAR"],
  ["timestamp", "BIGINT"],
  ["recorded_at", "BIGINT"],
  ["activation_level", "FLOAT"],
  ["metadata", "MAP(VARCHAR, VARCHAR)"],
  ["user_id", "VARCHAR"],
  ["keep", "VARCHAR"],
  ["mode", "VARCHAR"],
  ["model", "VARCHAR"],
  [
    "quality",
    "STRUCT(similarity DOUBLE, coverage DOUBLE, entity_recall DOUBLE, number_recall DOUBLE, faithfulness DOUBLE)",
  ],
  ["episode_id", "VARCHAR"],
  ["previous_id", "VARCHAR"],
  ["next_id", "VARCHAR"],
  ["supersedes", "VARCHAR"],
  ["superseded_by", "VARCHAR"],
  ["valid_from", "BIGINT"],
  ["valid_to", "BIGINT"],
  ["content_sha256", "VARCHAR"],
  ["original_bytes", "BIGINT"],
  ["stored_bytes", "BIGINT"],
  ["ordinal", "INTEGER"],
  ["embedding_fine", "BLOB"],
];

/** Columns that the view adds; `metadata['k']` is a list in this DuckDB, hence the [1]. */
const LIFTED: readonly (readonly [name: string, expression: string])[] = [
  ["time", 'epoch_ms("timestamp")'],
  ["source", "metadata['source'][1]"],
  ["kind", "metadata['kind'][1]"],
  ["speaker", "metadata['speaker'][1]"],
  ["title", "metadata['title'][1]"],
];

/** A string as an SQL literal. */
export function quoteLiteral(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** The schema of the view; not the default one, see `DuckDbSqlEngine`. */
export const STORE_SCHEMA = "store";

/** The table that holds ids of forgotten memories; user queries may not name it. */
export const EXCLUDED_TABLE = `${STORE_SCHEMA}.excluded_memory_ids`;

/** The table of memories whose keep level is lower than the files say; user queries may not name it. */
export const FADED_TABLE = `${STORE_SCHEMA}.faded_memories`;

/** Columns of a faded memory as they are once its move is carried out. */
const FADED_COLUMNS: readonly string[] = [
  "NULL AS content",
  "NULL AS envelope",
  "faded_keep AS keep",
  "CASE faded_keep WHEN 'gist' THEN '' ELSE summary END AS summary",
  "CASE faded_keep WHEN 'gist' THEN [] ELSE entities END AS entities",
  ...["embedding", "embedding_scale", "embedding_fine", "embedding_model"].map(
    (name) => `CASE faded_keep WHEN 'gist' THEN NULL ELSE ${name} END AS ${name}`,
  ),
].map((column) => {
  const [, expression, name] = /^(.*) AS (\w+)$/.exec(column)!;
  return `CASE WHEN faded_keep IS NULL THEN "${name}" ELSE ${expression} END AS "${name}"`;
});

/** The statement that makes the view over registered files (none: an empty view of the same shape). */
export function memoriesViewSql(
  fileNames: readonly string[],
  hidden: { excluded: boolean; faded: boolean },
): string {
  const lifted = LIFTED.map(([name, expression]) => `${expression} AS "${name}"`).join(", ");
  const files = `read_parquet([${fileNames.map(quoteLiteral).join(", ")}], union_by_name = true)`;
  const from =
    fileNames.length === 0
      ? `(SELECT ${SEGMENT_COLUMNS.map(([name, type]) => `NULL::${type} AS "${name}"`).join(", ")} WHERE false)`
      : hidden.faded
        ? // Older files lack the column that is replaced below.
          `(SELECT * FROM ${files} UNION ALL BY NAME SELECT NULL::BLOB AS embedding_fine WHERE false)`
        : files;
  // The gist of an episode is no memory: its row names itself.
  const where =
    " WHERE (episode_id IS NULL OR episode_id <> memory_id)" +
    (hidden.excluded ? ` AND memory_id NOT IN (SELECT memory_id FROM ${EXCLUDED_TABLE})` : "");
  const join = hidden.faded
    ? ` LEFT JOIN (SELECT memory_id AS faded_id, keep AS faded_keep FROM ${FADED_TABLE}) ON memory_id = faded_id`
    : "";
  const columns = hidden.faded
    ? `* EXCLUDE (memory_id, faded_id, faded_keep) REPLACE (${FADED_COLUMNS.join(", ")})`
    : "* EXCLUDE (memory_id)";
  return `CREATE OR REPLACE VIEW ${STORE_SCHEMA}.memories AS SELECT memory_id, ${lifted}, ${columns} FROM ${from}${join}${where}`;
}
