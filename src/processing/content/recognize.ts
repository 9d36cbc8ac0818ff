/** Which format a file is, by its first bytes and then its name. */

import { readSample } from "./blob-reader.ts";
import { detectDelimiter, detectKind, startsWithMailHeader } from "./content-kind.ts";
import { assertText, decodeBytes, detectEncoding, SAMPLE_BYTES } from "./decoding.ts";
import { startsLikeHtml } from "./formats/html.ts";
import type { SourceFile } from "./parsed-item.ts";

export const FILE_FORMATS = [
  "mail",
  "mbox",
  "chatgpt-export",
  "claude-export",
  "llm-compression-export",
  "json",
  "jsonl",
  "chat",
  "markdown",
  "html",
  "table",
  "data",
  "code",
  "log",
  "text",
  "zip",
  "gzip",
] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];

export interface Recognition {
  format: FileFormat;
  /** First lines, for formats whose pattern depends on them. */
  sampleLines: string[];
}

function isZip(sample: Uint8Array): boolean {
  return (
    sample[0] === 0x50 &&
    sample[1] === 0x4b &&
    ((sample[2] === 3 && sample[3] === 4) || (sample[2] === 5 && sample[3] === 6))
  );
}

/** A second "From " line after an empty one, or a name that says so. */
function isMbox(text: string, path: string): boolean {
  if (!/^From \S/.test(text)) return false;
  if (/\.mbo?x$/i.test(path)) return true;
  return /\r?\n\r?\nFrom \S.*\d{1,2}:\d{2}.*\d{4}\r?\n[!-9;-~]+:/.test(text);
}

function jsonFormat(text: string, path: string): FileFormat | null {
  const opening = text.trimStart();
  if (!/^[[{]/.test(opening)) return /\.(?:jsonl|ndjson)$/i.test(path) ? "jsonl" : null;
  if (/\.(?:jsonl|ndjson)$/i.test(path)) return exportFormat(opening) ?? "jsonl";
  const firstLine = opening.slice(0, opening.indexOf("\n") + 1).trim();
  const rest = opening.slice(opening.indexOf("\n") + 1).trimStart();
  if (/^\{.*\}$/.test(firstLine) && rest.startsWith("{") && isJson(firstLine))
    return exportFormat(firstLine) ?? "jsonl";
  if (/"chat_messages"\s*:/.test(opening)) return "claude-export";
  if (/"mapping"\s*:\s*\{/.test(opening)) return "chatgpt-export";
  if (/\.json$/i.test(path)) return "json";
  return /^(?:\{\s*(?:"(?:[^"\\]|\\.){0,200}"\s*:|\})|\[\s*(?:[{["\]]|-?\d+\s*[,\]]))/.test(
    opening,
  ) && /["}\]]/.test(opening)
    ? looksLikeJson(opening)
    : null;
}

/** Prose may open with "[1]" and Markdown with "[link]": ask for more than the first bracket. */
function looksLikeJson(text: string): FileFormat | null {
  if (isJson(text)) return "json";
  return /^[[{][\s[{]*"(?:[^"\\]|\\.){0,200}"\s*[:,]/.test(text) ? "json" : null;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function exportFormat(line: string): FileFormat | null {
  return /"memory_id"\s*:|"contentSha256"\s*:|"content_sha256"\s*:/.test(line.slice(0, 20_000))
    ? "llm-compression-export"
    : null;
}

/**
 * Recognises a file by its first 64 KB.
 *
 * @throws AppError `invalid_input` when empty, `unsupported_input` when binary
 */
export async function recognizeFile(file: SourceFile): Promise<Recognition> {
  const sample = await readSample(file.blob);
  const found = (format: FileFormat, sampleLines: string[] = []): Recognition => ({
    format,
    sampleLines,
  });
  if (isZip(sample)) return found("zip");
  if (sample[0] === 0x1f && sample[1] === 0x8b) return found("gzip");
  const ascii = new TextDecoder("latin1").decode(sample);
  // Mail may carry 8-bit or binary parts: its header decides before the bytes are judged.
  if (isMbox(ascii, file.path)) return found("mbox");
  if (/^(?:From |>From |[A-Za-z][\w-]*:)/.test(ascii) && startsWithMailHeader(ascii))
    return found("mail");
  assertText(sample, file.path);

  const complete = file.blob.size <= SAMPLE_BYTES;
  const { encoding, bomBytes } = detectEncoding(sample, { complete });
  const text = decodeBytes(sample.subarray(bomBytes), encoding);
  const lines = text.split(/\r\n|\r|\n/);
  if (!complete && lines.length > 1) lines.pop();
  const { path } = file;
  if (/\.html?$/i.test(path) || startsLikeHtml(text)) return found("html");
  const json = jsonFormat(text, path);
  if (json) return found(json);
  const sampleLines = lines.slice(0, 400);
  switch (detectKind(text, { path })) {
    case "markdown":
      return found("markdown");
    case "code":
      return found("code");
    case "log":
      return found("log");
    case "chat":
      return found("chat", sampleLines);
    case "mail":
      return found(/\.eml$/i.test(path) ? "mail" : "text");
    case "data":
      return found(
        /\.[ct]sv$/i.test(path) || detectDelimiter(sampleLines.filter((line) => line !== ""))
          ? "table"
          : "data",
      );
    case "prose":
      return found("text");
  }
}
