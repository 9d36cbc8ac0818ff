/**
 * HTML → the text a person would read. On the tokens of htmlparser2, without a tree or a DOM: it runs
 * in a worker, and takes linear time and memory whatever is nested in what.
 */

import { Tokenizer } from "htmlparser2";

/** Elements whose content isn't read; script, style and the like are raw text to the tokenizer already. */
const SKIPPED = new Set(
  "script style noscript template svg iframe object math textarea select".split(" "),
);
const PARAGRAPHS = new Set(
  (
    "p h1 h2 h3 h4 h5 h6 ul ol dl table blockquote pre section article header footer main aside nav " +
    "figure form fieldset hr address body html"
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

/** Builds the text while tags and characters come in. */
class TextBuilder {
  #out: string[] = [];
  #line = "";
  #title: string | null = null;
  #inTitle = false;
  #skipTag = "";
  #skipDepth = 0;
  #preDepth = 0;
  #quoteDepth = 0;
  #pendingBreaks = 0;

  open(name: string, alternative: string): void {
    if (this.#skipDepth > 0) {
      if (name === this.#skipTag) this.#skipDepth++;
      return;
    }
    if (name === "title") this.#inTitle = true;
    if (SKIPPED.has(name)) {
      this.#skipDepth = 1;
      this.#skipTag = name;
      return;
    }
    if (PARAGRAPHS.has(name)) this.#flush(2);
    else if (LINES.has(name)) this.#flush(1);
    else if ((name === "td" || name === "th") && this.#line.trim() !== "") this.#line += "\t";
    if (name === "pre") this.#preDepth++;
    if (name === "blockquote") this.#quoteDepth++;
    if (name === "li") this.#line += "- ";
    if (alternative) this.#line += ` ${alternative} `;
  }

  close(name: string): void {
    if (this.#skipDepth > 0) {
      // A page that never closes its <svg> still ends it with its body.
      if (name === this.#skipTag) this.#skipDepth--;
      else if (name === "body" || name === "html") this.#skipDepth = 0;
      return;
    }
    if (name === "title") this.#inTitle = false;
    if (VOID.has(name)) return;
    if (PARAGRAPHS.has(name)) this.#flush(2);
    else if (LINES.has(name)) this.#flush(1);
    if (name === "pre" && this.#preDepth > 0) this.#preDepth--;
    if (name === "blockquote" && this.#quoteDepth > 0) this.#quoteDepth--;
  }

  characters(data: string): void {
    if (this.#skipDepth > 0) return;
    if (this.#inTitle) {
      this.#title = (this.#title ?? "") + data;
    } else if (this.#preDepth > 0) {
      const parts = data.split("\n");
      for (const [i, part] of parts.entries()) {
        this.#line += part;
        if (i < parts.length - 1) this.#flush(1);
      }
    } else {
      const collapsed = data.replaceAll(/[\s\u00a0]+/g, " ");
      const atSpace = this.#line === "" || this.#line.endsWith(" ");
      this.#line += atSpace ? collapsed.trimStart() : collapsed;
    }
  }

  /** Ends the line; at least `breaks` line breaks come before the next one. */
  #flush(breaks: number): void {
    const trimmed = this.#preDepth > 0 ? this.#line.trimEnd() : this.#line.trim();
    this.#line = "";
    if (trimmed === "") {
      this.#pendingBreaks = Math.max(this.#pendingBreaks, breaks);
      return;
    }
    if (this.#out.length > 0) this.#out.push("\n".repeat(Math.max(1, this.#pendingBreaks)));
    this.#out.push("> ".repeat(Math.min(this.#quoteDepth, MAX_QUOTE_DEPTH)) + trimmed);
    this.#pendingBreaks = breaks;
  }

  finish(): ReadableHtml {
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
  const opened = (): void => {
    builder.open(tag, alternative.trim());
    alternative = "";
  };
  const tokenizer = new Tokenizer(
    { xmlMode: false, decodeEntities: true },
    {
      onopentagname(start, end) {
        tag = html.slice(start, end).toLowerCase();
        alternative = "";
      },
      onopentagend: opened,
      onselfclosingtag: opened,
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
