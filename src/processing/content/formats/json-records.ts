/**
 * Texts in JSON that follows no known export: finds the records (objects with a text field) at any
 * depth and maps their fields to speaker, time, id, title and thread by common names.
 *
 * A list under key K takes its time from a sibling "K_date_time", "K_date"… or from the object that
 * holds it, its thread from the ids and keys on the way. A list of sessions takes times and ids from the
 * lists beside it ("x_sessions", "x_dates", "x_session_ids"). Lists of plain strings count only near
 * the top, where they can't be tags or evidence of something else.
 */

import { AppError } from "../../../errors.ts";
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
  // The parser rounded it: two ids would become one.
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return undefined;
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

interface OwnText {
  text: string;
  /** Fields of the object and of a message inside it. */
  fields: Map<string, unknown>;
  /** Names of the fields that the text was taken from. */
  taken: Set<string>;
}

/** Adds a paragraph; one that repeats another or holds it whole replaces it. */
function addParagraph(paragraphs: string[], text: string): void {
  const inner = text.trim();
  if (inner === "" || paragraphs.some((one) => one.includes(inner))) return;
  const held = paragraphs.findIndex((one) => text.includes(one.trim()));
  if (held < 0) paragraphs.push(text);
  else paragraphs[held] = text;
}

/** What an object says: every text field of its own, the likeliest first. */
function ownText(object: JsonObject): OwnText {
  const fields = fieldsOf(object);
  const paragraphs: string[] = [];
  const taken = new Set<string>();
  for (const key of TEXT_KEYS) {
    const text = textOfContent(fields.get(key));
    if (text.trim() === "") continue;
    addParagraph(paragraphs, text);
    taken.add(key);
  }
  const message = fields.get("message");
  if (!isObject(message) || taken.has("message"))
    return { text: paragraphs.join("\n\n"), fields, taken };
  // {"message": {"role", "content"}, …}: the inner object speaks.
  const inner = fieldsOf(message);
  const spoken: string[] = [];
  for (const key of TEXT_KEYS) addParagraph(spoken, textOfContent(inner.get(key)));
  const speaks = paragraphs.length === 0 && spoken.length > 0;
  for (const text of spoken) addParagraph(paragraphs, text);
  if (spoken.length > 0) taken.add("message");
  return {
    text: paragraphs.join("\n\n"),
    fields: speaks ? new Map([...fields, ...inner]) : fields,
    taken: speaks ? new Set([...taken, ...TEXT_KEYS.filter((key) => inner.has(key))]) : taken,
  };
}

