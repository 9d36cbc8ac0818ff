/**
 * HTML → the text a person would read. A streaming parser and no DOM, so that it runs in a worker
 * and takes linear time on any nesting.
 */

import { Parser } from "htmlparser2";

const SKIPPED = new Set([
  "script",
  "style",
  "noscript",
  "template",
  "svg",
  "head",
  "iframe",
  "object",
  "math",
]);
const PARAGRAPHS = new Set([
  "p",
  "h1",
  "h2",
  "h3",
  "h4",
  "h5",
  "h6",
  "ul",
  "ol",
  "dl",
  "table",
  "blockquote",
  "pre",
  "section",
  "article",
  "header",
  "footer",
  "main",
  "aside",
  "nav",
  "figure",
  "form",
  "fieldset",
  "hr",
  "address",
]);
const LINES = new Set([
  "div",
  "li",
  "tr",
  "dt",
  "dd",
  "br",
  "figcaption",
  "caption",
  "option",
  "title",
  "center",
]);
const VOID = new Set([
  "br",
  "hr",
  "img",
  "input",
  "meta",
  "link",
  "area",
  "base",
  "col",
  "source",
  "wbr",
]);

export interface ReadableHtml {
  text: string;
  title: string | null;
}

/** Text with blank lines between paragraphs; quoted blocks keep "> " so that they are recognised as quotes. */
export function htmlToText(html: string): ReadableHtml {
  let out = "";
  let line = "";
  let title: string | null = null;
  let inTitle = false;
  let skipDepth = 0;
  let skipTag = "";
  let preDepth = 0;
  let quoteDepth = 0;
  let pendingBreaks = 0;

  const flush = (breaks: number): void => {
    const trimmed = preDepth > 0 ? line.trimEnd() : line.trim();
    if (trimmed !== "") {
      if (out !== "") out += "\n".repeat(Math.max(1, pendingBreaks));
      out += (quoteDepth > 0 ? `${"> ".repeat(Math.min(quoteDepth, 5))}` : "") + trimmed;
      pendingBreaks = breaks;
    } else pendingBreaks = Math.max(pendingBreaks, breaks);
    line = "";
  };

  const parser = new Parser(
    {
      onopentag(name, attributes) {
        if (skipDepth > 0) {
          if (name === skipTag) skipDepth++;
          return;
        }
        if (name === "title") inTitle = true;
        if (SKIPPED.has(name) && name !== "head") {
          skipDepth = 1;
          skipTag = name;
          return;
        }
        if (name === "pre") preDepth++;
        if (PARAGRAPHS.has(name)) flush(2);
        else if (LINES.has(name)) flush(1);
        else if ((name === "td" || name === "th") && line.trim() !== "") line += "\t";
        if (name === "blockquote") quoteDepth++;
        if (name === "li") line += "- ";
        if (name === "img" && attributes.alt) line += ` ${attributes.alt} `;
      },
      ontext(data) {
        if (skipDepth > 0) return;
        if (inTitle) {
          title = (title ?? "") + data;
          return;
        }
        if (preDepth > 0) {
          const parts = data.split("\n");
          for (const [i, part] of parts.entries()) {
            line += part;
            if (i < parts.length - 1) flush(1);
          }
          return;
        }
        const collapsed = data.replaceAll(/[\s\u00a0]+/g, " ");
        line += line.endsWith(" ") || line === "" ? collapsed.trimStart() : collapsed;
      },
      onclosetag(name) {
        if (skipDepth > 0) {
          if (name === skipTag) skipDepth--;
          return;
        }
        if (name === "title") inTitle = false;
        if (VOID.has(name)) return;
        if (PARAGRAPHS.has(name)) flush(2);
        else if (LINES.has(name)) flush(1);
        if (name === "pre" && preDepth > 0) preDepth--;
        if (name === "blockquote" && quoteDepth > 0) quoteDepth--;
      },
    },
    { decodeEntities: true, lowerCaseTags: true },
  );
  parser.write(html);
  parser.end();
  flush(0);
  return {
    text: out,
    title: title === null ? null : (title as string).replaceAll(/\s+/g, " ").trim() || null,
  };
}
