/** How often the gate's rules catch lies, and how often they refuse honest rewordings, over real sentences. */

import type { EntityExtractor } from "../../src/processing/compression/entities.ts";
import { foreignSpans } from "../../src/processing/compression/foreign-spans.ts";
import { SourceChecker } from "../../src/processing/compression/quality.ts";
import { analyzeSource } from "../../src/processing/compression/source-analysis.ts";
import {
  ATTACKS,
  mergedClauses,
  REWORDINGS,
  type Change,
} from "../../test/unit/processing/compression/attacks.ts";
import type { Corpus } from "./corpora.ts";

export interface RateRow {
  kind: "lie" | "honest";
  change: string;
  sentences: number;
  /** Caught, for a lie; passed, for an honest rewording. */
  right: number;
  share: string;
}

/** Every applicable change of every sentence of 45 to 300 characters. */
export function gateRates(corpora: readonly Corpus[], extractor: EntityExtractor): RateRow[] {
  const rows = new Map<string, RateRow>();
  const count = (kind: RateRow["kind"], change: string, right: boolean): void => {
    const row = rows.get(change) ?? { kind, change, sentences: 0, right: 0, share: "" };
    row.sentences++;
    if (right) row.right++;
    rows.set(change, row);
  };
  const lies: Readonly<Record<string, Change>> = { ...ATTACKS, "merged clauses": mergedClauses };
  for (const { texts, kind } of corpora)
    for (const text of texts) {
      const source = analyzeSource(text, extractor, foreignSpans, kind, { withQuotes: true });
      const checker = new SourceChecker(source);
      const known = new Set(source.units.map((unit) => unit.core.text));
      const sentences = [...known].filter((one) => one.length > 45 && one.length < 300);
      sentences.forEach((sentence, i) => {
        const other = sentences[(i + 3) % sentences.length]!;
        const judge = (kind: RateRow["kind"], changes: Readonly<Record<string, Change>>): void => {
          for (const [name, change] of Object.entries(changes)) {
            const made = change(sentence, other);
            if (made === null || made === sentence || known.has(made)) continue;
            const isRefused = checker.link([made])[0]!.problems.length > 0;
            count(kind, name, kind === "lie" ? isRefused : !isRefused);
          }
        };
        judge("lie", lies);
        judge("honest", REWORDINGS);
      });
    }
  return [...rows.values()]
    .map((row) => ({ ...row, share: (row.right / row.sentences).toFixed(3) }))
    .sort((a, b) => a.kind.localeCompare(b.kind) || a.change.localeCompare(b.change));
}