/** The record that an object is, or null when it holds no text of its own. */
function recordOf(own: OwnText, path: string, surroundings: Surroundings): JsonRecord | null {
  const { text, fields, taken } = own;
  if (text === "") return null;

  const metadata: Record<string, string> = {};
  const set = (key: string, value: string | undefined): void => {
    if (value !== undefined) metadata[key] = value;
  };
  // What follows no known name is kept as it is named; known fields win.
  for (const [key, value] of fields) {
    if (!KNOWN.has(key) || (TEXT_KEYS.includes(key) && !taken.has(key))) set(key, scalar(value));
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

/** Takes the path of a value that is nested too deep to be read. */
type TooDeep = (path: string) => void;

interface Surroundings {
  timestamp: number | undefined;
  title: string | undefined;
  thread: string | undefined;
  /** File, ids and positions down to here: what makes the name of a thread the only one. */
  place: string;
  /** 1-based position in the list that holds it. */
  position?: number;
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

/** Times and ids of the elements of a list, from lists of the same length beside it. */
interface Parallel {
  timestamps: (number | undefined)[];
  ids: (string | undefined)[];
}

const holdsObjects = (value: unknown): value is unknown[] =>
  Array.isArray(value) && value.some((one) => typeof one === "object" && one !== null);

/** @param used gets the names of the lists that were found */
function parallelTo(
  key: string,
  list: readonly unknown[],
  fields: Map<string, unknown>,
  used: Set<string>,
): Parallel {
  const named = /^(?:(.*)_)?([a-z]+?)s?$/.exec(key.toLowerCase());
  const stems = named ? [[named[1], named[2]].filter(Boolean).join("_"), named[1] ?? ""] : [];
  const beside = (suffixes: readonly string[]): readonly unknown[] => {
    for (const stem of stems)
      for (const suffix of suffixes) {
        const name = stem === "" ? suffix : `${stem}_${suffix}`;
        const value = fields.get(name);
        if (!Array.isArray(value) || value.length !== list.length || holdsObjects(value)) continue;
        used.add(name);
        return value;
      }
    return [];
  };
  return {
    timestamps: beside(["dates", "date_times", "datetimes", "timestamps", "times"]).map(
      parseDateValue,
    ),
    ids: beside(["ids"]).map(scalar),
  };
}

function identityOf(fields: Map<string, unknown>): string | undefined {
  const known = firstScalar(fields, [...THREAD_KEYS, ...ID_KEYS]);
  if (known !== undefined) return known;
  for (const [key, value] of fields) if (/(?:^|_)id$/.test(key)) return scalar(value);
  return undefined;
}

function* walkList(
  list: readonly unknown[],
  path: string,
  depth: number,
  around: Surroundings,
  onTooDeep: TooDeep,
  parallel?: Parallel,
): Generator<JsonRecord> {
  for (const [i, element] of list.entries()) {
    const elementPath = `${path}[${i}]`;
    const timestamp = parallel?.timestamps[i] ?? around.timestamp;
    if (typeof element === "string") {
      if (depth > MAX_STRING_LIST_DEPTH || element.trim() === "") continue;
      const metadata: Record<string, string> = {};
      if (around.thread) metadata[META.thread] = around.thread;
      yield {
        text: element,
        ...(timestamp === undefined ? {} : { timestamp }),
        metadata,
        path: elementPath,
      };
      continue;
    }
    const id = parallel?.ids[i];
    // A list in a list is a conversation of its own, and so is what holds one under an id.
    const isThread = Array.isArray(element)
      ? element.some(isObject)
      : id !== undefined && isObject(element) && ownText(element).text === "";
    const place = isThread ? `${around.place}/${id ?? i + 1}` : around.place;
    yield* walk(
      element,
      elementPath,
      depth + 1,
      { ...around, timestamp, place, position: i + 1, ...(isThread ? { thread: place } : {}) },
      onTooDeep,
    );
  }
}

function* walk(
  value: unknown,
  path: string,
  depth: number,
  around: Surroundings,
  onTooDeep: TooDeep,
): Generator<JsonRecord> {
  if (depth > MAX_DEPTH) {
    if (typeof value === "object" && value !== null) onTooDeep(path);
    return;
  }
  if (Array.isArray(value)) {
    yield* walkList(value, path, depth, around, onTooDeep);
    return;
  }
  if (!isObject(value)) return;
  const own = ownText(value);
  const record = recordOf(own, path, around);
  if (record) yield record;
  const fields = fieldsOf(value);
  const identity = identityOf(fields);
  const holder = identity ?? around.position?.toString();
  const place = holder === undefined ? around.place : `${around.place}/${holder}`;
  const parallels = new Map<string, Parallel>();
  const used = new Set<string>();
  for (const [key, child] of Object.entries(value))
    if (holdsObjects(child)) parallels.set(key, parallelTo(key, child, fields, used));
  for (const [key, child] of Object.entries(value)) {
    if (typeof child !== "object" || child === null) continue;
    const lower = key.toLowerCase();
    if (used.has(lower)) continue;
    // The parts of a message are its text, not messages of their own.
    if (record && (own.taken.has(lower) || lower === "metadata" || SPEAKER_KEYS.includes(lower)))
      continue;
    const inner: Surroundings = {
      timestamp: timeForList(key, fields) ?? around.timestamp,
      title: firstScalar(fields, [...TITLE_KEYS, "name"]) ?? around.title,
      thread: !record && identity !== undefined ? place : around.thread,
      place,
    };
    const childPath = path === "" ? key : `${path}.${key}`;
    if (!Array.isArray(child)) {
      yield* walk(child, childPath, depth + 1, inner, onTooDeep);
      continue;
    }
    if (holdsObjects(child)) {
      const isPlain = /^(?:messages|items|data|entries)$/i.test(key);
      if (!isPlain) inner.place = `${place}/${key}`;
      if (child.some(isObject) && (!isPlain || lower === "messages")) inner.thread = inner.place;
    }
    if (depth + 1 > MAX_DEPTH) onTooDeep(childPath);
    else yield* walkList(child, childPath, depth + 1, inner, onTooDeep, parallels.get(key));
  }
}

/** Where a value lies that records are looked for in. */
export interface ValuePlace {
  /** By it threads without an id are told apart. */
  file: string;
  /** Position in the list, or line of the file, that the value is. */
  position?: number;
  /** JSON path of the value. */
  path?: string;
}

function surroundingsAt({ file, position }: ValuePlace): Surroundings {
  return {
    timestamp: undefined,
    title: undefined,
    thread: undefined,
    place: file,
    ...(position === undefined ? {} : { position }),
  };
}

/** All records of a parsed JSON value, in document order. */
export function findRecords(
  value: unknown,
  at: ValuePlace,
  onTooDeep: TooDeep,
): Generator<JsonRecord> {
  const { path = "" } = at;
  return walk(value, path, path === "" ? 0 : 1, surroundingsAt(at), onTooDeep);
}

/** The record that an object itself is, without those inside it. */
export function ownRecord(object: object, at: ValuePlace): JsonRecord | null {
  return recordOf(ownText(object as JsonObject), at.path ?? "", surroundingsAt(at));
}

/** What is said of a value below `MAX_DEPTH`. */
export function tooDeep(locator: string): AppError {
  return new AppError("too_large", `${locator} is nested more than ${MAX_DEPTH} levels deep.`, {
    hint: "Take it out of what holds it and add it as a file of its own; the rest was read.",
  });
}
