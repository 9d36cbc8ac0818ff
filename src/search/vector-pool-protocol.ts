/**
 * What the pool (`vector-pool.ts`) and its workers (`vector-pool-worker.ts`) say to each other.
 * Memory is shared; messages carry queries and hits, many of them in one where many wait.
 */

import type { Candidates, ScanPlan, SharedVectors } from "./vector-scanner.ts";

/** Slots [first, end) of a query that several workers share. */
export interface ScanPart {
  first: number;
  end: number;
}

export type PoolRequest =
  | { type: "attach"; shared: SharedVectors; scanner: number }
  | {
      type: "scan";
      id: number;
      /** Row-major [plans.length, 384]; transferred. */
      queries: Float32Array<ArrayBuffer>;
      plans: ScanPlan[];
    }
  | { type: "part"; id: number; query: Float32Array; plan: ScanPlan; part: ScanPart };

export type PoolReply =
  | {
      type: "scanned";
      id: number;
      /** Hits of each query; they follow each other in `ordinals` and `scores`, which are transferred. */
      counts: number[];
      ordinals: Int32Array<ArrayBuffer>;
      scores: Float32Array<ArrayBuffer>;
    }
  /** The candidates of a part; the owner joins the parts. */
  | { type: "part"; id: number; candidates: Candidates }
  /** The worker can't go on: it couldn't attach, or a scan threw. */
  | { type: "failed"; reason: string };
