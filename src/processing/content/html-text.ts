/**
 * HTML → the text a person would read. On the tokens of htmlparser2, without a tree or a DOM: it runs
 * in a worker, and takes linear time and memory whatever is nested in what.
 */

import { Tokenizer } from "htmlparser2";

/** Elements whose content isn't read; script, style and the like are raw text to the tokenizer already. */
const SKIPPED = new Set("script style noscript template svg iframe object math select".split(" "));
const PARAGRAPHS = new Set(
  (
    "p h1 h2 h3 h4 h5 h6 ul ol dl table blockquote pre section article header footer main aside nav " +
    "figure form fieldset hr address body html textarea"
  ).split(" "),
);
const LINES = new Set("div li tr dt dd br figcaption caption option center".split(" "));
const VOID = new Set("br hr img input meta link area base col source wbr".split(" "));
/** Quotes in quotes deeper than this look the same. */
const MAX_QUOTE_DEPTH = 5;

export interface ReadableHtml {
  text: string;
  title: string | null;
}

/** Elements whose words keep their lines. */
const PREFORMATTED = new Set(["pre", "textarea"]);
/** Never text, not even when their end is missing. */
const PROGRAM = new Set(["script", "style"]);

/** The state before an element that isn't read; taken back when the element ends. */
interface Skip {
  tag: string;
  outLength: number;
  pieces: string[];
  pieceCount: number;
  endsWithSpace: boolean;
  hasWords: boolean;
  preDepth: number;
  quoteDepth: number;
  pendingBreaks: number;
}

/** Builds the text while tags and characters come in. */
class TextBuilder {
  #out: string[] = [];
  /** The line under way; joined once, so that it costs its length. */
  #pieces: string[] = [];
  #endsWithSpace = false;
  #hasWords = false;
  #title: string | null = null;
  #inTitle = false;
  /** Open elements that aren't read. One that never ends takes nothing with it. */
  #skips: Skip[] = [];
  #skipCounts = new Map<string, number>();
  #preDepth = 0;
  #quoteDepth = 0;
  #pendingBreaks = 0;

