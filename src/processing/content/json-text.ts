/**
 * JSON as people hand it over: says where it is malformed, and reads the elements of a huge top-level
 * array one by one, so that an export of hundreds of megabytes never is one value in memory.
 */

import { AppError } from "../../errors.ts";
import { concatBytes, readSlices } from "./blob-reader.ts";

const NUMBER_OR_WORD = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && " \t\n\r".includes(text[at]!)) at++;
  return at;
}

/** End of the string that opens at `start`; when it is malformed, the negative of 1 + where. */
function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code < 0x20) return -1 - at;
    if (code !== 0x5c) continue;
    ESCAPE.lastIndex = at;
    if (!ESCAPE.test(text)) return -1 - at;
    at = ESCAPE.lastIndex - 1;
  }
  return -1 - text.length;
}

/** UTF-16 offset of the first place where `text` stops being JSON (RFC 8259); null when it is JSON. */
export function findJsonError(text: string): number | null {
  const stack: string[] = [];
  let expect: "value" | "value-or-end" | "key" | "key-or-end" | "colon" | "comma" = "value";
  let at = skipSpace(text, 0);
  for (;;) {
    const mark = text[at];
    const top = stack[stack.length - 1];
    const closes = (mark === "}" && top === "{") || (mark === "]" && top === "[");
    let end = at + 1;
    let valueEnded = false;
    if (mark === undefined) return at;
    if (expect === "colon") {
      if (mark !== ":") return at;
      expect = "value";
    } else if (
      closes &&
      (expect === "comma" || expect === "key-or-end" || expect === "value-or-end")
    ) {
      stack.pop();
      valueEnded = true;
    } else if (expect === "comma") {
      if (mark !== ",") return at;
      expect = top === "{" ? "key" : "value";
    } else if (mark === '"') {
      end = stringEnd(text, at);
      if (end < 0) return -1 - end;
      if (expect === "key" || expect === "key-or-end") expect = "colon";
      else valueEnded = true;
    } else if (expect === "key" || expect === "key-or-end") {
      return at;
    } else if (mark === "{" || mark === "[") {
      stack.push(mark);
      expect = mark === "{" ? "key-or-end" : "value-or-end";
    } else {
      NUMBER_OR_WORD.lastIndex = at;
      if (!NUMBER_OR_WORD.test(text)) return at;
      end = NUMBER_OR_WORD.lastIndex;
      valueEnded = true;
    }
    at = skipSpace(text, end);
    if (!valueEnded) continue;
    if (stack.length === 0) return at >= text.length ? null : at;
    expect = "comma";
  }
}

/** 1-based line and column of an offset. */
export function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) {
    line++;
    start = at + 1;
  }
  return { line, column: offset - start + 1 };
}

/**
 * `JSON.parse` whose error says the line and column, counted from where the text starts in its file.
 *
 * @throws AppError `corrupt_data`
 */
export function parseJson(text: string, name: string, firstLine = 1, firstColumn = 1): unknown {
  const source = text.startsWith("\ufeff") ? text.slice(1) : text;
  try {
    return JSON.parse(source);
  } catch (error) {
    const offset = findJsonError(source) ?? source.length;
    const { line, column } = lineAndColumn(source, offset);
    const found =
      offset >= source.length
        ? "it ends too early"
        : `unexpected ${JSON.stringify(String.fromCodePoint(source.codePointAt(offset)!))}`;
    throw new AppError(
      "corrupt_data",
      `${name} is not valid JSON: ${found} at line ${firstLine + line - 1}, column ${line === 1 ? firstColumn + column - 1 : column}.`,
      { hint: "Export the file again, or correct it at that place.", cause: error },
    );
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export interface JsonElement {
  /** 0-based. */
  index: number;
  text: string;
  /** 1-based line in the file on which it starts. */
  line: number;
  /** 1-based column on that line, in bytes. */
  column: number;
}

/** Follows the nesting of a top-level array byte by byte and cuts out its elements. */
class ArraySplitter {
  #depth = 0;
  #inString = false;
  #escaped = false;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #line = 1;
  #startLine = 1;
  #startColumn = 1;
  /** Offset in the file of the current line and of the current slice. */
  #lineStart = 0;
  #sliceStart = 0;
  #index = 0;
  #decoder = new TextDecoder();
  readonly #maxBytes: number;
  readonly #name: string;
  ended = false;

  constructor(name: string, maxBytes: number) {
    this.#name = name;
    this.#maxBytes = maxBytes;
  }

  *push(slice: Uint8Array): Generator<JsonElement> {
    let from = this.#depth > 0 ? 0 : -1;
    for (let i = 0; i < slice.length; i++) {
      const byte = slice[i]!;
      if (byte === 10) {
        this.#line++;
        this.#lineStart = this.#sliceStart + i + 1;
      }
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
        continue;
      }
      if (byte === QUOTE) this.#inString = true;
      else if (byte === 0x5b || byte === 0x7b) {
        this.#depth++;
        if (this.#depth === 1) {
          from = i + 1;
          this.#startAt(i);
        }
      } else if ((byte === 0x2c && this.#depth === 1) || byte === 0x5d || byte === 0x7d) {
        const closes = byte !== 0x2c;
        if (closes) this.#depth--;
        if (this.#depth > (closes ? 0 : 1)) continue;
        this.#hold(slice.subarray(Math.max(0, from), i));
        const element = this.#element(closes);
        this.#startAt(i);
        if (element) yield element;
        from = i + 1;
        if (closes) {
          this.ended = true;
          return;
        }
      }
    }
    if (from >= 0) this.#hold(slice.subarray(from));
    this.#sliceStart += slice.length;
  }

  /** The next element starts after byte `i` of the slice. */
  #startAt(i: number): void {
    this.#startLine = this.#line;
    this.#startColumn = this.#sliceStart + i + 2 - this.#lineStart;
  }

  #hold(part: Uint8Array): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes)
      throw new AppError(
        "too_large",
        `${this.#name}: element ${this.#index + 1} is larger than ${this.#maxBytes} bytes.`,
        {
          hint: "Split the export into smaller files.",
        },
      );
    this.#parts.push(part);
  }

  #element(last: boolean): JsonElement | null {
    const raw = this.#decoder.decode(concatBytes(this.#parts));
    const text = raw.trimStart();
    const space = raw.slice(0, raw.length - text.length);
    const line = this.#startLine + space.split("\n").length - 1;
    const inLine = space.length - (space.lastIndexOf("\n") + 1);
    const column = line === this.#startLine ? this.#startColumn + inLine : inLine + 1;
    this.#parts = [];
    this.#bytes = 0;
    // "[]" and a missing last element; a hole in the middle is left to the parser to refuse.
    if (text === "" && last) return null;
    return { index: this.#index++, text: text.trimEnd(), line, column };
  }
}

/**
 * The elements of a UTF-8 file whose top level is an array, as texts still to be parsed.
 *
 * @throws AppError `too_large` for an element over `maxElementBytes`, `corrupt_data` when the array never ends
 */
export async function* readJsonArray(
  blob: Blob,
  name: string,
  maxElementBytes: number,
  signal?: AbortSignal,
): AsyncGenerator<JsonElement> {
  const splitter = new ArraySplitter(name, maxElementBytes);
  for await (const slice of readSlices(blob, signal)) {
    yield* splitter.push(slice);
    if (splitter.ended) return;
  }
  throw new AppError(
    "corrupt_data",
    `${name} is not valid JSON: it ends inside its top-level list.`,
    {
      hint: "The file was cut off; what could be read was added. Export it again for the rest.",
    },
  );
}
