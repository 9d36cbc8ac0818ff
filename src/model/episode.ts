/** Memories that belong together, their gist, and the rules by which detail fades. */

import type { ContentKind, Entity, KeepLevel, QualityVector } from "./memory.ts";
import type { MemoryView } from "./query.ts";

export interface EpisodeView {
  id: string;
  title: string;
  /** Why these belong together, in plain words: "One thread", "The same afternoon", "Near-identical notes". */
  basis: string;
  memberCount: number;
  /** Event times of the first and last member, ms since epoch. */
  startsAt: number;
  endsAt: number;
  gist: string;
  entities: Entity[];
  /** Of the gist against all members' texts together. */
  quality: QualityVector;
  /** Sum over members. */
  originalBytes: number;
  /** Bytes of the gist as it is stored. */
  gistBytes: number;
  model: string;
  /**
   * Members went or came back since the gist was written; the next building writes it anew. Until
   * then its meaning isn't compared (`similarity` and `coverage` are null), and recalls of 0 may
   * not have been measured.
   */
  stale: boolean;
}

/** A member that is nearly identical to another one of its episode. */
export interface MemberTwin {
  id: string;
  /** The earliest of them, in metadata `same_as`. */
  sameAs: string;
  /** Sentences that only one of the two has; null where a text isn't kept any more. */
  difference: { added: string[]; missing: string[] } | null;
}

export interface EpisodeDetail extends EpisodeView {
  members: MemoryView[];
  /** Of near-identical notes: whom each is the same as, and in what it differs. */
  twins: MemberTwin[];
}

export interface EpisodePage {
  items: EpisodeView[];
  totalCount: number;
}

export interface EpisodeReport {
  created: number;
  updated: number;
  /** Memories that belong to an episode now. */
  memberCount: number;
  /** Groups for which no gist passed the gate, with the reason; their members stay as they are. */
  refused: { title: string; reason: string }[];
}

/** All given conditions must hold. */
export interface RetentionRule {
  olderThanDays?: number;
  sources?: string[];
  kinds?: ContentKind[];
  /** Activation now, decayed. */
  activationBelow?: number;
  moveTo: Exclude<KeepLevel, "exact">;
}

export interface RetentionPolicy {
  /** Nothing moves while this is false. */
  enabled: boolean;
  /** The first rule that matches a memory decides. */
  rules: RetentionRule[];
}

export interface RetentionMove {
  id: string;
  title: string;
  from: KeepLevel;
  to: KeepLevel;
  /** Index of the rule. */
  rule: number;
  beforeBytes: number;
  /** As far as it can be known before the next compaction. */
  afterBytes: number;
}

export interface RetentionPreview {
  moves: RetentionMove[];
  /** All moves; `moves` holds the first 1,000. */
  totalCount: number;
  beforeBytes: number;
  afterBytes: number;
  /** Memories that a rule matches but that stay, by reason: no summary passed the gate, no episode. */
  held: { reason: string; count: number }[];
  /** Memories that moved since the last compaction: `undo` can take that back. */
  undoableCount: number;
}

export interface RetentionReport {
  moved: number;
  /** Until the next compaction. */
  undoable: boolean;
  beforeBytes: number;
  afterBytes: number;
  held: { reason: string; count: number }[];
}

/** One memory, or an episode, in what a language model is handed. */
export interface ContextPart {
  id: string;
  level: KeepLevel;
  /** Null for an episode's gist without one memory. */
  timestamp: number;
  tokens: number;
  text: string;
}

/** Recalled text within a token budget, ready to be put into a prompt. */
export interface ContextPack {
  /** The parts in the order of time, each with its date and id as a source mark. */
  text: string;
  tokens: number;
  budgetTokens: number;
  parts: ContextPart[];
  /** Tokens of the originals that the parts stand for, over `tokens`. */
  contextRatio: number;
}