  open(name: string, alternative: string, selfClosing: boolean): void {
    if (name === "title" && !selfClosing && this.#skips.length === 0) this.#inTitle = true;
    if (SKIPPED.has(name)) {
      if (!selfClosing) this.#skip(name);
      return;
    }
    if (PARAGRAPHS.has(name)) this.#flush(2);
    else if (LINES.has(name)) this.#flush(1);
    else if ((name === "td" || name === "th") && this.#hasWords) this.#append("\t");
    if (PREFORMATTED.has(name) && !selfClosing) this.#preDepth++;
    if (name === "blockquote") this.#quoteDepth++;
    if (name === "li") this.#append("- ");
    if (alternative) this.#append(` ${alternative} `);
  }

  close(name: string): void {
    if (SKIPPED.has(name)) {
      if ((this.#skipCounts.get(name) ?? 0) > 0) this.#takeBack(name);
      return;
    }
    if (name === "title") this.#inTitle = false;
    if (VOID.has(name)) return;
    if (PARAGRAPHS.has(name)) this.#flush(2);
    else if (LINES.has(name)) this.#flush(1);
    if (PREFORMATTED.has(name) && this.#preDepth > 0) this.#preDepth--;
    if (name === "blockquote" && this.#quoteDepth > 0) this.#quoteDepth--;
  }

  characters(data: string): void {
    if (this.#inTitle) {
      this.#title = (this.#title ?? "") + data;
    } else if (this.#preDepth > 0) {
      const parts = data.split("\n");
      for (const [i, part] of parts.entries()) {
        this.#append(part);
        if (i < parts.length - 1) this.#flush(1);
      }
    } else {
      const collapsed = data.replaceAll(/[\s\u00a0]+/g, " ");
      const atSpace = this.#pieces.length === 0 || this.#endsWithSpace;
      this.#append(atSpace ? collapsed.trimStart() : collapsed);
    }
  }

  #append(text: string): void {
    if (text === "") return;
    this.#pieces.push(text);
    this.#endsWithSpace = text.endsWith(" ");
    this.#hasWords ||= /\S/.test(text);
  }

  #skip(tag: string): void {
    this.#skips.push({
      tag,
      outLength: this.#out.length,
      pieces: this.#pieces,
      pieceCount: this.#pieces.length,
      endsWithSpace: this.#endsWithSpace,
      hasWords: this.#hasWords,
      preDepth: this.#preDepth,
      quoteDepth: this.#quoteDepth,
      pendingBreaks: this.#pendingBreaks,
    });
    this.#skipCounts.set(tag, (this.#skipCounts.get(tag) ?? 0) + 1);
  }

  /** Forgets all since the last `tag` was opened. */
  #takeBack(tag: string): void {
    for (let skip = this.#skips.pop(); skip; skip = this.#skips.pop()) {
      this.#skipCounts.set(skip.tag, this.#skipCounts.get(skip.tag)! - 1);
      if (skip.tag !== tag) continue;
      this.#out.length = skip.outLength;
      this.#pieces = skip.pieces;
      this.#pieces.length = skip.pieceCount;
      this.#endsWithSpace = skip.endsWithSpace;
      this.#hasWords = skip.hasWords;
      this.#preDepth = skip.preDepth;
      this.#quoteDepth = skip.quoteDepth;
      this.#pendingBreaks = skip.pendingBreaks;
      return;
    }
  }

  /** Ends the line; at least `breaks` line breaks come before the next one. */
  #flush(breaks: number): void {
    const line = this.#pieces.join("");
    const trimmed = this.#preDepth > 0 ? line.trimEnd() : line.trim();
    // A new list: an element that is skipped may still go back to the old one.
    if (this.#pieces.length > 0) this.#pieces = [];
    this.#endsWithSpace = false;
    this.#hasWords = false;
    if (trimmed === "") {
      this.#pendingBreaks = Math.max(this.#pendingBreaks, breaks);
      return;
    }
    if (this.#out.length > 0) this.#out.push("\n".repeat(Math.max(1, this.#pendingBreaks)));
    this.#out.push("> ".repeat(Math.min(this.#quoteDepth, MAX_QUOTE_DEPTH)) + trimmed);
    this.#pendingBreaks = breaks;
  }

  finish(): ReadableHtml {
    const program = this.#skips.find((skip) => PROGRAM.has(skip.tag))?.tag;
    if (program) this.#takeBack(program);
    this.#flush(0);
    const title = this.#title?.replaceAll(/\s+/g, " ").trim();
    return { text: this.#out.join(""), title: title ? title : null };
  }
}

/** Text with empty lines between paragraphs; block quotes carry "> ", so that they are found as quotes. */
export function htmlToText(html: string): ReadableHtml {
  const builder = new TextBuilder();
  let tag = "";
  let attribute = "";
  let alternative = "";
  const ignore = (): void => undefined;
  const opened = (selfClosing: boolean): void => {
    builder.open(tag, alternative.trim(), selfClosing);
    alternative = "";
  };
  const tokenizer = new Tokenizer(
    { xmlMode: false, decodeEntities: true },
    {
      onopentagname(start, end) {
        tag = html.slice(start, end).toLowerCase();
        alternative = "";
      },
      onopentagend: () => opened(false),
      onselfclosingtag: () => opened(true),
      onclosetag: (start, end) => builder.close(html.slice(start, end).toLowerCase()),
      ontext: (start, end) => builder.characters(html.slice(start, end)),
      ontextentity: (codePoint) => builder.characters(String.fromCodePoint(codePoint)),
      onattribname(start, end) {
        attribute = tag === "img" ? html.slice(start, end).toLowerCase() : "";
      },
      onattribdata(start, end) {
        if (attribute === "alt") alternative += html.slice(start, end);
      },
      onattribentity(codePoint) {
        if (attribute === "alt") alternative += String.fromCodePoint(codePoint);
      },
      onattribend: ignore,
      oncdata: ignore,
      oncomment: ignore,
      ondeclaration: ignore,
      onprocessinginstruction: ignore,
      onend: ignore,
    },
  );
  tokenizer.write(html);
  tokenizer.end();
  return builder.finish();
}
