/**
 * Decides whether a text is one read-only statement over `memories`, before DuckDB runs it.
 *
 * Works on the tokens of DuckDB's own lexer, so that guard and parser agree on what is a string, a
 * name or a comment. What passes is put into `SELECT * FROM (…) LIMIT n`, where DuckDB's grammar
 * itself admits nothing but a query. Functions that read files are refused by name. DuckDB reads a
 * table name such as 'x.csv' as a file: a string where a table stands is refused, and so is one with
 * such an ending unless it clearly stands in an expression. The engine checks the table names that
 * DuckDB's binder extracts as well, where that works (it doesn't know the type of `unnest(…)`).
 */

import { AppError } from "../../errors.ts";

/** What DuckDB's lexer returns: start offsets in UTF-8 bytes, one type each. */
export interface LexedSql {
  offsets: number[];
  types: number[];
}

/** Numbers of DuckDB's `TokenType`. */
const IDENTIFIER = 0;
const STRING = 2;
const OPERATOR = 3;
const KEYWORD = 4;

export interface SqlPlan {
  /** What is to be made of `body`. */
  kind: "select" | "explain" | "explain analyze" | "describe" | "summarize" | "show";
  /** A query that fits into `SELECT * FROM (…)`; empty for "show". */
  body: string;
}

/** Appended before lexing: when it isn't the last token, a quote or comment before it is open. */
export const SENTINEL = "\n;";

/** Table functions that read nothing but their arguments. */
const SAFE_TABLE_FUNCTIONS = new Set(["range", "generate_series", "unnest", "repeat"]);

/** Refused even where a DuckDB build doesn't list them as table functions. */
const FILE_FUNCTIONS = [
  "read_csv",
  "read_csv_auto",
  "read_parquet",
  "read_json",
  "read_json_auto",
  "read_json_objects",
  "read_ndjson",
  "read_ndjson_auto",
  "read_text",
  "read_blob",
  "sniff_csv",
  "parquet_scan",
  "parquet_metadata",
  "parquet_schema",
  "parquet_file_metadata",
  "parquet_kv_metadata",
  "glob",
  "query",
  "query_table",
  "arrow_scan",
  "arrow_scan_dumb",
  "pandas_scan",
  "sqlite_scan",
  "sqlite_attach",
  "st_read",
  "getenv",
];

/** The names that `planSql` refuses to see called, from `duckdb_functions()`. */
export function forbiddenFunctions(tableFunctions: Iterable<string>): Set<string> {
  const names = new Set(FILE_FUNCTIONS);
  for (const name of tableFunctions)
    if (!SAFE_TABLE_FUNCTIONS.has(name.toLowerCase())) names.add(name.toLowerCase());
  return names;
}

interface Token {
  type: number;
  /** Lower-case name without quotes, or the operator's first character; the source text of a string. */
  name: string;
  /** UTF-8 byte offset. */
  start: number;
}

const QUERY_HEADS = new Set(["select", "with", "values", "from", "table", "pivot", "unpivot", "("]);
/** DuckDB's parser turns these into plain spaces, its lexer takes them for letters. */
const UNICODE_SPACE = /[\u00a0\u1680\u2000-\u200f\u2028\u2029\u202f\u205f\u3000\ufeff]/u;

function refuse(message: string, hint: string): AppError {
  return new AppError("query_failed", message, { hint });
}

const ONE_SELECT =
  "Write one SELECT over the view memories, for example: SELECT count(*) FROM memories";

function nameOf(text: string): string {
  if (text.startsWith('"')) {
    let end = 1;
    while (end < text.length && (text[end] !== '"' || text[end + 1] === '"'))
      end += text[end] === '"' ? 2 : 1;
    return text.slice(1, end).replaceAll('""', '"').toLowerCase();
  }
  return /^[A-Za-z0-9_$\u0080-\u{10ffff}]*/u.exec(text)![0].toLowerCase();
}

function readTokens(bytes: Uint8Array, lexed: LexedSql): Token[] {
  const decoder = new TextDecoder();
  return lexed.offsets.map((start, index) => {
    const type = lexed.types[index]!;
    const text = decoder.decode(bytes.subarray(start, lexed.offsets[index + 1] ?? bytes.length));
    if (type === IDENTIFIER || type === KEYWORD) {
      const name = nameOf(text);
      if (UNICODE_SPACE.test(name))
        throw refuse(
          "The query contains a special space (such as U+00A0) outside of quotes.",
          "Replace it with a normal space; it often comes from copied text.",
        );
      return { type, name, start };
    }
    return { type, name: type === STRING ? text : text.slice(0, 1), start };
  });
}

/** DuckDB takes a table name that contains one of these for a file. */
const FILE_NAME = /\.(csv|tsv|parquet|json|ndjson|jsonl|arrow|feather|db|duckdb|sqlite)/i;
/** After these comes a table. */
const BEFORE_TABLE = new Set([
  ..."from join table pivot unpivot describe desc summarize show lateral only".split(" "),
]);
/** Calls whose arguments are written with FROM: extract(year FROM x). */
const FROM_CALLS = new Set(["extract", "substring", "trim", "overlay", "position"]);
/** An opening parenthesis after one of these holds no argument list. */
const NOT_A_CALL = new Set([
  ...BEFORE_TABLE,
  ..."as with union intersect except all select".split(" "),
]);
/** A string after one of these is part of an expression. */
const BEFORE_EXPRESSION = new Set(
  "like ilike to glob escape when then else and or not between where having case in".split(" "),
);

const isWord = (token: Token | undefined): boolean =>
  token?.type === IDENTIFIER || token?.type === KEYWORD;
