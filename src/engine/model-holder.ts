/** The embedding model of one engine: loaded when first needed, absent without harm; and the compressor made with it. */

import type { EmbedderProvider, ModelState } from "../ports/embedder.ts";
import type { EmbedderVariants } from "../ports/embedder-variants.ts";
import type { LLMCompressor } from "../processing/compression/compressor.ts";
import type { SummaryWriter } from "../processing/compression/summary.ts";
import { estimateTokens } from "../processing/compression/ratios.ts";
import { TextEmbedder } from "../processing/embedding/text-embedder.ts";

export class ModelHolder {
  readonly #provider: EmbedderProvider;
  #loading: Promise<TextEmbedder | null> | null = null;
  #withModel: { embedder: TextEmbedder; compressor: LLMCompressor } | null = null;
  #withoutModel: LLMCompressor | null = null;
  #writers: readonly SummaryWriter[] = [];

  constructor(provider: EmbedderProvider) {
    this.#provider = provider;
  }

  /** Networks that can be chosen in place of the fetched one. */
  get variants(): EmbedderVariants | undefined {
    return this.#provider.variants;
  }

  /** Who writes summaries beside the extractive one; before the first compressor is asked for. */
  useWriters(writers: readonly SummaryWriter[]): void {
    this.#writers = writers;
  }

  /** The model, or null while its weights are missing or can't be run; `state` tells why. */
  load(): Promise<TextEmbedder | null> {
    if (this.#loading) return this.#loading;
    const loading = this.#provider.load().then((embedder) => {
      if (embedder) return new TextEmbedder(embedder);
      if (this.#loading === loading) this.#loading = null; // it may be installed later
      return null;
    });
    return (this.#loading = loading);
  }

  /** The query's vector and the model that made it, or null for keyword search alone. */
  async embedQuery(text: string): Promise<{ vector: Float32Array; model: string } | null> {
    const embedder = await this.load();
    if (!embedder || text.trim() === "") return null;
    const [vector] = await embedder.embed([text]);
    return vector ? { vector, model: embedder.info.id } : null;
  }

  /** Id of the loaded model, or null; loads nothing. */
  async loadedModel(): Promise<string | null> {
    const embedder = await this.#loading;
    return embedder?.info.id ?? null;
  }

  /** The compressor, with embeddings where asked and possible; `embeddingModel` names what makes them. */
  async compressor(
    embed: boolean,
  ): Promise<{ compressor: LLMCompressor; embeddingModel: string | null }> {
    // Loaded with the first text, not with the first search: its language models weigh megabytes.
    const { LLMCompressor } = await import("../processing/compression/compressor.ts");
    const embedder = embed ? await this.load() : null;
    if (!embedder) {
      this.#withoutModel ??= new LLMCompressor({ embedder: null, writers: this.#writers });
      return { compressor: this.#withoutModel, embeddingModel: null };
    }
    if (this.#withModel?.embedder !== embedder)
      this.#withModel = {
        embedder,
        compressor: new LLMCompressor({ embedder, writers: this.#writers }),
      };
    return { compressor: this.#withModel.compressor, embeddingModel: embedder.info.id };
  }

  /** Tokens as the model counts them, or the estimate while there is none or it fails. */
  async countTokens(text: string): Promise<number> {
    const embedder = await this.#loading;
    if (!embedder) return estimateTokens(text);
    try {
      return await embedder.countTokens(text);
    } catch {
      return estimateTokens(text); // a model that fails must not keep a text from being read
    }
  }

  async state(): Promise<ModelState> {
    return this.#provider.state();
  }

  /** Cache figures for status; null while no model is loaded. */
  async cacheStats(): Promise<{ entries: number; hits: number; misses: number } | null> {
    const embedder = await this.#loading;
    if (!embedder) return null;
    const { entries, hits, misses } = embedder.status;
    return { entries, hits, misses };
  }

  /** Drops cached vectors: texts were erased, and nothing made of them may stay. */
  async clearCache(): Promise<void> {
    (await this.#loading)?.clearCache();
  }

  /** Drops the loaded model: the weights were removed or replaced. */
  async unload(): Promise<void> {
    const loading = this.#loading;
    this.#loading = null;
    this.#withModel = null;
    await (await loading)?.close();
  }

  close(): Promise<void> {
    return this.unload();
  }
}
