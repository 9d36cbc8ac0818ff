/** The way back: the exact text where it is kept, else readable text from the summary and what else is known. */

import type { CompressedMemory, DecompressResult } from "../../model/compressed-memory.ts";
import type { Entity, QualityVector } from "../../model/memory.ts";
import { entityKey, holdsKey, isNumericEntity } from "./entity-key.ts";
import { decodeResidual, encodeText, sha256Hex } from "./residual.ts";

/** The quality of an exact restoration. */
export const EXACT_QUALITY: Readonly<QualityVector> = {
  similarity: 1,
  coverage: 1,
  entityRecall: 1,
  numberRecall: 1,
  faithfulness: 1,
};

/** Restores texts from their compressed form. */
export class Reconstructor {
  /**
   * At `exact` the original, checked by its hash; at `summary` the reconstruction, labelled.
   * `corrupt_data` when the residual doesn't give the original.
   */
  async reconstruct(
    compressed: CompressedMemory,
    options: { maxBytes?: number } = {},
  ): Promise<DecompressResult> {
    if (compressed.residual) {
      const text = await decodeResidual(compressed.residual, {
        contentSha256: compressed.contentSha256,
        ...options,
      });
      return { text, keep: "exact", quality: { ...EXACT_QUALITY }, reconstructed: false };
    }
    const { summary, entities, quality, contentSha256 } = compressed;
    // A short text is its own summary: then nothing is lost, and the hash proves it.
    if (sha256Hex(encodeText(summary)) === contentSha256)
      return {
        text: summary,
        keep: "summary",
        quality: { ...EXACT_QUALITY },
        reconstructed: false,
      };
    return {
      text: reconstructText(summary, entities),
      keep: "summary",
      quality: { ...quality },
      reconstructed: true,
    };
  }
}

/** The summary, then what is known beside it: "Also mentioned: …" and "Dates, amounts and numbers: …". */
export function reconstructText(summary: string, entities: readonly Entity[]): string {
  const said = entityKey(summary);
  const rest = entities.filter((entity) => !holdsKey(said, entityKey(entity.text)));
  const names = rest.filter((entity) => !isNumericEntity(entity.type)).map((entity) => entity.text);
  const numbers = rest
    .filter((entity) => isNumericEntity(entity.type))
    .map((entity) => entity.text);
  const lines = [summary];
  if (names.length > 0) lines.push(`Also mentioned: ${names.join("; ")}.`);
  if (numbers.length > 0) lines.push(`Dates, amounts and numbers: ${numbers.join("; ")}.`);
  return lines.join("\n\n");
}
