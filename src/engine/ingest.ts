/**
 * From inputs to durable memories, group by group: recognise duplicates → compress (which embeds)
 * → link threads → append to the store → receipts. Used by `remember` and `importStore` alike.
 */

import { AppError, isAbortError, isClosed, toWireError } from "../errors.ts";
import type { CompressOptions, ErrorCode, Receipt, RememberOptions } from "../engine.ts";
import { createMemoryId } from "../model/id.ts";
import { contentKind, META, type MemoryInput } from "../model/memory.ts";
import { checkpoint } from "../model/task-control.ts";
import { quantizeVector, VectorRoom, type QuantizedVector } from "../model/vector.ts";
import type { Clock } from "../ports/clock.ts";
import type { CompressionResult, LLMCompressor } from "../processing/compression/compressor.ts";
import { detectKind } from "../processing/content/content-kind.ts";
import { detectLanguage } from "../processing/content/language.ts";
import { hashText } from "../storage/bytes.ts";
import { encodeEnvelope } from "../storage/envelope.ts";
import type { MemoryStore, NewMemory } from "../storage/memory-store.ts";
import { DuplicateFinder, type Identity } from "./duplicate-finder.ts";
import { givenVector, isReady, readyResult } from "./given-vectors.ts";
import {
  MAX_MEMORY_CHARACTERS,
  isPlainInput,
  memoryInputSchema,
  validate,
} from "./input-schemas.ts";
import { QUOTES, areKept, quotedSources } from "./quoted-sources.ts";
import { ThreadLinker } from "./thread-linker.ts";

export interface IngestDeps {
  store: MemoryStore;
  clock: Clock;
  /** The compressor with the embedding model, or without one; and that model's id. */
  compressor(embed: boolean): Promise<{ compressor: LLMCompressor; embeddingModel: string | null }>;
  /** Resolves when the indexes have room in memory for more. */
  indexRoom(): Promise<void>;
  /** Runs store writes one after the other. */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
}

/** An input, and for items of files whether their time is only the file's. */
export interface IngestItem extends MemoryInput {
  undated?: boolean;
}

interface Prepared {
  index: number;
  input: MemoryInput;
  text: string;
  metadata: Record<string, string>;
  contentSha256: string;
  originalBytes: number;
  /** What it is recognised by; null for what is always new. */
  identity: Identity | null;
  /** Its search vector where it was given. */
  vector: QuantizedVector | null;
}

interface Compressed {
  item: Prepared;
  result: CompressionResult;
  /** What made its vector; null without one. */
  embeddingModel: string | null;
  /** Stored memories that keep what it quotes, so that its summary needn't; null: it stands for all. */
  quotes: string[] | null;
}

/** Short texts go through by thousands: others on the thread have their turn in between. */
const CHECKED_AT_ONCE = 128;

/** One run over many items: keeps what must be remembered between groups. */
export class IngestRun {
  readonly #deps: IngestDeps;
  readonly #options: RememberOptions;
  readonly #duplicates: DuplicateFinder;
  readonly #threads: ThreadLinker;
  #nextIndex = 0;
  #ended: AppError | null = null;

  constructor(deps: IngestDeps, options: RememberOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#duplicates = new DuplicateFinder(deps.store);
    this.#threads = new ThreadLinker(deps.store.catalog);
  }

  /** Set once the storage is full: nothing more is compressed or stored, every further item fails with this. */
  get ended(): AppError | null {
    return this.#ended;
  }

