/**
 * What search still finds when only summaries and entities are indexed: LoCoMo questions over their
 * sessions, a session a memory; evidence recall@10 beside that over the originals.
 */

import { ConnectionLearner } from "../../src/cognitive/connection-learner.ts";
import { NetworkNavigator } from "../../src/cognitive/navigator.ts";
import { weightedMeanVector } from "../../src/model/vector.ts";
import { META, type Entity, type KeepLevel } from "../../src/model/memory.ts";
import type { EntityExtractor } from "../../src/processing/compression/entities.ts";
import { foreignSpans } from "../../src/processing/compression/foreign-spans.ts";
import { entitiesBesideSummary } from "../../src/processing/compression/kept-entities.ts";
import { embedUnits, type TextVectors } from "../../src/processing/compression/quality.ts";
import { analyzeSource } from "../../src/processing/compression/source-analysis.ts";
import { SummaryGenerator } from "../../src/processing/compression/summary.ts";
import { planUnits, type TextUnit } from "../../src/processing/compression/units.ts";
import { SearchService } from "../../src/search/search-service.ts";
import type { Conversation } from "../recall/locomo.ts";
import { measure, meanOf, type Metrics } from "../recall/metrics.ts";
import type { EmbeddingCache } from "../search/embeddings.ts";
import { openBenchStore } from "../search/store.ts";

interface Session {
  key: string;
  text: string;
  timestamp: number;
}

interface Indexed {
  text: string;
  keep: KeepLevel;
  entities: Entity[];
  vector: Float32Array | undefined;
}

function sessionsOf(conversation: Conversation): Session[] {
  const sessions = new Map<number, Session>();
  for (const turn of conversation.turns) {
    const line = `${turn.speaker}: ${turn.text}`;
    const known = sessions.get(turn.session);
    if (known) known.text += `\n${line}`;
    else
      sessions.set(turn.session, {
        key: `session ${turn.session}`,
        text: line,
        timestamp: turn.timestamp,
      });
  }
  return [...sessions.values()];
}

function vectorOf(
  units: readonly TextUnit[],
  vectors: readonly Float32Array[],
): Float32Array | undefined {
  if (units.length === 0) return undefined;
  return weightedMeanVector(
    vectors,
    units.map((unit) => unit.weight),
  );
}

/** Ratio 1: the originals. */
async function indexOf(
  sessions: readonly Session[],
  ratio: number,
  embedder: TextVectors,
  extractor: EntityExtractor,
  vectorOfWhole: boolean,
): Promise<Indexed[]> {
  const generator = new SummaryGenerator();
  const indexed: Indexed[] = [];
  for (const { text } of sessions) {
    const source = analyzeSource(text, extractor, foreignSpans, "chat");
    source.vectors = await embedUnits(source.units, embedder);
    if (ratio === 1) {
      indexed.push({
        text,
        keep: "exact",
        entities: source.entities,
        vector: vectorOf(source.units, source.vectors),
      });
      continue;
    }
    const budgetBytes = Math.floor(Buffer.byteLength(text) / ratio);
    const summary = generator.extractive({ source, budgetBytes }).text;
    const units = planUnits(summary);
    indexed.push({
      text: summary,
      keep: "summary",
      entities: entitiesBesideSummary(source.entities, summary, "high"),
      vector: vectorOfWhole
        ? vectorOf(source.units, source.vectors)
        : vectorOf(units, await embedUnits(units, embedder)),
    });
  }
  return indexed;
}

async function ask(
  conversation: Conversation,
  sessions: readonly Session[],
  indexed: readonly Indexed[],
  cache: EmbeddingCache,
  extractor: EntityExtractor,
): Promise<Metrics[]> {
  const { store, ids } = await openBenchStore(
    indexed.map((one, i) => ({
      text: one.text,
      keep: one.keep,
      entities: one.entities,
      vector: one.vector,
      timestamp: sessions[i]!.timestamp,
      metadata: { [META.source]: "chat" },
    })),
  );
  const service = await SearchService.open(store, {
    findNames: (text) => extractor.extract(text),
  });
  await service.namesKnown();
  const learner = await ConnectionLearner.open(store);
  const navigator = new NetworkNavigator(store, service.entities, learner);
  const keyOf = new Map(ids.map((id, i) => [id, sessions[i]!.key]));
  const sessionOf = new Map(conversation.turns.map((turn) => [turn.id, `session ${turn.session}`]));
  const answers: Metrics[] = [];
  for (const question of conversation.questions) {
    const { hits } = await service.recall(
      { query: question.text, topK: 10 },
      {
        embedQuery: async (text) => (await cache.embed([text]))[0] ?? null,
        spread: navigator.spread,
      },
    );
    const wanted = [...new Set(question.evidence.map((id) => sessionOf.get(id)!))];
    answers.push(
      measure(
        hits.map((hit) => keyOf.get(hit.memory.id)!),
        wanted,
      ),
    );
  }
  await service.close();
  return answers;
}

export interface RetrievalRow {
  index: string;
  "text ratio": number;
  "recall@10": number;
  "recall@5": number;
  relative: number;
  questions: number;
}

/**
 * Recall over originals, then over summaries of a quarter and a tenth of the text: with vectors of the
 * summaries, and with those that a store really keeps, made of the texts before they went.
 */
export async function measureRetrieval(
  conversations: readonly Conversation[],
  cache: EmbeddingCache,
  embedder: TextVectors,
  extractor: EntityExtractor,
): Promise<RetrievalRow[]> {
  const rows: RetrievalRow[] = [];
  const runs = [
    { ratio: 1, vectorOfWhole: true },
    { ratio: 4, vectorOfWhole: false },
    { ratio: 4, vectorOfWhole: true },
    { ratio: 10, vectorOfWhole: false },
    { ratio: 10, vectorOfWhole: true },
  ];
  for (const { ratio, vectorOfWhole } of runs) {
    const answers: Metrics[] = [];
    let originalBytes = 0;
    let bytes = 0;
    for (const conversation of conversations) {
      const sessions = sessionsOf(conversation);
      const indexed = await indexOf(sessions, ratio, embedder, extractor, vectorOfWhole);
      originalBytes += sessions.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
      bytes += indexed.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
      answers.push(...(await ask(conversation, sessions, indexed, cache, extractor)));
    }
    const mean = meanOf(answers);
    const base = rows[0]?.["recall@10"] ?? mean.r10;
    rows.push({
      index:
        ratio === 1
          ? "originals"
          : `summaries + entities, ${ratio}x${vectorOfWhole ? ", vector made of the original, as stores keep it" : ""}`,
      "text ratio": Number((originalBytes / bytes).toFixed(2)),
      "recall@10": Number(mean.r10.toFixed(3)),
      "recall@5": Number(mean.r5.toFixed(3)),
      relative: Number((mean.r10 / base).toFixed(3)),
      questions: mean.questions,
    });
  }
  return rows;
}
