/**
 * The one text that an episode's gist is made of and judged against: its members in the order of
 * time, each with who said it, and without what it only quotes from another member.
 */

import { quotedSpans } from "../../processing/content/quoted-text.ts";

export interface MemberText {
  id: string;
  text: string;
  speaker: string | null;
  /** Quotes occur in mails and messages only. */
  mayQuote: boolean;
}

export interface EpisodeText {
  text: string;
  /** Where each member's words are, in order. */
  spans: { id: string; start: number; end: number }[];
}

/** Shorter pieces occur anywhere. */
const MIN_PIECE_CHARS = 24;
/** A label that summaries and their checker understand as a speaker. */
const LABEL = /^\p{Lu}[\p{L}\p{M}\p{N}.'’-]{0,30}(?: \p{Lu}[\p{L}\p{M}.'’-]{0,30}){0,2}$/u;

/** Words only: line breaks, quote marks and spaces differ between a text and its quotation. */
export function plainWords(text: string): string {
  return text
    .toLowerCase()
    .replace(/^[ \t>|]+/gm, "")
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}

/** The name of a sender or speaker as a label, or null where it wouldn't be read as one. */
export function speakerLabel(speaker: string | null | undefined): string | null {
  const name = (speaker ?? "")
    .replace(/<[^>]*>|["()]/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  return LABEL.test(name) ? name : null;
}

/**
 * A mail's quotes whose words are all in one of `sources`, as spans of `text`: what can be left out
 * since another memory says it. Attributions and forwarded headers go with the quote below them.
 */
export function quotesFoundIn(
  text: string,
  sources: readonly string[],
): { start: number; end: number }[] {
  return quotedSpans(text).filter(({ start, end }) => {
    const pieces = text
      .slice(start, end)
      .split(/\n[ \t>|]*\n|^.*:\s*$/m)
      .map(plainWords)
      .filter((piece) => piece.length >= MIN_PIECE_CHARS);
    return (
      pieces.length > 0 && pieces.every((piece) => sources.some((source) => source.includes(piece)))
    );
  });
}

/** Joins members given in the order of time. */
export function joinMembers(members: readonly MemberText[]): EpisodeText {
  const plain = new Map(members.map(({ id, text }) => [id, plainWords(text)]));
  const labels = members.map(({ speaker }) => speakerLabel(speaker));
  const isDialogue = labels.filter((label) => label !== null).length > members.length / 2;
  let joined = "";
  const spans: EpisodeText["spans"] = [];
  members.forEach((member, index) => {
    const others = members.filter(({ id }) => id !== member.id).map(({ id }) => plain.get(id)!);
    let own = member.text;
    if (member.mayQuote)
      for (const { start, end } of quotesFoundIn(own, others).reverse())
        own = `${own.slice(0, start)}${own.slice(end)}`;
    own = own.trim();
    if (own === "") return;
    if (joined !== "") joined += isDialogue ? "\n" : "\n\n";
    const label = isDialogue ? (labels[index] ?? "Unknown") : null;
    if (label !== null) joined += `${label}: `;
    spans.push({ id: member.id, start: joined.length, end: joined.length + own.length });
    joined += own;
  });
  return { text: joined, spans };
}
