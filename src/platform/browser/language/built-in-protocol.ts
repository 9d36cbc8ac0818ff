/**
 * What crosses between the engine's worker and the page for the browser's built-in models, which only
 * windows have. Offered by the leading page over a port of its own.
 */

import type { GenerateResult } from "../../../ports/language-model.ts";
import type { StoppableReply } from "../worker-session.ts";
import type { WireRequest } from "./language-protocol.ts";

export const BUILT_IN_MODELS = ["prompt", "summarizer"] as const;
export type BuiltInModel = (typeof BUILT_IN_MODELS)[number];

/** As the interface names them; "absent" where this browser has no such interface. */
export type Availability = "absent" | "unavailable" | "downloadable" | "downloading" | "available";

export interface BuiltInState {
  model: BuiltInModel;
  availability: Availability;
  /** Where the browser says it. */
  contextTokens?: number;
}

export interface BuiltInHostApi {
  states(): Promise<BuiltInState[]>;
  /** Lets the browser download its model. Progress comes as `WorkerNews`. */
  download(callId: string, model: BuiltInModel): Promise<StoppableReply<null>>;
  /** Deltas come as `WorkerNews`. */
  generate(
    callId: string,
    model: BuiltInModel,
    request: WireRequest,
  ): Promise<StoppableReply<GenerateResult>>;
  cancel(callId: string): void;
}
