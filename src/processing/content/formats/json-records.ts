/**
 * Texts in JSON that follows no known export: finds the records (objects with a text field) at any
 * depth and maps their fields to speaker, time, id, title and thread by common names.
 *
 * A list under key K takes its time from a sibling "K_date_time", "K_date"… or from the object that
 * holds it, its thread from the ids and keys on the way. Lists of plain strings count only near the
 * top, where they can't be tags or evidence of something else.
 */

import { META } from "../../../model/memory.ts";
import { parseDateValue } from "../dates.ts";

export interface JsonRecord {
  text: string;
  timestamp?: number;
  metadata: Record<string, string>;
  /** JSON path: "sessions[3].messages[0]". */
  path: string;
}

type JsonObject = Record<string, unknown>;

const TEXT_KEYS = [
  "text",
  "content",
  "message",
  "body",
  "msg",
  "note",
  "transcript",
  "utterance",
  "description",
  "selftext",
  "full_text",
  "plaintext",
  "textcontent",
];
const SPEAKER_KEYS = [
  "speaker",
  "author",
  "sender",
  "from",
  "role",
  "user",
  "username",
  "sender_name",
  "from_name",
  "who",
];
const TIME_KEYS = [
  "timestamp",
  "date_time",
  "datetime",
  "date",
  "time",
  "created_at",
  "createdat",
  "create_time",
  "created",
  "sent_at",
  "ts",
  "published",
  "published_at",
  "updated_at",
  "updatedat",
  "update_time",
  "timestamp_ms",
  "usereditedtimestampusec",
  "createdtimestampusec",
];
const ID_KEYS = [
  "id",
  "uuid",
  "_id",
  "dia_id",
  "message_id",
  "messageid",
  "guid",
  "external_id",
  "memory_id",
];
const TITLE_KEYS = ["title", "subject", "heading"];
const REPLY_KEYS = [
  "reply_to",
  "in_reply_to",
  "parent_id",
  "parent",
  "reply_to_message_id",
  "parent_message_uuid",
];
const THREAD_KEYS = [
  "thread",
  "thread_id",
  "thread_ts",
  "conversation_id",
  "conversation",
  "channel",
  "channel_id",
  "session_id",
  "session",
];
const KNOWN = new Set([
  ...TEXT_KEYS,
  ...SPEAKER_KEYS,
  ...TIME_KEYS,
  ...ID_KEYS,
  ...TITLE_KEYS,
  ...REPLY_KEYS,
  ...THREAD_KEYS,
]);

const MAX_DEPTH = 64;
const MAX_FIELD_CHARS = 500;
/** How deep a list of plain strings may lie to count as texts. */
const MAX_STRING_LIST_DEPTH = 1;

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Keys in lower case; the first of equal ones wins. */
function fieldsOf(object: JsonObject): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  for (const [key, value] of Object.entries(object)) {
    const lower = key.toLowerCase();
    if (!fields.has(lower)) fields.set(lower, value);
  }
  return fields;
}

/** The text of a content field: a string, a list of strings and `{text}` parts, or `{parts}`. */
export function textOfContent(value: unknown, depth = 0): string {
  if (typeof value === "string") return value;
  if (depth > 3) return "";
  if (Array.isArray(value)) {
    const parts = value.map((part) => textOfContent(part, depth + 1)).filter((part) => part !== "");
    // Rich text (strings between styled runs) is one paragraph; parts of a message are several.
    return parts.join(
      value.some((part) => typeof part === "string") && value.some(isObject) ? "" : "\n\n",
    );
  }
  if (!isObject(value)) return "";
  if (typeof value.text === "string") return value.text;
  if (Array.isArray(value.parts)) return textOfContent(value.parts, depth + 1);
  return "";
}

function scalar(value: unknown): string | undefined {
  if (typeof value === "string")
    return value.trim() === "" ? undefined : value.trim().slice(0, MAX_FIELD_CHARS);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return undefined;
}

function firstScalar(fields: Map<string, unknown>, keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const value = scalar(fields.get(key));
    if (value !== undefined) return value;
  }
  return undefined;
}

function speakerOf(fields: Map<string, unknown>): string | undefined {
  for (const key of SPEAKER_KEYS) {
    const value = fields.get(key);
    const named = isObject(value)
      ? (scalar(value.name) ??
        scalar(value.username) ??
        scalar(value.display_name) ??
        scalar(value.role))
      : scalar(value);
    if (named !== undefined) return named;
  }
  // `name` beside a text is who said it; beside nothing else it would be a title.
  return undefined;
}

function timeOf(fields: Map<string, unknown>): number | undefined {
  for (const key of TIME_KEYS) {
    const value = parseDateValue(fields.get(key));
    if (value !== undefined) return value;
  }
  return undefined;
}

