/**
 * Who says what in a chat that is one text: lines that begin with "Name: ".
 *
 * Part of the analysis of a source. A chosen sentence is shown with its speaker, and a name in a
 * summary may stand for the "I" of its own turn, never for that of another's.
 */

import type { Span } from "../content/segmentation.ts";

/** What one person says in a row, from their label to the next one. */
export interface Turn extends Span {
  speaker: string;
}

const LABEL =
  /^[ \t]*(?:\[[^\]\n]{1,40}\][ \t]*)?(\p{Lu}[\p{L}\p{M}\p{N}.'’-]{0,30}(?: \p{Lu}[\p{L}\p{M}.'’-]{0,30}){0,2})(?: \([^)\n]{1,40}\))?:[ \t]+(?=\S)/gmu;
/** Fields of mails and documents that look like labels. */
const FIELD =
  /^(?:from|to|cc|bcc|date|sent|subject|note|notes|ps|re|fwd|url|tel|phone|fax|email|mail|web|warning|example|question|answer|step|todo|version|license|status|source|title|summary|http|https)$/i;
/** Fewer labels are a coincidence. */
const MIN_LABELS = 3;

/** The turns of a text in order; none where it isn't a dialogue. */
export function findTurns(text: string): Turn[] {
  const turns: Turn[] = [];
  const counts = new Map<string, number>();
  for (const match of text.matchAll(LABEL)) {
    const speaker = match[1]!;
    if (FIELD.test(speaker)) continue;
    counts.set(speaker, (counts.get(speaker) ?? 0) + 1);
    const last = turns.at(-1);
    if (last) last.end = match.index;
    turns.push({ start: match.index, end: text.length, speaker });
  }
  const repeated = [...counts.values()].filter((count) => count > 1);
  const isDialogue =
    turns.length >= MIN_LABELS && repeated.length > 0 && counts.size <= turns.length / 1.5;
  return isDialogue ? turns : [];
}

/** The speaker at each of ascending places; null outside of turns. */
export function speakersAt(turns: readonly Turn[], places: readonly number[]): (string | null)[] {
  let next = 0;
  return places.map((place) => {
    while (next < turns.length && turns[next]!.end <= place) next++;
    const turn = turns[next];
    return turn && turn.start <= place ? turn.speaker : null;
  });
}

const GREETING =
  /^[ \t]*(?:dear|hi|hello|hey)[ ,]+((?:(?:Mr|Mrs|Ms|Dr|Prof)\.? )?\p{Lu}[\p{L}'’-]+(?: \p{Lu}[\p{L}'’-]+){0,2})[ \t]*[,!:]?[ \t]*$/imu;
const CLOSING =
  /^[ \t]*(?:(?:with )?(?:kind|best|warm|many)?[ ]?(?:regards|wishes)|best|cheers|thanks|thank you|sincerely|yours(?: \w+)?|love|greetings|all the best)[ ]?[,.!]?\s+(\p{Lu}[\p{L}'’-]+(?: \p{Lu}[\p{L}.'’-]+){0,2})[ \t]*$/imu;
/** Words that open a greeting to nobody by name. */
const EVERYBODY = /^(?:all|everyone|everybody|there|team|folks|sir|madam|list|again|guys)$/i;

/** Who writes a letter and to whom, by its greeting and closing; null where it doesn't say. */
export function correspondents(text: string): { author: string | null; addressee: string | null } {
  const greeted = GREETING.exec(text.slice(0, 400))?.[1] ?? null;
  const tail = text.slice(-600);
  return {
    author: CLOSING.exec(tail)?.[1] ?? null,
    addressee: greeted === null || EVERYBODY.test(greeted) ? null : greeted,
  };
}
