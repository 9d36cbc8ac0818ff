/**
 * Writes a network that the workbench's code makes, to the path given. A process of its own: the kernels
 * go through Vite, which Playwright's loader doesn't know.
 */

import { writeFileSync } from "node:fs";
import { quantize } from "../../src/quantization/quantizer.ts";
import { bytesSource } from "../../src/quantization/tensors/byte-source.ts";
import { openSafetensors } from "../../src/quantization/tensors/safetensors.ts";
import { loadZstd } from "../../src/storage/zstd.ts";
import { bertBytes, bertConfig } from "../unit/quantization/support/bert-weights.ts";

/** As wide as the product's model and with its words, but one block of seeded weights: seconds instead of minutes. */
const SHAPE = { hidden: 384, wide: 384, heads: 12, layers: 1, tokens: 256, words: 30_522 };

const file = await openSafetensors(bytesSource("small.safetensors", bertBytes(SHAPE)));
const { network } = await quantize(
  file,
  { model: "small", bits: 4, group: 32, clipSearch: false },
  { codec: await loadZstd(), config: bertConfig(SHAPE) },
);
writeFileSync(process.argv.at(-1)!, network!);
