/**
 * What kind of text this is, by its structure: mail, chat, log, data, Markdown, code or prose.
 *
 * Used by the recogniser (which parser?) and by the analysis (metadata). The name of the file counts
 * where a format has no structure to tell it by; what the text looks like counts before a ".txt".
 */

import type { ContentKind } from "../../model/memory.ts";
import { detectChatPattern } from "./formats/chat-log.ts";
import { splitSentences } from "./segmentation.ts";

export interface KindHint {
  path?: string | undefined;
  mediaType?: string | undefined;
}

/** Characters looked at; a structure that doesn't show by then doesn't matter. */
export const KIND_SAMPLE_CHARS = 32_768;
const MAX_LINES = 400;
const HEAD_CHARS = 400;

const EXTENSIONS: readonly [ContentKind, RegExp][] = [
  ["mail", /\.(?:eml|mbox)$/i],
  ["markdown", /\.(?:md|markdown|mdown|mkd|mdx)$/i],
  [
    "code",
    /\.(?:[cm]?[jt]sx?|py|rb|rs|go|java|kt|swift|c|cc|cpp|h|hpp|cs|php|pl|lua|r|jl|sh|bash|zsh|ps1|sql|css|scss|less|svelte|vue|wgsl|glsl|scala|hs|ml|ex|exs|clj|zig|dart|nim|asm|s|tex)$/i,
  ],
  ["log", /\.log(?:\.\d+)?$/i],
  ["data", /\.(?:csv|tsv|json|jsonl|ndjson|xml|ya?ml|toml|ini|cfg|conf|properties)$/i],
];

const MAIL_HEADER =
  /^(?:return-path|received|delivered-to|message-id|mime-version|from|to|cc|subject|date|reply-to|content-type|x-[\w-]+|sender|in-reply-to|references|list-[\w-]+|dkim-signature|authentication-results|envelope-to|precedence|status|content-transfer-encoding|user-agent|organization|errors-to|importance):/i;
const ANY_HEADER = /^[!-9;-~]{1,76}:/;

/**
 * Whether a text starts with an RFC 5322 header: only header lines up to the first empty line, among
 * them two that mails carry and one that names a sender, a subject or a way.
 */
export function startsWithMailHeader(sample: string): boolean {
  // A header is more than one line.
  if (!/[\r\n]/.test(sample)) return false;
  let known = 0;
  let telling = 0;
  let first = true;
  for (const line of sample.slice(0, KIND_SAMPLE_CHARS).split(/\r\n|\r|\n/)) {
    const opening = first && /^>?From \S/.test(line);
    first = false;
    if (opening) continue;
    if (line === "") break;
    if (/^[ \t]/.test(line) && known > 0) continue;
    if (!ANY_HEADER.test(line)) {
      // Some mail stores leave a line of another kind in the header; a known way of delivery outweighs it.
      if (telling >= 3) break;
      return false;
    }
    if (MAIL_HEADER.test(line)) known++;
    if (/^(?:from|subject|received|return-path|message-id|delivered-to|date):/i.test(line))
      telling++;
  }
  return known >= 2 && telling >= 2;
}

