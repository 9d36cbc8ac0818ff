/**
 * Embedder variants in a folder of any kind: NAME/model.onnx, NAME/variant.json (written last: with it
 * the variant is complete), and `chosen.json`.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { z } from "zod";
import { AppError } from "../../errors.ts";
import {
  VARIANT_FORMAT,
  VARIANT_NAME,
  variantSchema,
  type EmbedderVariant,
  type EmbedderVariants,
  type NewEmbedderVariant,
} from "../../ports/embedder-variants.ts";

/** Files by their path in the folder, at most one folder deep. */
export interface FolderFiles {
  /** Names of the folders. */
  folders(): Promise<string[]>;
  /** Null when it isn't there. */
  read(path: string): Promise<Uint8Array | null>;
  /** Whole or not at all. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  removeFolder(name: string): Promise<void>;
}

const NETWORK = "model.onnx";
const DESCRIPTION = "variant.json";
const CHOSEN = "chosen.json";
/** Larger networks would not fit beside what else a page holds. */
const MAX_NETWORK_BYTES = 600 * 1024 * 1024;

const chosenSchema = z.object({ name: z.string().regex(VARIANT_NAME).nullable() });

export class VariantFolder implements EmbedderVariants {
  readonly #files: FolderFiles;

  constructor(files: FolderFiles) {
    this.#files = files;
  }

  async list(): Promise<EmbedderVariant[]> {
    const names = (await this.#files.folders()).filter((name) => VARIANT_NAME.test(name)).sort();
    const found = await Promise.all(names.map((name) => this.#describe(name)));
    return found.filter((one) => one !== null);
  }

  async chosen(): Promise<string | null> {
    const parsed = chosenSchema.safeParse(parse(await this.#files.read(CHOSEN)));
    return parsed.success ? parsed.data.name : null;
  }

  async choose(name: string | null): Promise<void> {
    if (name !== null && (await this.#find(name)) === null) throw notThere(name);
    await this.#files.write(CHOSEN, new TextEncoder().encode(JSON.stringify({ name })));
  }

  async install(variant: NewEmbedderVariant, network: Uint8Array | Blob): Promise<EmbedderVariant> {
    const size = network instanceof Blob ? network.size : network.length;
    if (size === 0 || size > MAX_NETWORK_BYTES)
      throw new AppError("invalid_input", `A network of ${size} bytes can't be used.`);
    const bytes = network instanceof Blob ? new Uint8Array(await network.arrayBuffer()) : network;
    const whole = variantSchema.safeParse({
      ...variant,
      format: VARIANT_FORMAT,
      network: { sizeBytes: bytes.length, sha256: bytesToHex(sha256(bytes)) },
    });
    if (!whole.success)
      throw new AppError(
        "invalid_input",
        `This is no description of a variant: ${z.prettifyError(whole.error)}`,
      );
    const { name } = whole.data;
    // The old description must not stand beside the new network.
    await this.#files.removeFolder(name);
    await this.#files.write(`${name}/${NETWORK}`, bytes);
    const description = new TextEncoder().encode(JSON.stringify(whole.data, null, 2));
    await this.#files.write(`${name}/${DESCRIPTION}`, description);
    return whole.data;
  }

  async remove(name: string): Promise<void> {
    if (!VARIANT_NAME.test(name)) throw notThere(name);
    if ((await this.chosen()) === name) await this.choose(null);
    await this.#files.removeFolder(name);
  }

  async readNetwork(name: string): Promise<{ variant: EmbedderVariant; network: Uint8Array }> {
    const variant = await this.#find(name);
    const network = variant && (await this.#files.read(`${name}/${NETWORK}`));
    if (variant === null || network === null) throw notThere(name);
    if (bytesToHex(sha256(network)) !== variant.network.sha256)
      throw new AppError("model_failed", `The network of the variant "${name}" is damaged.`, {
        hint: "Remove it and make it again, or use another one meanwhile.",
      });
    return { variant, network };
  }

  #find(name: string): Promise<EmbedderVariant | null> {
    return VARIANT_NAME.test(name) ? this.#describe(name) : Promise.resolve(null);
  }

  async #describe(name: string): Promise<EmbedderVariant | null> {
    const parsed = variantSchema.safeParse(parse(await this.#files.read(`${name}/${DESCRIPTION}`)));
    return parsed.success && parsed.data.name === name ? parsed.data : null;
  }
}

/** Identity of a variant's vectors; see `embedderId`. */
export function variantId({ base, name, network }: EmbedderVariant): string {
  return `${base}/${name}@${network.sha256.slice(0, 8)}`;
}

function parse(bytes: Uint8Array | null): unknown {
  try {
    return bytes === null ? null : JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

function notThere(name: string): AppError {
  return new AppError("not_found", `There is no variant "${name}" of the embedding model.`, {
    hint: "Make one in the workbench, or with `llm-compress quantize` and `llm-compress embedder add`.",
  });
}