const isOperator = (token: Token | undefined, name: string): boolean =>
  token?.type === OPERATOR && token.name === name;

/** `opener` is the token before the innermost open parenthesis. */
function checkString(tokens: readonly Token[], index: number, opener: Token | undefined): void {
  const [before, second, third] = [tokens[index - 1], tokens[index - 2], tokens[index - 3]];
  const notAFile = refuse(
    "A file can't be read here: queries read the memories and nothing else.",
    `${ONE_SELECT}. A text that looks like a file name can be compared (source = 'a.csv') or given to a function.`,
  );
  if (tokens[index + 1]?.type === STRING)
    throw refuse("Two texts stand side by side.", "Join them with ||.");
  if (isWord(before) && BEFORE_TABLE.has(before!.name)) {
    const isDistinctFrom =
      second?.name === "distinct" && (third?.name === "is" || third?.name === "not");
    if (before!.name === "from" && (isDistinctFrom || (opener && FROM_CALLS.has(opener.name))))
      return;
    throw notAFile;
  }
  const text = tokens[index]!.name;
  const hidden = /^e/i.test(text) && text.includes("\\");
  if (!FILE_NAME.test(text) && !hidden) return;
  const inExpression =
    before?.type === OPERATOR
      ? before.name === "," || before.name === "("
        ? isWord(opener) && !NOT_A_CALL.has(opener!.name)
        : before.name !== ")" && before.name !== ";"
      : isWord(before) && BEFORE_EXPRESSION.has(before!.name);
  if (!inExpression) throw notAFile;
}

function check(tokens: readonly Token[], forbidden: ReadonlySet<string>): void {
  const openers: (Token | undefined)[] = [];
  for (const [index, token] of tokens.entries()) {
    if (isOperator(token, "(")) openers.push(tokens[index - 1]);
    else if (isOperator(token, ")")) {
      if (openers.length === 0)
        throw refuse("There is a closing parenthesis without an opening one.", ONE_SELECT);
      openers.pop();
    } else if (isOperator(token, ";"))
      throw refuse(
        "Only one statement can be run at a time.",
        "Remove what follows the first “;”.",
      );
    else if (token.type === STRING) checkString(tokens, index, openers.at(-1));
    else if (isWord(token)) {
      if (FILE_NAME.test(token.name))
        throw refuse(`“${token.name}” looks like a file.`, `${ONE_SELECT}. Choose another alias.`);
      if (isOperator(tokens[index + 1], "(") && forbidden.has(token.name))
        throw refuse(
          `The function ${token.name} can't be used here: queries read the memories and nothing else.`,
          ONE_SELECT,
        );
    }
  }
  if (openers.length > 0) throw refuse("A parenthesis is not closed.", ONE_SELECT);
}

/**
 * The plan of `sql`, whose tokens (of `sql + SENTINEL`) are `lexed`. `query_failed` when it is not
 * one read-only statement, `read_only` when it is a write.
 */
export function planSql(sql: string, lexed: LexedSql, forbidden: ReadonlySet<string>): SqlPlan {
  if (sql.includes("\0")) throw refuse("The query contains a NUL character.", ONE_SELECT);
  const bytes = new TextEncoder().encode(sql + SENTINEL);
  const tokens = readTokens(bytes, lexed);
  const sentinel = tokens.pop();
  if (sentinel?.start !== bytes.length - 1)
    throw refuse("A quote or comment in the query is not closed.", "Close it, then run it again.");
  while (tokens.at(-1)?.name === ";" && tokens.at(-1)?.type === OPERATOR) tokens.pop();
  const first = tokens[0];
  if (!first) throw refuse("There is no SQL to run.", ONE_SELECT);
  check(tokens, forbidden);
  const decoder = new TextDecoder();
  const end = lexed.offsets[tokens.length]!;
  const textFrom = (index: number): string =>
    decoder.decode(bytes.subarray(tokens[index]!.start, end));
  const name = (index: number): string =>
    tokens[index]?.type === STRING ? "" : (tokens[index]?.name ?? "");
  const query = (index: number): string => {
    if (QUERY_HEADS.has(name(index))) return textFrom(index);
    // DESCRIBE memories: a bare name stands for the whole of it.
    if (index === tokens.length - 1 && index > 0 && tokens[index]!.type === IDENTIFIER)
      return `SELECT * FROM ${textFrom(index)}`;
    throw new AppError("read_only", "Only queries that read can be run here.", {
      hint: ONE_SELECT,
    });
  };
  switch (first.name) {
    case "explain":
      return name(1) === "analyze"
        ? { kind: "explain analyze", body: query(2) }
        : { kind: "explain", body: query(1) };
    case "describe":
    case "desc":
      return { kind: "describe", body: query(1) };
    case "summarize":
      return { kind: "summarize", body: query(1) };
    case "show":
      if (name(1) === "tables" || (name(1) === "all" && name(2) === "tables"))
        return { kind: "show", body: "" };
      return { kind: "describe", body: query(1) };
    default:
      return { kind: "select", body: query(0) };
  }
}

/** The one statement that carries out a plan; at most `rowLimit` rows. */
export function statementFor(plan: SqlPlan, rowLimit: number): string {
  const inner = `SELECT * FROM (\n${plan.body}\n)`;
  switch (plan.kind) {
    case "select":
      return `${inner} LIMIT ${rowLimit}`;
    case "explain":
      return `EXPLAIN ${inner}`;
    case "explain analyze":
      return `EXPLAIN ANALYZE ${inner}`;
    case "describe":
      return `DESCRIBE ${inner}`;
    case "summarize":
      return `SUMMARIZE ${inner}`;
    case "show":
      return "SELECT 'memories' AS name";
  }
}