const LOG_LINE =
  /^(?:\[?\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}|\[?\d{2}[:.]\d{2}[:.]\d{2}|[A-Z][a-z]{2}\s+\d{1,2} \d{2}:\d{2}:\d{2}|\[?(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL)\b|<\d{1,3}>|\d{10}(?:\.\d+)? |\S+ \S+ \S+ \[\d{2}\/[A-Z][a-z]{2}\/\d{4}|\d{4}\/\d{2}\/\d{2} \d{2}:\d{2}|\d{2}\/\d{2}\/\d{2,4} \d{2}:\d{2})/;

function shareOf(lines: readonly string[], pattern: RegExp): number {
  if (lines.length === 0) return 0;
  return lines.filter((line) => pattern.test(line)).length / lines.length;
}

/** The delimiter of a table in text form, or null: the same number of it in nearly every line. */
export function detectDelimiter(lines: readonly string[]): "," | "\t" | ";" | "|" | null {
  if (lines.length < 3) return null;
  for (const delimiter of ["\t", ",", ";", "|"] as const) {
    const counts = lines
      .slice(0, 100)
      .map((line) => line.replaceAll(/"(?:[^"]|"")*"/g, "").split(delimiter).length - 1);
    const usual = counts[0]!;
    if (usual < 1 || (usual < 2 && delimiter !== "\t" && lines.length < 5)) continue;
    const same = counts.filter((count) => count === usual).length / counts.length;
    const wordy = delimiter === "," && shareOf(lines, /[\p{L}],\s\p{Ll}/u) > 0.3;
    if (same >= 0.9 && !wordy) return delimiter;
  }
  return null;
}

function markdownScore(sample: string, lines: readonly string[]): number {
  const headings = lines.filter((line) => /^#{1,6}\s+\S/.test(line)).length;
  const fences = lines.filter((line) => /^ {0,3}(?:```|~~~)/.test(line)).length;
  const links = sample.includes("](")
    ? (sample.match(/!?\[[^\]\n]{1,200}\]\([^)\s]{1,500}\)/g)?.length ?? 0)
    : 0;
  const emphasis =
    sample.match(/(?<![\w*])(?:\*\*|__)\S[^*_\n]{0,200}(?:\*\*|__)(?!\w)/g)?.length ?? 0;
  const tables = lines.filter((line) => /^\s*\|?\s*:?-{3,}:?\s*\|/.test(line)).length;
  return headings * 2 + Math.min(fences, 4) * 1.5 + links * 1.5 + emphasis + tables * 2;
}

const CODE_LINE =
  /(?:[;{}]|\)\s*=>|=>|\):|\{\s*\/\/.*)\s*$|^\s*(?:import\s|from\s\S+\simport|export\s|const\s|let\s|var\s|function\s|def\s|class\s|return\b|if\s?\(|for\s?\(|while\s?\(|#include|package\s|public\s|private\s|fn\s|use\s\S+::|func\s|struct\s|enum\s|interface\s|type\s\w+\s=|elif\s|else:|try:|except\s|@\w+|<\/?[a-z][\w-]*[\s>]|\/\/|\/\*|\*\/|--\s)/;

/** Of the name asked for last: files and lists of records come with the same one many times. */
let lastName: { path: string; kind: ContentKind | undefined } = { path: "", kind: undefined };

function kindOfName(path: string): ContentKind | undefined {
  if (path !== lastName.path)
    lastName = { path, kind: EXTENSIONS.find(([, pattern]) => pattern.test(path))?.[0] };
  return lastName.kind;
}

/** The kind of a text. Looks at a bounded sample, so the time doesn't depend on its length. */
export function detectKind(text: string, hint: KindHint = {}): ContentKind {
  const sample = text.slice(0, KIND_SAMPLE_CHARS);
  if (hint.mediaType === "message/rfc822" || startsWithMailHeader(sample)) return "mail";
  if (hint.mediaType === "text/markdown") return "markdown";
  if (
    /^(?:application\/(?:json|x-ndjson|xml)|text\/(?:csv|tab-separated-values|xml))/.test(
      hint.mediaType ?? "",
    )
  )
    return "data";
  const named = hint.path ? kindOfName(hint.path) : undefined;
  if (named && named !== "log") return named;

  const all = /[\r\n]/.test(sample) ? sample.split(/\r\n|\r|\n/).slice(0, MAX_LINES) : [sample];
  const lines = all.map((line) => line.slice(0, HEAD_CHARS)).filter((line) => line.trim() !== "");
  if (lines.length === 0) return named ?? "prose";
  if (detectChatPattern(all)) return "chat";
  if (named) return named;
  const opening = sample.trimStart();
  if (/^(?:\{\s*(?:"|\})|\[\s*(?:[[{"\]]|-?\d))/.test(opening) && /["\]}\d,[{]\s*$/.test(opening))
    return "data";
  if (/^<\?xml\s/.test(opening)) return "data";
  if (/^(?:#!|<\?php)/.test(opening)) return "code";
  if (lines.length >= 2 && shareOf(lines, LOG_LINE) >= 0.5) return "log";
  if (detectDelimiter(lines)) return "data";
  const code = lines.length >= 3 ? shareOf(lines, CODE_LINE) : 0;
  const markdown = markdownScore(sample, lines);
  if (code >= 0.45 && markdown < lines.length / 4) return "code";
  if (markdown >= 2 && markdown >= lines.length / 40) return "markdown";
  return "prose";
}

/** Parts in a conversation with a program: what they say is chat, however long. */
const CHAT_ROLE = /^(?:user|assistant|system|tool|human|ai|bot|model|developer|function)$/i;
const PASSAGE_MIN_CHARS = 400;
/** Mean words of a sentence; turns of a conversation have about ten. */
const PASSAGE_MIN_SENTENCE_WORDS = 14;

/**
 * The kind of a record that names who speaks: "chat", unless it is a passage of a longer text (a
 * speech, an article with its author): several hundred characters of long sentences.
 */
export function kindOfSpoken(text: string, speaker: string): "chat" | "prose" {
  if (text.length < PASSAGE_MIN_CHARS || CHAT_ROLE.test(speaker.trim())) return "chat";
  const sample = text.slice(0, KIND_SAMPLE_CHARS);
  const sentences = splitSentences(sample).length;
  const words = sample.match(/\S+/g)?.length ?? 0;
  return words >= sentences * PASSAGE_MIN_SENTENCE_WORDS ? "prose" : "chat";
}