/** The record that an object is, or null when it holds no text of its own. */
function recordOf(object: JsonObject, path: string, surroundings: Surroundings): JsonRecord | null {
  let fields = fieldsOf(object);
  let text = "";
  for (const key of TEXT_KEYS) {
    const value = fields.get(key);
    text = textOfContent(value);
    if (text === "" && key === "message" && isObject(value)) {
      // {"message": {"role", "content"}, …}: the inner object speaks.
      const inner = fieldsOf(value);
      for (const innerKey of TEXT_KEYS) text ||= textOfContent(inner.get(innerKey));
      if (text !== "") fields = new Map([...fields, ...inner]);
    }
    if (text.trim() !== "") break;
  }
  if (text.trim() === "") return null;

  const metadata: Record<string, string> = {};
  const set = (key: string, value: string | undefined): void => {
    if (value !== undefined) metadata[key] = value;
  };
  // What follows no known name is kept as it is named; known fields win.
  for (const [key, value] of fields) {
    if (!KNOWN.has(key)) set(key, scalar(value));
    if (key === "metadata" && isObject(value))
      for (const [inner, innerValue] of Object.entries(value)) set(inner, scalar(innerValue));
  }
  set(META.speaker, speakerOf(fields) ?? metadata[META.speaker]);
  set(META.title, firstScalar(fields, TITLE_KEYS) ?? metadata[META.title] ?? surroundings.title);
  set(META.externalId, firstScalar(fields, ID_KEYS) ?? metadata[META.externalId]);
  set(META.replyTo, firstScalar(fields, REPLY_KEYS) ?? metadata[META.replyTo]);
  set(
    META.thread,
    firstScalar(fields, THREAD_KEYS) ?? metadata[META.thread] ?? surroundings.thread,
  );
  const timestamp = timeOf(fields) ?? surroundings.timestamp;
  return { text, ...(timestamp === undefined ? {} : { timestamp }), metadata, path };
}

interface Surroundings {
  timestamp: number | undefined;
  title: string | undefined;
  thread: string | undefined;
}

/** Time for the list under `key`: a sibling named after it, else its holder's own. */
function timeForList(key: string, fields: Map<string, unknown>): number | undefined {
  const lower = key.toLowerCase();
  for (const suffix of ["_date_time", "_datetime", "_date", "_timestamp", "_time"]) {
    const value = parseDateValue(fields.get(lower + suffix));
    if (value !== undefined) return value;
  }
  return timeOf(fields);
}

function identityOf(fields: Map<string, unknown>): string | undefined {
  const known = firstScalar(fields, [...THREAD_KEYS, ...ID_KEYS]);
  if (known !== undefined) return known;
  for (const [key, value] of fields) if (/(?:^|_)id$/.test(key)) return scalar(value);
  return undefined;
}

function* walk(
  value: unknown,
  path: string,
  depth: number,
  around: Surroundings,
): Generator<JsonRecord> {
  if (depth > MAX_DEPTH) return;
  if (Array.isArray(value)) {
    for (const [i, element] of value.entries()) {
      const elementPath = `${path}[${i}]`;
      if (typeof element === "string") {
        if (depth > MAX_STRING_LIST_DEPTH || element.trim() === "") continue;
        const metadata: Record<string, string> = {};
        if (around.thread) metadata[META.thread] = around.thread;
        yield {
          text: element,
          ...(around.timestamp === undefined ? {} : { timestamp: around.timestamp }),
          metadata,
          path: elementPath,
        };
      } else yield* walk(element, elementPath, depth + 1, around);
    }
    return;
  }
  if (!isObject(value)) return;
  const record = recordOf(value, path, around);
  if (record) yield record;
  const fields = fieldsOf(value);
  const identity = record ? undefined : identityOf(fields);
  const base =
    [around.thread, identity].filter((part) => part !== undefined).join("/") || undefined;
  for (const [key, child] of Object.entries(value)) {
    if (typeof child !== "object" || child === null) continue;
    const lower = key.toLowerCase();
    // The parts of a message are its text, not messages of their own.
    if (
      record &&
      (TEXT_KEYS.includes(lower) || lower === "metadata" || SPEAKER_KEYS.includes(lower))
    )
      continue;
    const holdsList = Array.isArray(child) && child.some(isObject);
    yield* walk(child, path === "" ? key : `${path}.${key}`, depth + 1, {
      timestamp: timeForList(key, fields) ?? around.timestamp,
      title: firstScalar(fields, [...TITLE_KEYS, "name"]) ?? around.title,
      thread: holdsList
        ? [base, /^(?:messages|items|data|entries)$/i.test(key) ? undefined : key]
            .filter(Boolean)
            .join("/") || base
        : base,
    });
  }
}

/** All records of a parsed JSON value, in document order. */
export function findRecords(value: unknown, path = ""): Generator<JsonRecord> {
  const none = { timestamp: undefined, title: undefined, thread: undefined };
  return walk(value, path, path === "" ? 0 : 1, none);
}