  /**
   * Compresses a group now and gives what stores it: groups may be compressed side by side, but are
   * committed in order. One failed item doesn't stop the others; `AbortError` ends the run.
   */
  async prepare(inputs: readonly IngestItem[]): Promise<() => Promise<Receipt[]>> {
    const settled: Receipt[] = [];
    const fresh: Prepared[] = [];
    const firstIndex = this.#nextIndex;
    this.#nextIndex += inputs.length;
    await this.#deps.indexRoom();
    for (let position = 0; position < inputs.length; position++) {
      if (position % CHECKED_AT_ONCE === 0) await checkpoint(this.#options);
      const input = inputs[position]!;
      const index = firstIndex + position;
      try {
        if (this.#ended) throw this.#ended;
        const prepared = this.#check(index, input);
        const known = this.#findDuplicate(prepared);
        if (known === null) fresh.push(prepared);
        else settled.push(this.#duplicateReceipt(prepared, known));
      } catch (error) {
        settled.push(failedReceipt(index, input, error));
      }
    }
    await checkpoint(this.#options);
    const compressed = await this.#compressFresh(withVectors(fresh, settled), settled);
    return async () => {
      await checkpoint(this.#options);
      const stored = await this.#commit(compressed);
      const receipts = [...settled, ...stored].sort((a, b) => a.index - b.index);
      for (const receipt of receipts) this.#options.onReceipt?.(receipt);
      return receipts;
    };
  }

  #findDuplicate({ identity }: Prepared): string | null {
    return identity === null ? null : this.#duplicates.match(identity);
  }

  #check(index: number, input: IngestItem): Prepared {
    if (!isPlainInput(input)) validate(memoryInputSchema, input, "The item");
    if (input.text.trim() === "")
      throw new AppError("invalid_input", "The text is empty.", {
        hint: "There is nothing to remember in it.",
      });
    if (input.text.length > MAX_MEMORY_CHARACTERS)
      throw new AppError(
        "too_large",
        `The text has ${input.text.length} characters; one memory holds at most ${MAX_MEMORY_CHARACTERS}.`,
        { hint: "Import it as a file: files are cut into linked sections." },
      );
    const text = input.text.toWellFormed();
    const metadata = { ...input.metadata };
    const path = metadata[META.source];
    metadata[META.kind] ??= detectKind(text, path === undefined ? {} : { path });
    // Costs more than everything else about a text that is stored as it is.
    if (!isReady(input, this.#options)) metadata[META.language] ??= detectLanguage(text);
    const { sha256: contentSha256, sizeBytes } = hashText(text);
    return {
      index,
      input,
      text,
      metadata,
      contentSha256,
      identity: identityOf(input, { metadata, contentSha256 }),
      originalBytes: input.original?.byteLength ?? sizeBytes,
      vector: null,
    };
  }

  /** In the order given: what is stored as it is, what brings only its vector, and the rest. */
  async #compressFresh(fresh: readonly Prepared[], settled: Receipt[]): Promise<Compressed[]> {
    const ready = (item: Prepared) => isReady(item.input, this.#options);
    const keepsExact = (this.#options.keep ?? "exact") === "exact";
    const brings = (item: Prepared) => keepsExact && item.vector !== null;
    const bringing = fresh.filter((item) => !ready(item) && brings(item));
    const others = fresh.filter((item) => !ready(item) && !brings(item));
    const compressed = fresh.filter(ready).map((item): Compressed => ({
      item,
      result: readyResult({ ...item, entities: item.input.entities }, this.#options),
      embeddingModel: item.input.embedding!.model,
      quotes: null,
    }));
    if (bringing.length > 0) {
      const { compressor } = await this.#deps.compressor(false);
      compressed.push(...(await this.#compress(compressor, bringing, settled, null)));
    }
    if (others.length > 0) compressed.push(...(await this.#compressOrDoWithout(others, settled)));
    return compressed.sort((a, b) => a.item.index - b.item.index);
  }

  /** A model that fails costs vectors, never texts: they are stored without and embedded later. */
  async #compressOrDoWithout(
    fresh: readonly Prepared[],
    settled: Receipt[],
  ): Promise<Compressed[]> {
    const { compressor, embeddingModel } = await this.#deps.compressor(this.#options.embed ?? true);
    try {
      return await this.#compress(compressor, fresh, settled, embeddingModel);
    } catch (error) {
      const modelLost = error instanceof AppError && MODEL_LOST.has(error.code);
      if (!modelLost || embeddingModel === null) throw error;
      const without = await this.#deps.compressor(false);
      return this.#compress(without.compressor, fresh, settled, null);
    }
  }

  async #compress(
    compressor: LLMCompressor,
    items: readonly Prepared[],
    settled: Receipt[],
    embeddingModel: string | null,
  ): Promise<Compressed[]> {
    const settings = {
      mode: this.#options.mode ?? "fast",
      keep: this.#options.keep ?? "exact",
      ...writerPreferences(this.#options),
      ...(this.#options.signal ? { signal: this.#options.signal } : {}),
      ...(this.#options.control ? { control: this.#options.control } : {}),
    } as const;
    const quotes = await Promise.all(
      items.map(({ input, metadata, text }) =>
        settings.keep === "summary"
          ? quotedSources(
              this.#deps.store,
              { metadata, userId: input.userId ?? DEFAULT_USER, previousId: null },
              text,
            )
          : null,
      ),
    );
    const results = await compressor.compressAll(
      items.map((item, i) => {
        const kind = contentKind(item.metadata[META.kind]);
        return {
          text: item.text,
          quotesKept: quotes[i] !== null,
          ...(kind === undefined ? {} : { kind }),
        };
      }),
      settings,
    );
    const compressed: Compressed[] = [];
    results.forEach((result, position) => {
      const item = items[position]!;
      if (result instanceof Error) {
        settled.push(failedReceipt(item.index, item.input, result));
        return;
      }
      const entities =
        item.vector === null ? result.entities : (item.input.entities ?? result.entities);
      const model = item.vector === null ? embeddingModel : item.input.embedding!.model;
      compressed.push({
        item,
        result: { ...result, entities },
        embeddingModel: item.vector === null && result.vector === null ? null : model,
        quotes: quotes[position] ?? null,
      });
    });
    return compressed;
  }

  async #commit(compressed: readonly Compressed[]): Promise<Receipt[]> {
    if (compressed.length === 0) return [];
    try {
      return await this.#deps.exclusively(() => this.#store(compressed));
    } catch (error) {
      if (isAbortError(error) || isClosed(error)) throw error;
      // The frame is all or none: nothing of this group was stored.
      if (error instanceof AppError && error.code === "storage_full") this.#ended = error;
      return compressed.map(({ item }) => failedReceipt(item.index, item.input, error));
    }
  }

  /** Alone among writers: what another run stored since these were looked up is recognised here. */
  async #store(compressed: readonly Compressed[]): Promise<Receipt[]> {
    if (this.#ended) throw this.#ended;
    const receipts: Receipt[] = [];
    const fresh: Compressed[] = [];
    for (const one of compressed) {
      const known = this.#findDuplicate(one.item);
      if (known === null) fresh.push(this.#standing(one));
      else receipts.push(this.#duplicateReceipt(one.item, known));
    }
    this.#threads.begin();
    const memories = fresh.map((one) => this.#toMemory(one));
    this.#duplicates.addOwn(memories.map(({ id }) => id));
    const entries = await this.#deps.store.append(memories, { owned: true });
    this.#threads.keep();
    entries.forEach((entry, position) => {
      const { item, result } = fresh[position]!;
      receipts.push({
        index: item.index,
        status: "stored",
        id: entry.id,
        ...sourceOf(item.input),
        keep: entry.keep,
        ...(result.keepReason === undefined ? {} : { keepReason: result.keepReason }),
        originalBytes: entry.originalBytes,
        storedBytes: entry.storedBytes,
        quality: result.quality,
        model: result.model,
        ...(result.modelReason === undefined ? {} : { modelReason: result.modelReason }),
      });
    });
    return receipts;
  }

  /** A mail that would leave its quotes to memories of which one has gone meanwhile is kept exactly. */
  #standing(one: Compressed): Compressed {
    const { result, quotes } = one;
    if (result.keep === "exact" || quotes === null || areKept(this.#deps.store, quotes)) return one;
    const keepReason = "What it quotes isn't kept in the store any more";
    return { ...one, result: { ...result, keep: "exact", keepReason }, quotes: null };
  }

  #toMemory({ item, result, embeddingModel, quotes }: Compressed): NewMemory {
    const { input } = item;
    const now = this.#deps.clock.now();
    const id = createMemoryId();
    const userId = input.userId ?? DEFAULT_USER;
    const timestamp = Math.trunc(input.timestamp ?? now);
    const exact = result.keep === "exact";
    return {
      id,
      content: exact ? item.text : null,
      envelope: exact ? encodeEnvelope(input.text, input.original) : null,
      summary: result.summary,
      entities: result.entities,
      embedding: item.vector ?? (result.vector === null ? null : quantizeVector(result.vector)),
      embeddingModel,
      timestamp,
      recordedAt: now,
      activation: 1,
      metadata:
        quotes === null || exact
          ? item.metadata
          : { ...item.metadata, [QUOTES]: quotes.join("\n") },
      userId,
      keep: result.keep,
      mode: result.mode,
      model: result.model,
      quality: result.quality,
      episodeId: null,
      previousId: this.#threads.link({ id, timestamp, userId }, item.metadata),
      nextId: null,
      supersedes: null,
      supersededBy: null,
      validFrom: null,
      validTo: null,
      contentSha256: item.contentSha256,
      originalBytes: item.originalBytes,
    };
  }

  #duplicateReceipt(item: Prepared, id: string): Receipt {
    const entry = this.#deps.store.catalog.byId(id);
    return {
      index: item.index,
      status: "duplicate",
      id,
      ...sourceOf(item.input),
      ...(entry ? { keep: entry.keep, quality: entry.quality } : {}),
      originalBytes: item.originalBytes,
      storedBytes: entry?.storedBytes ?? 0,
    };
  }
}

/** What a model that fails, or is removed or replaced while it is in use, ends a call with. */
const MODEL_LOST: ReadonlySet<ErrorCode> = new Set(["model_failed", "model_missing", "closed"]);

/** What a call asks of language models, for the compressor. */
export function writerPreferences({
  model,
  latencyBudgetMs,
  costLimitUsd,
}: CompressOptions): Pick<CompressOptions, "model" | "latencyBudgetMs" | "costLimitUsd"> {
  return {
    ...(model === undefined ? {} : { model }),
    ...(latencyBudgetMs === undefined ? {} : { latencyBudgetMs }),
    ...(costLimitUsd === undefined ? {} : { costLimitUsd }),
  };
}

/** The owner of memories whose input names none. */
export const DEFAULT_USER = "local";

/** An undated text of a call is always new; that of a file is known by the rest of its identity. */
function identityOf(
  input: IngestItem,
  { metadata, contentSha256 }: Pick<Prepared, "metadata" | "contentSha256">,
): Identity | null {
  const fromFile = input.undated !== undefined;
  if (!fromFile && input.timestamp === undefined) return null;
  return {
    userId: input.userId ?? DEFAULT_USER,
    timestamp: input.undated ? null : (input.timestamp ?? null),
    metadata,
    contentSha256,
  };
}

/**
 * Codes the vectors that were given, into one buffer: without those of duplicates, which would keep it for
 * nothing. Items whose vector is refused are left out.
 */
function withVectors(fresh: readonly Prepared[], settled: Receipt[]): Prepared[] {
  const room = new VectorRoom(fresh.filter(({ input }) => input.embedding).length);
  return fresh.filter((item) => {
    try {
      item.vector = givenVector(item.input, room);
      return true;
    } catch (error) {
      settled.push(failedReceipt(item.index, item.input, error));
      return false;
    }
  });
}

function sourceOf(input: MemoryInput): { source?: string } {
  const source = input.metadata?.[META.source];
  return source === undefined ? {} : { source };
}

function failedReceipt(index: number, input: MemoryInput, error: unknown): Receipt {
  if (isAbortError(error)) throw error;
  return {
    index,
    status: "failed",
    id: null,
    ...sourceOf(input),
    originalBytes: input.original?.byteLength ?? 0,
    storedBytes: 0,
    error: toWireError(error),
  };
}
