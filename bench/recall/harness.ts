/** Runs the real recall pipeline over a conversation and measures which evidence it finds. */

import { ConnectionLearner } from "../../src/cognitive/connection-learner.ts";
import { NetworkNavigator, type SpreadTuning } from "../../src/cognitive/navigator.ts";
import { META } from "../../src/model/memory.ts";
import { weightedMeanVector } from "../../src/model/vector.ts";
import { EntityExtractor } from "../../src/processing/compression/entities.ts";
import type { FieldShares } from "../../src/search/field-signals.ts";
import type { SignalWeights } from "../../src/search/ranking.ts";
import { SearchService } from "../../src/search/search-service.ts";
import type { MemoryStore } from "../../src/storage/memory-store.ts";
import type { EmbeddingCache } from "../search/embeddings.ts";
import { openBenchStore } from "../search/store.ts";
import type { Conversation } from "./locomo.ts";
import { measure, type Metrics } from "./metrics.ts";

/** Where vectors come from: the cache of the benchmarks, or any embedder. */
export type EmbedTexts = Pick<EmbeddingCache, "embed">;

/** What an ablation changes; nothing: as the product has it. */
export interface Variant {
  weights?: SignalWeights;
  shares?: Partial<FieldShares>;
  spread?: Partial<SpreadTuning>;
  /** Without the vectors of the questions: as while no model is installed. */
  noMeaning?: boolean;
}

export interface Answered {
  category: string;
  /** The ten turns that a recall of ten gives. */
  metrics: Metrics;
  /** The sessions of the first 50, in their order. */
  sessions: Metrics;
  /** Share of the evidence among the first 200: what any order of the candidates could reach. */
  poolRecall: number;
}

export interface Loaded {
  conversation: Conversation;
  store: MemoryStore;
  service: SearchService;
  learner: ConnectionLearner;
  navigator: NetworkNavigator;
  /** Turn ids by memory id. */
  turnOf: Map<string, string>;
}

const PIECE_UNITS = 900;
/** As many as the product shows. */
const SHOWN = 10;
/** Of a longer list: its turns tell the order of the sessions, and all of it what an order could find. */
const RANKED = 50;
const POOL = 200;

/** One conversation as a store of its turns, with everything that recall uses. */
export async function loadConversation(
  conversation: Conversation,
  cache: EmbedTexts,
): Promise<Loaded> {
  const extractor = new EntityExtractor();
  const vectors = await embedWhole(
    cache,
    conversation.turns.map((turn) => turn.text),
  );
  const { store, ids } = await openBenchStore(
    conversation.turns.map((turn, i) => ({
      text: turn.text,
      vector: vectors[i],
      timestamp: turn.timestamp,
      entities: extractor.extract(turn.text),
      metadata: {
        [META.speaker]: turn.speaker,
        [META.thread]: `session ${turn.session}`,
        [META.source]: "chat",
      },
    })),
  );
  const service = await SearchService.open(store);
  const learner = await ConnectionLearner.open(store);
  const navigator = new NetworkNavigator(store, service.entities, learner);
  const turnOf = new Map(ids.map((id, i) => [id, conversation.turns[i]!.id]));
  return { conversation, store, service, learner, navigator, turnOf };
}

/** Vectors of whole texts: what is longer than the model's window is embedded in pieces and averaged. */
async function embedWhole(
  cache: EmbedTexts,
  texts: readonly string[],
): Promise<(Float32Array | undefined)[]> {
  const pieces = texts.map(piecesOf);
  const vectors = await cache.embed(pieces.flat());
  let at = 0;
  return pieces.map((own) => {
    const part = vectors.slice(at, (at += own.length));
    const known = part.filter((vector) => vector !== undefined);
    if (own.length === 1 || known.length < own.length) return part[0];
    return weightedMeanVector(
      known,
      own.map((piece) => piece.length),
    );
  });
}

/** Sentences together, up to what surely fits into 256 tokens. */
function piecesOf(text: string): string[] {
  if (text.length <= PIECE_UNITS) return [text];
  const pieces: string[] = [];
  for (const match of text.match(/[^.!?\n]+[.!?\n]*\s*|[.!?\n]+/g) ?? [text])
    for (let start = 0; start < match.length; start += PIECE_UNITS) {
      const sentence = match.slice(start, start + PIECE_UNITS);
      const last = pieces.at(-1);
      if (last !== undefined && last.length + sentence.length <= PIECE_UNITS)
        pieces[pieces.length - 1] = last + sentence;
      else pieces.push(sentence);
    }
  return pieces.map((piece) => piece.trim()).filter((piece) => piece !== "");
}

export async function answer(
  loaded: Loaded,
  cache: EmbedTexts,
  variant: Variant = {},
): Promise<Answered[]> {
  const { conversation, store, service, learner, turnOf } = loaded;
  const navigator =
    variant.spread === undefined
      ? loaded.navigator
      : new NetworkNavigator(store, service.entities, learner, variant.spread);
  const sessionOf = new Map(conversation.turns.map((turn) => [turn.id, String(turn.session)]));
  const answers: Answered[] = [];
  for (const question of conversation.questions) {
    const ask = async (topK: number): Promise<string[]> => {
      const { hits } = await service.recall(
        {
          query: question.text,
          topK,
          ...(question.now === undefined ? {} : { now: question.now }),
        },
        {
          ...(variant.noMeaning
            ? {}
            : { embedQuery: async (text) => (await cache.embed([text]))[0] ?? null }),
          spread: navigator.spread,
          ...(variant.weights ? { weights: variant.weights } : {}),
          ...(variant.shares ? { fieldShares: variant.shares } : {}),
        },
      );
      return hits.map((hit) => turnOf.get(hit.memory.id)!);
    };
    const shown = await ask(SHOWN);
    const pool = await ask(POOL);
    const found = new Set(pool);
    const sessions = [...new Set(pool.slice(0, RANKED).map((id) => sessionOf.get(id)!))];
    const sessionEvidence =
      question.sessionEvidence?.map(String) ?? question.evidence.map((id) => sessionOf.get(id)!);
    answers.push({
      category: question.category,
      metrics: measure(shown, question.evidence),
      sessions: measure(sessions, sessionEvidence),
      poolRecall: question.evidence.filter((id) => found.has(id)).length / question.evidence.length,
    });
  }
  return answers;
}

export async function closeLoaded({ service, learner, store }: Loaded): Promise<void> {
  learner.close();
  await service.close();
  await store.close();
}
