/**
 * The line structure of a text: paragraphs, headings, list items, quotes, tables and code blocks.
 *
 * First step of segmentation: sentences and chunks are cut inside and between these blocks. One
 * linear pass over the lines; nothing here depends on a locale.
 */

export type BlockKind = "text" | "heading" | "code" | "rule";

/** A run of lines that belong together; `[start, end)` in UTF-16 offsets, line break excluded. */
export interface TextBlock {
  start: number;
  end: number;
  kind: BlockKind;
  /** True when a blank line (or the start of the text) is before it. */
  opensParagraph: boolean;
}

interface Line {
  start: number;
  end: number;
}

const LINE_BREAK = /\r\n|[\n\r\u2028\u2029\f]/g;
const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^ {0,3}#{1,6}(?:\s|$)/;
/** Three or more signs of drawing: "-----", "* * *", "=====". */
const RULE = /^\s*(?:[-=*_~+#|<>`]\s?){3,}$/;
const SETEXT_UNDERLINE = /^ {0,3}(?:={3,}|-{3,})\s*$/;
const LIST_ITEM = /^\s*(?:[-*+•‣◦·–—]|\(?\d{1,3}[.)]|\(?[a-z]\))\s+\S/;
const FIELD_LINE = /^[A-Z][\w-]{1,30}:\s/;
const NAMED_SECTION =
  /^\s*(?:chapter|part|book|section|appendix|kapitel|chapitre|cap[ií]tulo)\s+[\divxlc]+\b/i;
const LETTER = /\p{L}/u;
const LOWER_LETTER = /\p{Lower}/u;
const CODE_SIGNS = /[{}();=<>\\]|^\s*(?:#|\/\/|\$|import|from|def|class|return|if|for|while)\b/;

/** A prose line is wrapped at this width at the least; narrower lines were ended by their author. */
const MIN_WRAP_WIDTH = 50;
/** Lines wider than this aren't hard-wrapped: each line is a paragraph of its own. */
const MAX_WRAP_WIDTH = 160;
/** Longest head of a line that patterns look at, so that a 10 MB line costs nothing. */
const HEAD_CHARS = 200;

function* linesOf(text: string): Generator<Line> {
  let start = 0;
  for (const match of text.matchAll(LINE_BREAK)) {
    yield { start, end: match.index };
    start = match.index + match[0].length;
  }
  yield { start, end: text.length };
}

function isBlank(text: string, line: Line): boolean {
  for (let i = line.start; i < line.end; i++) {
    const code = text.charCodeAt(i);
    if (code !== 32 && code !== 9) return text.slice(i, line.end).trim() === "";
  }
  return true;
}

function headOf(text: string, line: Line): string {
  return text.slice(line.start, Math.min(line.end, line.start + HEAD_CHARS));
}

function isShort(line: Line): boolean {
  return line.end - line.start <= HEAD_CHARS;
}

function quoteDepth(head: string): number {
  return /^(?:\s?>)*/.exec(head)![0].replaceAll(/\s/g, "").length;
}

function isIndentedCode(text: string, lines: readonly Line[]): boolean {
  let signs = 0;
  for (const line of lines) {
    if (!text.startsWith("    ", line.start) && text[line.start] !== "\t") return false;
    if (CODE_SIGNS.test(headOf(text, line))) signs++;
  }
  return signs * 2 >= lines.length;
}

/** A title standing alone: "CHAPTER 1. Loomings.", "ETYMOLOGY". */
function isTitleLine(head: string): boolean {
  if (head.length > 100) return false;
  if (NAMED_SECTION.test(head)) return true;
  return (
    head.trim().length >= 4 && LETTER.test(head) && !LOWER_LETTER.test(head) && /\p{Lu}/u.test(head)
  );
}

/** Whether `line` was ended on purpose, and not wrapped because the next word didn't fit. */
function endsOnPurpose(text: string, line: Line, next: Line, width: number): boolean {
  if (width > MAX_WRAP_WIDTH) return true;
  const rawHead = headOf(text, next);
  const nextHead = rawHead.trimStart();
  const firstWord = /^\S+/.exec(nextHead)?.[0].length ?? 0;
  const needed = line.end - line.start + 1 + firstWord;
  const lower = LOWER_LETTER.test(String.fromCodePoint(nextHead.codePointAt(0) ?? 32));
  // An indented line in lower case continues a list item.
  if (needed < width / 2) return !(lower && rawHead.length > nextHead.length);
  return needed < width * 0.9 && !lower;
}

function* blocksOfParagraph(text: string, lines: readonly Line[]): Generator<TextBlock> {
  const first = lines[0]!;
  const last = lines[lines.length - 1]!;
  if (isIndentedCode(text, lines)) {
    yield { start: first.start, end: last.end, kind: "code", opensParagraph: true };
    return;
  }
  let width = MIN_WRAP_WIDTH;
  for (const line of lines) width = Math.max(width, line.end - line.start);

  let current: TextBlock | null = null;
  let previousDepth = 0;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const head = headOf(text, line);
    const depth = quoteDepth(head);
    let kind: BlockKind = "text";
    if (HEADING.test(head)) kind = "heading";
    else if (isShort(line) && RULE.test(head)) kind = "rule";
    else if (lines.length === 1 && isShort(line) && isTitleLine(head)) kind = "heading";
    else if (i + 1 < lines.length && (i === 0 || current?.kind !== "text")) {
      const next = lines[i + 1]!;
      if (isShort(next) && SETEXT_UNDERLINE.test(headOf(text, next))) kind = "heading";
    }
    const joins =
      current !== null &&
      kind === "text" &&
      current.kind === "text" &&
      depth === previousDepth &&
      !LIST_ITEM.test(head) &&
      !FIELD_LINE.test(head) &&
      head[0] !== "|" &&
      !endsOnPurpose(text, lines[i - 1]!, line, width);
    if (joins) current!.end = line.end;
    else {
      if (current) yield current;
      current = { start: line.start, end: line.end, kind, opensParagraph: i === 0 };
    }
    previousDepth = depth;
  }
  if (current) yield current;
}

/** The blocks of a text, in order; white space between them belongs to none. */
export function* textBlocks(text: string): Generator<TextBlock> {
  let paragraph: Line[] = [];
  let fence: { mark: string; start: number; end: number } | null = null;
  for (const line of linesOf(text)) {
    const mark = isShort(line) ? FENCE.exec(headOf(text, line))?.[1] : undefined;
    if (fence) {
      fence.end = line.end;
      if (mark && mark[0] === fence.mark[0] && mark.length >= fence.mark.length) {
        yield { start: fence.start, end: fence.end, kind: "code", opensParagraph: true };
        fence = null;
      }
    } else if (mark) {
      if (paragraph.length > 0) yield* blocksOfParagraph(text, paragraph);
      paragraph = [];
      fence = { mark, start: line.start, end: line.end };
    } else if (isBlank(text, line)) {
      if (paragraph.length > 0) yield* blocksOfParagraph(text, paragraph);
      paragraph = [];
    } else {
      paragraph.push(line);
    }
  }
  if (fence) yield { start: fence.start, end: fence.end, kind: "code", opensParagraph: true };
  if (paragraph.length > 0) yield* blocksOfParagraph(text, paragraph);
}

/** The lines of a code block that hold more than white space. */
export function* codeLines(text: string, block: TextBlock): Generator<Line> {
  for (const line of linesOf(text.slice(block.start, block.end))) {
    const absolute = { start: block.start + line.start, end: block.start + line.end };
    if (!isBlank(text, absolute)) yield absolute;
  }
}
