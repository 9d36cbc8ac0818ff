/**
 * Builds episodes: groups what has none, lets new memories join open ones, and writes a gist for each
 * through the compressor's gate. An episode and its members appear in one journal frame.
 */

import { fingerprintOf } from "../cognitive/episodes/fingerprint.ts";
import {
  groupMemories,
  regrouped,
  type Basis,
  type GroupItem,
  type OpenEpisode,
} from "../cognitive/episodes/grouping.ts";
import { joinMembers, type MemberText } from "../cognitive/episodes/episode-text.ts";
import { encodeProvenance, traceGist } from "../cognitive/episodes/provenance.ts";
import { AppError, isAbortError } from "../errors.ts";
import type { EpisodeReport } from "../model/episode.ts";
import { createMemoryId } from "../model/id.ts";
import { META, type CompressionMode } from "../model/memory.ts";
import { checkpoint, type TaskOptions } from "../model/task-control.ts";
import { quantizeVector } from "../model/vector.ts";
import type { CompressionResult, LLMCompressor } from "../processing/compression/compressor.ts";
import { sha256Hex } from "../processing/compression/residual.ts";
import type { CatalogEntry, MemoryEdit, MemoryStore, NewMemory } from "../storage/memory-store.ts";
import { editWithout } from "./episode-upkeep.ts";
import { commonKind, memberTexts, readMembers } from "./episode-texts.ts";
import { EPISODE, basisOf, episodeTitle, isStale, provenanceOf } from "./episode-rows.ts";
import type { EngineParts } from "./local-engine.ts";
import { twinEdits } from "./near-twins.ts";
import { ThreadKeys } from "./thread-keys.ts";

const READ_ROWS = 256;
/** A refused group of more text than this is tried again in halves. */
const SPLIT_BYTES = 8_000;
/** How often what no gist came about for is grouped again, by less. */
const MAX_ROUNDS = 3;

export interface BuildOptions extends TaskOptions {
  mode?: CompressionMode;
  rebuild?: boolean;
}

interface Job {
  basis: Basis;
  memberIds: string[];
  /** Rewritten in place; null: a new one. */
  row: CatalogEntry | null;
}

/** A group for which no gist came about. */
interface Refused {
  basis: Basis;
  members: readonly CatalogEntry[];
  /** Null: an earlier building told it. */
  reason: string | null;
}

export class EpisodeBuilder {
  readonly #parts: EngineParts;
  readonly #options: BuildOptions;
  readonly #compressor: LLMCompressor;
  readonly #embeddingModel: string;
  readonly #refusedBefore: Set<string>;
  readonly #report: EpisodeReport = { created: 0, updated: 0, memberCount: 0, refused: [] };
  /** What is in no episode, as it may be grouped. */
  #loose: GroupItem[] = [];
  #refused: Refused[] = [];

  /** @param refusedBefore keys of groups known to be refused; extended */
  constructor(
    parts: EngineParts,
    options: BuildOptions,
    models: { compressor: LLMCompressor; embeddingModel: string },
    refusedBefore: Set<string>,
  ) {
    this.#parts = parts;
    this.#options = options;
    this.#compressor = models.compressor;
    this.#embeddingModel = models.embeddingModel;
    this.#refusedBefore = refusedBefore;
  }

