/**
 * Other networks for the same embedding model, made by the quantization workbench: smaller, faster or
 * more exact than the fetched one. Each makes vectors of its own, which are never mixed with others.
 */

import { z } from "zod";

export const VARIANT_FORMAT = "embedder-variant/1";
/** Names are folder names everywhere. */
export const VARIANT_NAME = /^[a-z0-9][a-z0-9-]{0,39}$/;

const share = z.number().min(-1).max(1);

/** What `variant.json` beside the network says. */
export const variantSchema = z.object({
  format: z.literal(VARIANT_FORMAT),
  name: z.string().regex(VARIANT_NAME),
  /** For people: "INT8 products, smoothed". */
  label: z.string().min(1).max(120),
  /** The model whose weights these are, and whose tokenizer it reads with: "all-MiniLM-L6-v2". */
  base: z.string().min(1).max(120),
  /** How it was made. */
  settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  network: z.object({
    sizeBytes: z.number().int().positive(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  /** Beside float32 on text that it was not fitted to; null where nothing was measured. */
  quality: z
    .object({
      cosineMean: share,
      cosineP5: share,
      top10Overlap: z.number().min(0).max(1).nullable(),
      texts: z.number().int().nonnegative(),
    })
    .nullable(),
  /** ISO 8601. */
  builtAt: z.string().max(40),
});
export type EmbedderVariant = z.output<typeof variantSchema>;

/** What a new variant is made of; size and hash are taken from the bytes. */
export type NewEmbedderVariant = Omit<EmbedderVariant, "format" | "network">;

export interface EmbedderVariants {
  /** Installed ones, by name. Folders that can't be read are left out. */
  list(): Promise<EmbedderVariant[]>;
  /** Null: the fetched network. */
  chosen(): Promise<string | null>;
  /** Holds from the next load on. `not_found` for a name that isn't installed. */
  choose(name: string | null): Promise<void>;
  /** Replaces one of the same name. `invalid_input` for a bad name or a network that is none. */
  install(variant: NewEmbedderVariant, network: Uint8Array | Blob): Promise<EmbedderVariant>;
  /** Nothing there is no error; one that is chosen gives way to the fetched network. */
  remove(name: string): Promise<void>;
  /** The network's bytes: `not_found`, or `model_failed` when they aren't what was installed. */
  readNetwork(name: string): Promise<{ variant: EmbedderVariant; network: Uint8Array }>;
}
