/** What is left out, one thing at a time, to see what each signal adds. */

import { WEIGHTS, type SignalWeights } from "../../src/search/ranking.ts";
import type { Variant } from "./harness.ts";

const NOTHING: SignalWeights = { lexical: 0, semantic: 0, activation: 0, recency: 0, fields: 0 };

function without(signal: keyof SignalWeights): Variant {
  return { weights: { ...WEIGHTS, [signal]: 0 } };
}

export const ABLATIONS: [string, Variant][] = [
  ["words only", { weights: { ...NOTHING, lexical: 1 } }],
  ["meaning only", { weights: { ...NOTHING, semantic: 1 } }],
  [
    "words + meaning",
    { weights: { ...NOTHING, lexical: WEIGHTS.lexical, semantic: WEIGHTS.semantic } },
  ],
  ["without words", without("lexical")],
  ["without meaning", without("semantic")],
  ["while no model is installed", { noMeaning: true }],
  ["without activation", without("activation")],
  ["  without neighbours", { spread: { hop: 0 } }],
  ["  without question → answer", { spread: { answer: 0 } }],
  ["  without the conversation", { spread: { together: 0 } }],
  ["without fields", without("fields")],
  ["  without who said it", { shares: { speaker: 0 } }],
  ["  without when", { shares: { time: 0 } }],
  ["  without telling, not asking", { shares: { statement: 0 } }],
  ["  without titles and names", { shares: { title: 0, entity: 0 } }],
  ["without recency", without("recency")],
];