  get #store(): MemoryStore {
    return this.#parts.store;
  }

  async run(): Promise<EpisodeReport> {
    let jobs = await this.#plan();
    let done = 0;
    let total = jobs.length;
    for (let round = 1; jobs.length > 0; round++) {
      for (const job of jobs) {
        this.#options.onProgress?.({ stage: "Writing gists", done: done++, total });
        await checkpoint(this.#options);
        await this.#write(job);
      }
      jobs = round < MAX_ROUNDS ? this.#planAgain() : [];
      total += jobs.length;
    }
    this.#options.onProgress?.({ stage: "Writing gists", done: total, total });
    for (const { members, reason } of this.#refused)
      if (reason !== null) this.#report.refused.push({ title: episodeTitle(members), reason });
    await this.#dissolveEmptied();
    const { catalog } = this.#store;
    for (const row of catalog.episodes())
      this.#report.memberCount += catalog.membersOf(row.id).length;
    return this.#report;
  }

  /** Episodes that may be taken apart: nobody is kept by their gist alone. */
  #isFree(row: CatalogEntry): boolean {
    return this.#store.catalog.membersOf(row.id).every(({ keep }) => keep !== "gist");
  }

  async #plan(): Promise<Job[]> {
    const { catalog } = this.#store;
    const rows = [...catalog.episodes()];
    const settled = this.#options.rebuild ? rows.filter((row) => !this.#isFree(row)) : rows;
    const bound = new Set(settled.map(({ id }) => id));
    const loose = [...catalog.entries()].filter(
      (entry) => entry.keep !== "gist" && (entry.episodeId === null || !bound.has(entry.episodeId)),
    );
    const threads = new ThreadKeys(catalog);
    const items = await this.#items(loose, threads);
    this.#loose = items;
    const open = settled.flatMap((row): OpenEpisode[] => {
      const members = catalog.membersOf(row.id);
      if (members.length === 0) return [];
      return [
        {
          id: row.id,
          basis: basisOf(row),
          sample: threads.item(members[0]!),
          startsAt: members[0]!.timestamp,
          endsAt: members.at(-1)!.timestamp,
          bytes: members.reduce((sum, member) => sum + member.originalBytes, 0),
        },
      ];
    });
    const { groups, joins } = groupMemories(items, open);
    const joined = new Map(joins.map(({ episode, items: own }) => [episode.id, own]));
    const updates = settled
      .filter((row) => joined.has(row.id) || isStale(row))
      .map((row): Job => ({
        basis: basisOf(row),
        memberIds: [...catalog.membersOf(row.id), ...(joined.get(row.id) ?? [])].map(
          ({ id }) => id,
        ),
        row,
      }));
    return [
      ...updates,
      ...groups.map(({ basis, items: own }): Job => ({
        basis,
        memberIds: own.map(({ id }) => id),
        row: null,
      })),
    ];
  }

  /**
   * What no gist came about for and what no group took, grouped by what is left to bind it: two
   * short mails of one thread say too little for a gist of their own, those of their list may do.
   */
  #planAgain(): Job[] {
    const { catalog } = this.#store;
    const less = new Map<string, GroupItem | null>();
    const byId = new Map(this.#loose.map((item) => [item.id, item]));
    const ended: Refused[] = [];
    for (const refused of this.#refused) {
      const items = refused.members.map(({ id }) => byId.get(id)!);
      const next = items.map((item) => item && regrouped(item, refused.basis));
      if (next.every((item) => item)) for (const item of next) less.set(item!.id, item!);
      else ended.push(refused);
    }
    if (less.size === 0) return [];
    const left = new Set(ended.flatMap(({ members }) => members.map(({ id }) => id)));
    const isLoose = ({ id }: GroupItem): boolean => {
      const entry = catalog.byId(id);
      return entry !== undefined && entry.episodeId === null && !left.has(id);
    };
    this.#loose = this.#loose.filter(isLoose).map((item) => less.get(item.id) ?? item);
    const { groups } = groupMemories(this.#loose);
    const grouped = new Set(groups.flatMap(({ items }) => items.map(({ id }) => id)));
    this.#refused = [
      ...ended,
      ...this.#refused.filter(
        (one) => !ended.includes(one) && !one.members.some(({ id }) => grouped.has(id)),
      ),
    ];
    return groups.map(({ basis, items }) => ({
      basis,
      memberIds: items.map(({ id }) => id),
      row: null,
    }));
  }

  async #items(entries: readonly CatalogEntry[], threads: ThreadKeys): Promise<GroupItem[]> {
    const wanted = new Map(entries.map((entry) => [entry.ordinal, threads.item(entry)]));
    let done = 0;
    for await (const rows of this.#store.scan({ columns: ["embedding"] })) {
      await checkpoint(this.#options);
      for (const row of rows) {
        const item = wanted.get(row.ordinal);
        if (item) item.vector = row.embedding;
      }
    }
    // Of what is in a thread the fingerprint isn't asked for.
    const notes = entries.filter((entry) => wanted.get(entry.ordinal)!.thread === null);
    for (let from = 0; from < notes.length; from += READ_ROWS) {
      await checkpoint(this.#options);
      const page = notes.slice(from, from + READ_ROWS);
      const contents = await this.#store.getContents(page.map(({ ordinal }) => ordinal));
      page.forEach(({ ordinal }, i) => {
        const content = contents[i];
        if (content) wanted.get(ordinal)!.fingerprint = fingerprintOf(content);
      });
      done += page.length;
      this.#options.onProgress?.({ stage: "Grouping", done, total: notes.length });
    }
    return [...wanted.values()];
  }

  async #write(job: Job): Promise<void> {
    const members = job.memberIds
      .map((id) => this.#store.catalog.byId(id))
      .filter((entry) => entry !== undefined)
      .sort((a, b) => a.timestamp - b.timestamp || a.ordinal - b.ordinal);
    if (members.length < 2 && !job.row) return;
    const mode = this.#options.mode ?? "fast";
    const key = sha256Hex(new TextEncoder().encode([mode, ...job.memberIds].join("\n")));
    if (!this.#options.rebuild && this.#refusedBefore.has(key)) {
      this.#refused.push({ basis: job.basis, members, reason: null });
      return;
    }
    const texts = await this.#texts(members, job.row);
    const joined = joinMembers(texts);
    let result: CompressionResult;
    try {
      const kind = commonKind(members);
      result = await this.#compressor.compress(
        { text: joined.text, ...(kind ? { kind } : {}) },
        {
          keep: "summary",
          mode,
          ...(this.#options.signal ? { signal: this.#options.signal } : {}),
          ...(this.#options.control ? { control: this.#options.control } : {}),
        },
      );
    } catch (error) {
      if (isAbortError(error)) throw error;
      if (!(error instanceof AppError) || error.code !== "invalid_input") throw error;
      this.#refused.push({ basis: job.basis, members, reason: error.message });
      return;
    }
    if (result.keep === "summary") await this.#commit(job, members, texts, result);
    else if (!job.row && members.length > 3 && joined.text.length > SPLIT_BYTES) {
      const cut = longestPause(members);
      for (const part of [members.slice(0, cut), members.slice(cut)])
        await this.#write({ ...job, memberIds: part.map(({ id }) => id) });
    } else {
      this.#refusedBefore.add(key);
      const reason = result.keepReason ?? "No summary passed the gate";
      this.#refused.push({ basis: job.basis, members, reason });
    }
  }

  async #texts(members: readonly CatalogEntry[], row: CatalogEntry | null): Promise<MemberText[]> {
    const read = await readMembers(this.#store, members);
    const [gist] = row ? await this.#store.getSummaries([row.ordinal], { strict: true }) : [];
    return memberTexts(read, row && gist ? { row, summary: gist.summary } : null);
  }

  async #commit(
    job: Job,
    members: readonly CatalogEntry[],
    texts: readonly MemberText[],
    result: CompressionResult,
  ): Promise<void> {
    const metadata = {
      [META.title]: episodeTitle(members),
      [EPISODE.basis]: job.basis,
      [EPISODE.sources]: encodeProvenance(traceGist(result.summary, texts)),
    };
    const embedding = result.vector === null ? null : quantizeVector(result.vector);
    const embeddingModel = embedding === null ? null : this.#embeddingModel;
    await this.#parts.writes.run(async () => {
      const { catalog } = this.#store;
      // A member may have been forgotten while the gist was written: then the gist says too much.
      if (members.some(({ id }) => catalog.byId(id) === undefined)) return;
      if (job.row) {
        if (catalog.byId(job.row.id) === undefined) return;
        const { id } = job.row;
        const known = new Set(members.map((member) => member.id));
        // A member may have been restored meanwhile: then it says too little.
        const isWhole = catalog.membersOf(id).every((member) => known.has(member.id));
        await this.#store.commit({
          edits: [
            {
              id,
              timestamp: members[0]!.timestamp,
              metadata: { ...metadata, [EPISODE.stale]: isWhole ? null : "1" },
              quality: result.quality,
              text: {
                summary: result.summary,
                entities: result.entities,
                mode: result.mode,
                model: result.model,
                embedding,
                embeddingModel,
              },
            },
            ...joining(members, id),
            ...twinEdits(job.basis, members),
          ],
        });
        this.#report.updated++;
        return;
      }
      const row = this.#newRow(members, metadata, result);
      await this.#store.commit({
        add: [{ ...row, embedding, embeddingModel }],
        edits: [...joining(members, row.id), ...twinEdits(job.basis, members)],
      });
      this.#report.created++;
    });
  }

  #newRow(
    members: readonly CatalogEntry[],
    metadata: Record<string, string>,
    result: CompressionResult,
  ): NewMemory {
    const id = createMemoryId();
    return {
      id,
      episodeId: id,
      content: null,
      envelope: null,
      summary: result.summary,
      entities: result.entities,
      embedding: null,
      embeddingModel: null,
      timestamp: members[0]!.timestamp,
      recordedAt: this.#parts.clock.now(),
      activation: 1,
      metadata,
      userId: members[0]!.userId,
      keep: "gist",
      mode: result.mode,
      model: result.model,
      quality: result.quality,
      previousId: null,
      nextId: null,
      supersedes: null,
      supersededBy: null,
      validFrom: null,
      validTo: null,
      contentSha256: sha256Hex(new TextEncoder().encode(result.summary)),
      originalBytes: result.originalBytes,
    };
  }

  /** After a rebuild: gists whose members all went to others, or that some left. */
  async #dissolveEmptied(): Promise<void> {
    const { catalog } = this.#store;
    const empty = [...catalog.episodes()].filter((row) => catalog.membersOf(row.id).length === 0);
    if (empty.length > 0)
      await this.#parts.writes.run(() => this.#store.forget(empty.map(({ id }) => id)));
    for (const row of [...catalog.episodes()]) {
      const members = catalog.membersOf(row.id);
      const present = new Set(members.map(({ id }) => id));
      const absent = new Set(
        provenanceOf(row)
          .flat()
          .filter((id) => !present.has(id)),
      );
      if (absent.size === 0) continue;
      await this.#parts.writes.run(async () =>
        // Written anew at once below.
        this.#store.commit({
          edits: [
            await editWithout(this.#store, row, members, absent, null),
            ...twinEdits(basisOf(row), members),
          ],
        }),
      );
      await this.#write({ basis: basisOf(row), memberIds: members.map(({ id }) => id), row });
    }
  }
}

function joining(members: readonly CatalogEntry[], episodeId: string): MemoryEdit[] {
  return members
    .filter((member) => member.episodeId !== episodeId)
    .map(({ id }) => ({ id, episodeId }));
}

/** Where to cut in two: behind the longest pause in the middle half, by text. */
function longestPause(members: readonly CatalogEntry[]): number {
  const total = members.reduce((sum, member) => sum + member.originalBytes, 0);
  let size = 0;
  let best = Math.floor(members.length / 2);
  let longest = -1;
  for (let i = 0; i < members.length - 1; i++) {
    size += members[i]!.originalBytes;
    if (size < total / 4 || size > (3 * total) / 4) continue;
    const pause = members[i + 1]!.timestamp - members[i]!.timestamp;
    if (pause > longest) [longest, best] = [pause, i + 1];
  }
  return best;
}
