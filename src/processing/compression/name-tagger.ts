/**
 * compromise cut down to what names need: its tokenizer, its lexicon and its first tagger, and of the
 * 570 corrections behind them only those that make or unmake a person, a place or an organisation.
 * The others tell verbs from nouns and took two thirds of its time.
 *
 * Used by `entity-names.ts` alone, which hands over the stretches of text that can hold a name.
 */

import nlp from "compromise/two";

/** One word as the tagger cut it; `text` is as written, without punctuation around it. */
export interface TaggedTerm {
  text: string;
  tags?: Set<string>;
}

/** One of the library's corrections: a pattern over words and tags, and what it sets or takes away. */
interface Correction {
  match: string;
  tag?: string | string[];
  unTag?: string | string[];
}

type Net = Parameters<ReturnType<typeof nlp.tokenize>["sweep"]>[0];

const SETS_NAME =
  /Person|FirstName|LastName|Honorific|Place|Region|Country|Organization|School|SportsTeam|Address/;
/** "would mark", "really rich": a first name that is a verb here. */
const UNMAKES_NAME = /%Person\|/;
const STEPS = ["index", "freeze", "lexicon", "preTagger"];

let net: Net | undefined;

function nameNet(): Net {
  const { two } = nlp.model() as { two: { matches: readonly Correction[] } };
  const rules = two.matches.filter(
    ({ match, tag, unTag }) =>
      SETS_NAME.test([tag, unTag].flat().join(" ")) || UNMAKES_NAME.test(match),
  );
  return nlp.buildNet(rules as unknown as Parameters<typeof nlp.buildNet>[0]);
}

/** The words of a text by sentence, tagged; a line break always ends a sentence. */
export function tagNameTerms(text: string): TaggedTerm[][] {
  net ??= nameNet();
  const view = nlp.tokenize(text);
  view.compute(STEPS);
  view.sweep(net);
  return view.docs as TaggedTerm[][];
}
