/**
 * Text that nobody wrote for this message: list footers, unsubscribe notes, advertisements under
 * mails, legal notices, PGP blocks. It stays in the exact text and is left out of summaries,
 * entities and vectors.
 */

import type { Span } from "../content/segmentation.ts";

/** A line that opens a footer: everything from it to the end of the text is boilerplate. */
const FOOTER_START = [
  /^[_=*~-]{20,}[ \t]*$/,
  /^-{5,}.{0,40}(?:sponsor|groups|msp|~-->)/i,
  /^(?:to )?unsubscribe\b.{0,120}$/i,
  /^to (?:unsubscribe|subscribe|remove|be removed)\b/i,
  /^(?:this|the) (?:e-?mail|message|communication|information).{0,80}(?:confidential|intended (?:only|solely)|privileged)/i,
  /^this sf\.net email is sponsored by/i,
  /^you (?:are receiving|received) this (?:e-?mail|message|newsletter)/i,
  /^(?:do you yahoo!?\??|get your (?:free )?(?:private|@)|join the world.s largest e-mail)/i,
];
/** What a footer's own lines hold; a separator alone can also stand inside a text. */
const FOOTER_BODY =
  /mailing list|unsubscribe|subscri(?:be|ption)|sponsor|yahoo|mailman\/listinfo|terms of (?:service|use)|groups\.|confidential|disclaimer|advertis|remov(?:e|al)|free e-?mail|https?:\/\//i;
/** A footer is at the end: it never is more than this part of a text, nor longer than this. */
const MAX_FOOTER_SHARE = 0.6;
const MAX_FOOTER_CHARS = 3000;

/** A line that only announces a quote, whatever verb it uses: "On Sat, Oct 05, 2002, Ann mentioned:". */
const ATTRIBUTION = /^(?:on|am|le|el|il) [^\n]{0,100}\d[^\n]{0,150}:[ \t]*$/gim;

const PGP_BLOCK = /-----BEGIN PGP [A-Z ]{3,30}-----[\s\S]{0,20000}?-----END PGP [A-Z ]{3,30}-----/g;

/** The boilerplate of a mail or message: spans by their start, which may touch or overlap. */
export function boilerplateSpans(text: string): Span[] {
  const spans: Span[] = [];
  for (const pattern of [PGP_BLOCK, ATTRIBUTION])
    for (const match of text.matchAll(pattern))
      spans.push({ start: match.index, end: match.index + match[0].length });
  spans.sort((a, b) => a.start - b.start);
  const earliest = Math.max(text.length * (1 - MAX_FOOTER_SHARE), text.length - MAX_FOOTER_CHARS);
  let at = text.lastIndexOf("\n", Math.ceil(earliest)) + 1;
  while (at < text.length) {
    const lineEnd = text.indexOf("\n", at);
    const end = lineEnd < 0 ? text.length : lineEnd;
    const line = text.slice(at, Math.min(end, at + 300)).trim();
    const opens = at > 0 && FOOTER_START.some((pattern) => pattern.test(line));
    if (opens && FOOTER_BODY.test(text.slice(at, at + MAX_FOOTER_CHARS))) {
      const last = spans.at(-1);
      if (last && last.end > at) last.end = text.length;
      else spans.push({ start: at, end: text.length });
      break;
    }
    at = end + 1;
  }
  return spans;
}
