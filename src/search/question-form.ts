/** Whether a text asks. A question asks and doesn't tell: what answers a query is rarely one itself. */

/** Of the end of a text. A closing word or a smiley may follow the question. */
const TAIL_UNITS = 40;
const MARK = /[?？؟]/;
/** How a question starts that was typed without its mark. */
const OPENING =
  /^\s*(?:who|whom|whose|what|which|when|where|why|how|is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)(?![\p{L}\p{N}])/iu;

/** Whether a memory's text ends by asking. */
export function endsInQuestion(text: string): boolean {
  return MARK.test(text.slice(-TAIL_UNITS));
}

/** Whether a query is put as a question, and not as words to look for. */
export function isQuestion(query: string): boolean {
  return endsInQuestion(query) || OPENING.test(query);
}
