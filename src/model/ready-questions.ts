/**
 * Questions that the SQL console answers with one click, as data: each a query over the view
 * `memories` and how to draw its rows.
 */

export interface ReadyQuestion {
  id: string;
  title: string;
  /** How the figure is computed, in one sentence. */
  explanation: string;
  sql: string;
  chart: "bar" | "line" | "table";
  /** Columns of the result. */
  x: string;
  y: string;
}

export const READY_QUESTIONS: readonly ReadyQuestion[] = [
  {
    id: "memories-per-month",
    title: "Memories per month",
    explanation: "Counts memories by the calendar month (UTC) of their event time.",
    sql: `SELECT strftime(time, '%Y-%m') AS month, count(*) AS memories
FROM memories
GROUP BY month
ORDER BY month`,
    chart: "line",
    x: "month",
    y: "memories",
  },
  {
    id: "memories-per-source",
    title: "Memories per source",
    explanation: "Counts memories by the source that they came from; the 30 largest.",
    sql: `SELECT coalesce(source, '(none)') AS source, count(*) AS memories
FROM memories
GROUP BY ALL
ORDER BY memories DESC, source
LIMIT 30`,
    chart: "bar",
    x: "source",
    y: "memories",
  },
  {
    id: "bytes-saved-over-time",
    title: "Bytes saved over time",
    explanation:
      "Adds up original bytes minus stored bytes by the month of the event, cumulated; indexes and vectors are not counted.",
    sql: `WITH months AS (
  SELECT strftime(time, '%Y-%m') AS month, sum(original_bytes - stored_bytes) AS saved
  FROM memories
  GROUP BY month
)
SELECT month, sum(saved) OVER (ORDER BY month) AS saved_bytes
FROM months
ORDER BY month`,
    chart: "line",
    x: "month",
    y: "saved_bytes",
  },
  {
    id: "bytes-saved-per-kind",
    title: "Bytes saved per kind of content",
    explanation:
      "Sums original and stored bytes by kind of content; ratio is original divided by stored.",
    sql: `SELECT coalesce(kind, '(unknown)') AS kind,
  count(*) AS memories,
  sum(original_bytes) AS original_bytes,
  sum(stored_bytes) AS stored_bytes,
  sum(original_bytes) - sum(stored_bytes) AS saved_bytes,
  round(sum(original_bytes) / nullif(sum(stored_bytes), 0), 2) AS ratio
FROM memories
GROUP BY ALL
ORDER BY saved_bytes DESC`,
    chart: "bar",
    x: "kind",
    y: "saved_bytes",
  },
  {
    id: "most-named-people",
    title: "Most named people",
    explanation:
      "Counts the memories that name each person, spelled the same but for case; the 25 most named.",
    sql: `WITH named AS (
  SELECT memory_id, unnest(entities) AS entity
  FROM memories
)
SELECT min(entity.text) AS person, count(DISTINCT memory_id) AS memories
FROM named
WHERE entity.type = 'person'
GROUP BY lower(entity.text)
ORDER BY memories DESC, person
LIMIT 25`,
    chart: "bar",
    x: "person",
    y: "memories",
  },
  {
    id: "longest-threads",
    title: "Longest threads",
    explanation:
      "Counts the memories of each thread, with its first and last time; the 25 longest.",
    sql: `SELECT coalesce(min(title), metadata['thread'][1]) AS thread,
  count(*) AS memories,
  min(time) AS first,
  max(time) AS last,
  sum(original_bytes) AS original_bytes
FROM memories
WHERE metadata['thread'][1] IS NOT NULL
GROUP BY metadata['thread'][1]
ORDER BY memories DESC, thread
LIMIT 25`,
    chart: "table",
    x: "thread",
    y: "memories",
  },
  {
    id: "quality-distribution",
    title: "Quality of the summaries",
    explanation:
      "Counts memories by the similarity of summary and original, in steps of 0.05; those not measured yet are left out.",
    sql: `SELECT round(floor(least(quality.similarity, 0.9999) * 20) / 20, 2) AS similarity_from,
  count(*) AS memories
FROM memories
WHERE quality.similarity IS NOT NULL
GROUP BY similarity_from
ORDER BY similarity_from`,
    chart: "bar",
    x: "similarity_from",
    y: "memories",
  },
];
