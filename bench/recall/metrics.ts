/** Retrieval metrics of one question and their means. Relevance is binary: evidence or not. */

export interface Metrics {
  r5: number;
  r10: number;
  any5: number;
  any10: number;
  mrr: number;
  ndcg10: number;
  questions: number;
}

/** `ranked`: ids, best first; `relevant`: the evidence. */
export function measure(ranked: readonly string[], relevant: readonly string[]): Metrics {
  const wanted = new Set(relevant);
  const found = (k: number): number => ranked.slice(0, k).filter((id) => wanted.has(id)).length;
  const first = ranked.findIndex((id) => wanted.has(id));
  const gain = (rank: number): number => 1 / Math.log2(rank + 2);
  let dcg = 0;
  ranked.slice(0, 10).forEach((id, rank) => (dcg += wanted.has(id) ? gain(rank) : 0));
  let ideal = 0;
  for (let rank = 0; rank < Math.min(10, wanted.size); rank++) ideal += gain(rank);
  return {
    r5: found(5) / wanted.size,
    r10: found(10) / wanted.size,
    any5: found(5) > 0 ? 1 : 0,
    any10: found(10) > 0 ? 1 : 0,
    mrr: first < 0 ? 0 : 1 / (first + 1),
    ndcg10: ideal === 0 ? 0 : dcg / ideal,
    questions: 1,
  };
}

export function meanOf(all: readonly Metrics[]): Metrics {
  const sum = (key: keyof Metrics): number => all.reduce((total, one) => total + one[key], 0);
  const mean = (key: keyof Metrics): number => (all.length === 0 ? 0 : sum(key) / all.length);
  return {
    r5: mean("r5"),
    r10: mean("r10"),
    any5: mean("any5"),
    any10: mean("any10"),
    mrr: mean("mrr"),
    ndcg10: mean("ndcg10"),
    questions: all.length,
  };
}
