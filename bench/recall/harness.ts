/** Runs the real recall pipeline over a conversation and measures which evidence it finds. */

import { ConnectionLearner } from "../../src/cognitive/connection-learner.ts";
import { NetworkNavigator } from "../../src/cognitive/navigator.ts";
import { META } from "../../src/model/memory.ts";
import { EntityExtractor } from "../../src/processing/compression/entities.ts";
import type { SignalWeights } from "../../src/search/ranking.ts";
import { SearchService } from "../../src/search/search-service.ts";
import type { EmbeddingCache } from "../search/embeddings.ts";
import { openBenchStore } from "../search/store.ts";
import type { Conversation } from "./locomo.ts";
import { measure, type Metrics } from "./metrics.ts";

export interface Answered {
  category: string;
  metrics: Metrics;
}

export interface Loaded {
  conversation: Conversation;
  service: SearchService;
  navigator: NetworkNavigator;
  turnOf: Map<string, string>;
}

/** One conversation as a store of its turns, with everything that recall uses. */
export async function loadConversation(
  conversation: Conversation,
  cache: EmbeddingCache,
): Promise<Loaded> {
  const extractor = new EntityExtractor();
  const vectors = await cache.embed(conversation.turns.map((turn) => turn.text));
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
  return { conversation, service, navigator, turnOf };
}

export async function answer(
  loaded: Loaded,
  cache: EmbeddingCache,
  weights: SignalWeights,
): Promise<Answered[]> {
  const { conversation, service, navigator, turnOf } = loaded;
  const answers: Answered[] = [];
  for (const question of conversation.questions) {
    const { hits } = await service.recall(
      { query: question.text, topK: 50 },
      {
        embedQuery: async (text) => (await cache.embed([text]))[0] ?? null,
        spread: navigator.spread,
        weights,
      },
    );
    const ranked = hits.map((hit) => turnOf.get(hit.memory.id)!);
    answers.push({ category: question.category, metrics: measure(ranked, question.evidence) });
  }
  return answers;
}
