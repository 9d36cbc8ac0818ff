/** Episodes behind the engine: building, listing, reading, and following what is forgotten. */

import { z } from "zod";
import type { EngineStatus, Episodes } from "../engine.ts";
import { AppError } from "../errors.ts";
import { isEpisode, type Entity, type Memory } from "../model/memory.ts";
import { reconstructText } from "../processing/compression/reconstructor.ts";
import { toMemoryView } from "../search/memory-view.ts";
import type { CatalogEntry, MemoryEdit } from "../storage/memory-store.ts";
import { EpisodeBuilder } from "./episode-builder.ts";
import { episodeView } from "./episode-rows.ts";
import {
  MAX_MEASURED,
  departureOf,
  measuredGist,
  returnOf,
  type Departure,
  type MeasureGist,
} from "./episode-upkeep.ts";
import { compressionModeSchema, validate } from "./input-schemas.ts";
import type { EngineParts } from "./local-engine.ts";
import { describeTwins } from "./near-twins.ts";

const SETTINGS = "episodes";
/** Hashes of groups that no gist passed for; the oldest go first. */
const settingsSchema = z.object({ refused: z.array(z.string()) });
const MAX_REFUSED = 10_000;
const MAX_LIMIT = 1_000;

const listSchema = z.strictObject({
  offset: z.int().min(0).optional(),
  limit: z.int().min(1).max(MAX_LIMIT).optional(),
});
const buildSchema = z.object({
  mode: compressionModeSchema.optional(),
  rebuild: z.boolean().optional(),
});

export class EpisodeService implements Episodes {
  readonly #parts: EngineParts;
  /** Builds run one after another: two at once would group the same memories. */
  #building: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  build: Episodes["build"] = (options = {}) => {
    const run = this.#building.then(() => this.#build(options));
    this.#building = run.catch(() => undefined);
    return run;
  };

  async #build(options: NonNullable<Parameters<Episodes["build"]>[0]>) {
    validate(buildSchema, options, "The options");
    const { models, settings } = this.#parts;
    const { compressor, embeddingModel } = await models.compressor(true);
    if (embeddingModel === null)
      throw new AppError(
        "model_missing",
        "Gists are judged by their meaning, and no embedding model is installed.",
        { hint: "Install it in Settings, or run `npm run setup`." },
      );
    const known = await settings.read(SETTINGS, settingsSchema, { refused: [] });
    const refused = new Set(options.rebuild ? [] : known.refused);
    const builder = new EpisodeBuilder(
      this.#parts,
      options,
      { compressor, embeddingModel },
      refused,
    );
    try {
      return await builder.run();
    } finally {
      if (refused.size !== known.refused.length || options.rebuild)
        await settings.write(SETTINGS, { refused: [...refused].slice(-MAX_REFUSED) });
    }
  }

  /** The latest first. */
  list: Episodes["list"] = async (options = {}) => {
    const { offset = 0, limit = 50 } = validate(listSchema, options, "The list");
    const { catalog } = this.#parts.store;
    const all = [...catalog.episodes()]
      .map((row) => ({ row, members: catalog.membersOf(row.id) }))
      .sort(
        (a, b) =>
          (b.members.at(-1)?.timestamp ?? 0) - (a.members.at(-1)?.timestamp ?? 0) ||
          b.row.ordinal - a.row.ordinal,
      );
    const page = all.slice(offset, offset + limit);
    const texts = await this.#parts.store.getSummaries(page.map(({ row }) => row.ordinal));
    return {
      items: page.map(({ row, members }, i) => episodeView(row, members, texts[i]!)),
      totalCount: all.length,
    };
  };

  read: Episodes["read"] = async (id) => {
    const { store } = this.#parts;
    const row = store.catalog.byId(id);
    if (!row || !isEpisode(row))
      throw new AppError("not_found", `There is no episode ${id}.`, {
        hint: "List the episodes to see which there are; building again may have replaced it.",
      });
    const members = store.catalog.membersOf(id);
    const [text] = await store.getSummaries([row.ordinal], { strict: true });
    const summaries = await store.getSummaries(members.map(({ ordinal }) => ordinal));
    return {
      ...episodeView(row, members, text!),
      members: members.map((member, i) => toMemoryView(member, summaries[i]!)),
      twins: await describeTwins(store, members),
    };
  };

  counts(): EngineStatus["episodes"] {
    const { catalog } = this.#parts.store;
    let count = 0;
    let memberCount = 0;
    for (const row of catalog.episodes()) {
      count++;
      memberCount += catalog.membersOf(row.id).length;
    }
    return { count, memberCount };
  }

  /** What speaks for a memory that only its episode's gist is left of. */
  async gistOf(
    memory: Pick<Memory, "episodeId">,
  ): Promise<{ row: CatalogEntry; text: string; summary: string; entities: Entity[] } | null> {
    const { store } = this.#parts;
    const row = memory.episodeId === null ? undefined : store.catalog.byId(memory.episodeId);
    if (!row) return null;
    const [gist] = await store.getSummaries([row.ordinal], { strict: true });
    return { row, ...gist!, text: reconstructText(gist!.summary, gist!.entities) };
  }

  /** `invalid_input` when nothing would speak for a memory that is kept as a gist. */
  assertGist(id: string): void {
    const { catalog } = this.#parts.store;
    const entry = catalog.byId(id);
    if (!entry || isEpisode(entry)) return;
    if (entry.episodeId === null || !catalog.byId(entry.episodeId))
      throw new AppError("invalid_input", `Memory ${id} belongs to no episode.`, {
        hint: "Build episodes first: a memory kept as a gist is told by its episode's.",
      });
  }

  /** Names and numbers of a gist are counted without the embedding model. */
  #measure: MeasureGist = async (input) => {
    const { compressor } = await this.#parts.models.compressor(false);
    return (await compressor.evaluator.evaluate(input)).quality;
  };

  /** To be asked, and carried out, inside the write queue. */
  departureOf(ids: readonly string[]): Promise<Departure> {
    return departureOf(this.#parts.store, ids, this.#measure);
  }

  /**
   * Measures gists that lost members, a few at a time between other writes. What the end of the engine
   * cuts off, the next `build` does.
   */
  async measure(ids: readonly string[]): Promise<void> {
    const { store, writes } = this.#parts;
    for (let from = 0; from < ids.length && !this.#closed; from += MAX_MEASURED)
      await writes.run(async () => {
        const edits: MemoryEdit[] = [];
        for (const id of ids.slice(from, from + MAX_MEASURED)) {
          const edit = this.#closed ? null : await measuredGist(store, id, this.#measure);
          if (edit) edits.push(edit);
        }
        await store.commit({ edits });
      });
  }

  /** Nothing more is measured. */
  close(): void {
    this.#closed = true;
  }

  /** Restores memories with what they need, in one frame; inside the write queue. */
  async restore(ids: readonly string[]): Promise<string[]> {
    const { store } = this.#parts;
    const { ids: all, edits } = await returnOf(store, ids, this.#measure);
    const asked = new Set(ids);
    return (await store.restore(all, { edits })).filter((id) => asked.has(id));
  }
}
