/**
 * The worker's side of the pool: a scanner over the owner's memory, of which it writes its scratch
 * area alone. Same code and same memory as the owner's own scan, so the same hits.
 */

import type { PoolReply, PoolRequest } from "./vector-pool-protocol.ts";
import { attachScanner, type VectorScanner } from "./vector-scanner.ts";

export interface PoolPort {
  post(reply: PoolReply, transfer?: ArrayBuffer[]): void;
}

/** Gives the function that takes the owner's messages, in their order. */
export function createPoolWorker(port: PoolPort): (request: PoolRequest) => void {
  let scanner: VectorScanner | null = null;
  return (request) => {
    try {
      if (request.type === "attach") {
        scanner = attachScanner(request.shared, request.scanner);
        return;
      }
      if (scanner === null) throw new Error("no memory is attached");
      if (request.type === "scan") scan(scanner, request, port);
      else scanPart(scanner, request, port);
    } catch (error) {
      port.post({ type: "failed", reason: error instanceof Error ? error.message : String(error) });
    }
  };
}

function scan(
  scanner: VectorScanner,
  { id, queries, plans }: Extract<PoolRequest, { type: "scan" }>,
  port: PoolPort,
): void {
  const dimensions = queries.length / plans.length;
  const room = plans.reduce((sum, plan) => sum + plan.limit, 0);
  const ordinals = new Int32Array(room);
  const scores = new Float32Array(room);
  let at = 0;
  const counts = plans.map((plan, i) => {
    const hits = scanner.scan(queries.subarray(i * dimensions, (i + 1) * dimensions), plan);
    ordinals.set(hits.ordinals.subarray(0, hits.count), at);
    scores.set(hits.scores.subarray(0, hits.count), at);
    at += hits.count;
    return hits.count;
  });
  port.post({ type: "scanned", id, counts, ordinals, scores }, [ordinals.buffer, scores.buffer]);
}

function scanPart(
  scanner: VectorScanner,
  { id, query, plan, part }: Extract<PoolRequest, { type: "part" }>,
  port: PoolPort,
): void {
  const candidates = scanner.nearestBySigns(query, part.first, part.end, plan);
  const { keys, distances, counts } = candidates;
  port.post({ type: "part", id, candidates }, [keys.buffer, distances.buffer, counts.buffer]);
}
