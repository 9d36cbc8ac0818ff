/**
 * Sentences that say nothing to who wasn't there: thanks, greetings, cheers, questions back. They
 * stay in the text, but a summary that replaces it doesn't spend its bytes on them.
 */

import { tokenize } from "./facts.ts";

/** Words of politeness and mood; a sentence of nothing else has no content. */
const EMPTY_WORDS = new Set(
  (
    "thank thanks thanx thx hey hi hello bye goodbye wow woah whoa yeah yep yup yes nope no okay ok oh ah aw haha lol " +
    "hmm cool great good nice awesome amazing wonderful fantastic fabulous lovely super perfect incredible impressive " +
    "interesting exciting excited inspiring inspired glad happy sorry proud love like hope wish luck care cheer cheers " +
    "agree agreed totally absolutely definitely really truly exactly sure well right same know think guess mean feel " +
    "sound sounds look looks seem seems hear heard hearing see seeing tell told say said ask talk chat catch soon later " +
    "again keep going go gonna come let make makes made mean means lot lots bit way much many always never ever still " +
    "support appreciate encouragement advice help helpful congrat congrats congratulations welcome please regard " +
    "regards best sincerely dear fun thing things something anything everything stuff up take get got give"
  ).split(" "),
);
/** Content words that a telling sentence has at least, beyond those of politeness. */
const MIN_CONTENT_WORDS = 3;

/** Whether a sentence states something: a number, or enough words of content. */
export function isInformative(sentence: string): boolean {
  const tokens = tokenize(sentence);
  const words = new Set<string>();
  let numbers = 0;
  for (const token of tokens) {
    if (token.kind === "number") numbers++;
    else if (token.content && !EMPTY_WORDS.has(token.word)) words.add(token.value);
  }
  return words.size + numbers >= MIN_CONTENT_WORDS;
}
