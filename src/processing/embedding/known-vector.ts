/**
 * One sentence and its vector, computed with the reference runtime (ONNX Runtime's CPU provider and
 * the reference tokenizer, outside of this project's code) from the very weights in `weights.json`.
 * A backend whose vector of this sentence isn't this one is not used.
 */

import { cosineSimilarity, dequantizeVector } from "../../model/vector.ts";
import type { Embedder } from "../../ports/embedder.ts";

export const KNOWN_SENTENCE =
  "On Tuesday the harbour office moved the ferry to Bergen from 9:40 to 11:15, because of fog.";

/** INT8 codes of the reference vector, base64; rounding alone costs 0.00003 of cosine. */
const CODES =
  "3SI4BC8CMdjvGQEi0CrTHAPg6TA629SWZEoIA9r01t7i1zwaFfBZCuX+/vrxMyHvBDS61vcL4hLpNRnjC/z9IOryy/PZ0SMKAvUY4OsF7AcY9t9yBxjvJhZGLuvuNAXF+Fcz/eoA7MUp3yLz6+PRCd3e7e7T8t75DtoU99xkBAD+Htv2TfoA6dQBxAKus8zKBBPi6y/h08LgEegYSBQYFxjnTAgE/wLEAMnCGi754+VR+DP24Eb5+x38Bg7nE1bmSMz7Etj1OeUXD/z20wID4vUD5u0s6RfkxRgOB+LPzQD1897u0gllFQ9HsO/dLMTpPwf99yTe6iTvMEUtHwTzGxICCkj4K/309IH6DCoi1v3YKDUqCBUnIvD1/tUlB/TXIzEcvgbn+8rU6OStDUjwDtoPFOfM7U244fwAM+vrzQD2FjoEIrAqJgcZ7wcn/jnvDbcK2gsdCCTs9woEMwwPJg0bzO/B1PP+7xvhC/DvAgrfIx8a4CkPChz98zzBMM0y";
const SCALE = 0.0013612512;

/** Lowest cosine to the reference that counts as the same vector. */
export const KNOWN_VECTOR_MIN_COSINE = 0.999;

export function knownVector(): Float32Array {
  const codes = Int8Array.from(atob(CODES), (character) => character.charCodeAt(0));
  return dequantizeVector({ codes, scale: SCALE });
}

/** Null when the embedder makes the known vector, else why it is not to be trusted. */
export async function selfTest(embedder: Embedder): Promise<string | null> {
  const [vector] = await embedder.embed([KNOWN_SENTENCE]);
  const cosine = cosineSimilarity(vector!, knownVector());
  return cosine >= KNOWN_VECTOR_MIN_COSINE
    ? null
    : `its vector of a known sentence is off (cosine ${cosine.toFixed(4)})`;
}
