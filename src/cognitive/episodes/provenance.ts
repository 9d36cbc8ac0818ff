/**
 * Which members each sentence of a gist comes from, so that a gist can lose a member at once: when
 * it is forgotten or erased, every sentence that isn't wholly somebody else's goes with it.
 */

import type { Entity } from "../../model/memory.ts";
import { joinUnit } from "../../processing/compression/summary.ts";
import { splitSentences } from "../../processing/content/segmentation.ts";
import { plainWords } from "./episode-text.ts";

/** Per sentence of the gist the ids of all members that say it word for word; none: it can't be told. */
export type Provenance = string[][];

export function gistSentences(gist: string): string[] {
  return splitSentences(gist).map(({ start, end }) => gist.slice(start, end));
}

/** The sentences of a gist with who says each: nobody, where the provenance is that of another text. */
export function saidBy(
  gist: string,
  provenance: Provenance,
): { sentence: string; ids: readonly string[] }[] {
  const sentences = gistSentences(gist);
  const isOfIt = sentences.length === provenance.length;
  return sentences.map((sentence, i) => ({
    sentence: sentence.trim(),
    ids: isOfIt ? provenance[i]! : [],
  }));
}

/** Without the speaker that a summary sets before a sentence, and the marks of a quote. */
function words(sentence: string): string[] {
  const plain = plainWords(sentence);
  const unlabelled = plainWords(sentence.replace(/^\s*"?[^:.!?\n]{1,60}: /, ""));
  return plain === unlabelled ? [plain] : [plain, unlabelled];
}

export function traceGist(
  gist: string,
  members: readonly { id: string; text: string }[],
): Provenance {
  const plain = members.map(({ id, text }) => ({ id, words: ` ${plainWords(text)} ` }));
  return gistSentences(gist).map((sentence) => {
    const forms = words(sentence).filter((form) => form !== "");
    return plain
      .filter((member) => forms.some((form) => member.words.includes(` ${form} `)))
      .map(({ id }) => id);
  });
}

/**
 * The gist without the members in `gone`: only sentences that another member says, too, and entities
 * that those sentences or `remaining` (texts of the other members, where they are there) name.
 */
export function gistWithout(
  gist: { text: string; entities: readonly Entity[]; provenance: Provenance },
  gone: ReadonlySet<string>,
  remaining: readonly { id: string; text: string }[],
): { text: string; entities: Entity[]; provenance: Provenance } {
  const isKnown = gistSentences(gist.text).length === gist.provenance.length;
  const traced = isKnown ? gist.provenance : traceGist(gist.text, remaining);
  let text = "";
  const kept: { end: number; ids: string[] }[] = [];
  for (const { sentence, ids } of saidBy(gist.text, traced)) {
    const others = ids.filter((id) => !gone.has(id));
    if (others.length === 0) continue;
    text = joinUnit(text, sentence);
    kept.push({ end: text.length, ids: others });
  }
  const said = ` ${plainWords([text, ...remaining.map((member) => member.text)].join("\n"))} `;
  const entities = gist.entities.filter((entity) => said.includes(` ${plainWords(entity.text)} `));
  return { text, entities, provenance: provenanceOfJoined(text, kept) };
}

/** By the sentences that the text is split into: where two were joined to one, who says both. */
function provenanceOfJoined(
  text: string,
  joined: readonly { end: number; ids: readonly string[] }[],
): Provenance {
  return splitSentences(text).map(({ start, end }) => {
    const own = joined.filter((one, i) => one.end > start && (joined[i - 1]?.end ?? 0) < end);
    const [first, ...others] = own;
    return (first?.ids ?? []).filter((id) => others.every(({ ids }) => ids.includes(id)));
  });
}

/** As it is kept in the metadata of the gist's row: member ids once, then indices per sentence. */
export function encodeProvenance(provenance: Provenance): string {
  const ids = [...new Set(provenance.flat())];
  const indexOf = new Map(ids.map((id, i) => [id, i]));
  return JSON.stringify([ids, provenance.map((own) => own.map((id) => indexOf.get(id)!))]);
}

/** Nothing known, where it is missing or damaged: then every sentence goes with the first member. */
export function decodeProvenance(encoded: string | undefined): Provenance {
  try {
    const [ids, sentences] = JSON.parse(encoded ?? "null") as [string[], number[][]];
    return sentences.map((own) => own.map((i) => ids[i]!).filter((id) => typeof id === "string"));
  } catch {
    return [];
  }
}
