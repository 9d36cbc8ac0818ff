import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { variantFiles } from "../../../../src/platform/node/variant-files.ts";
import { VariantFolder, variantId } from "../../../../src/processing/embedding/variant-folder.ts";

let folder: string;
let variants: VariantFolder;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "variants-"));
  variants = new VariantFolder(variantFiles(folder));
});
afterEach(() => rm(folder, { recursive: true }));

const described = (name: string) => ({
  name,
  label: "8 bits, INT8 products",
  base: "all-MiniLM-L6-v2",
  settings: { bits: 8, arithmetic: "int8" },
  quality: { cosineMean: 0.997, cosineP5: 0.995, top10Overlap: 0.93, texts: 300 },
  builtAt: "2026-01-01T00:00:00.000Z",
});
const network = (seed: number) => Uint8Array.from({ length: 5_000 }, (_, i) => (i * seed) % 251);

describe("embedder variants in a folder", () => {
  it("are listed by name, read back, chosen and removed", async () => {
    expect(await variants.list()).toEqual([]);
    expect(await variants.chosen()).toBeNull();
    await variants.install(described("small"), new Blob([network(5)]));
    const fast = await variants.install(described("fast"), network(3));
    expect((await variants.list()).map(({ name }) => name)).toEqual(["fast", "small"]);
    expect((await variants.readNetwork("fast")).network).toEqual(Buffer.from(network(3)));
    await variants.choose("fast");
    expect(await variants.chosen()).toBe("fast");
    // Another network under the same name makes other vectors.
    const again = await variants.install(described("fast"), network(7));
    expect(variantId(again)).not.toBe(variantId(fast));
    await variants.remove("fast");
    expect(await variants.chosen()).toBeNull();
    expect((await variants.list()).map(({ name }) => name)).toEqual(["small"]);
  });

  it("that are damaged, half there or lying are refused", async () => {
    await variants.install(described("fast"), network(3));
    const bytes = await readFile(join(folder, "fast", "model.onnx"));
    bytes[100]! ^= 1;
    await writeFile(join(folder, "fast", "model.onnx"), bytes);
    await expect(variants.readNetwork("fast")).rejects.toMatchObject({ code: "model_failed" });
    await rm(join(folder, "fast", "variant.json"));
    expect(await variants.list()).toEqual([]);
    await expect(variants.choose("fast")).rejects.toMatchObject({ code: "not_found" });
    for (const name of ["../fast", "Fast", ""])
      await expect(variants.install(described(name), network(3))).rejects.toMatchObject({
        code: "invalid_input",
      });
    await expect(variants.install(described("none"), new Uint8Array(0))).rejects.toMatchObject({
      code: "invalid_input",
    });
    await writeFile(join(folder, "chosen.json"), "{");
    expect(await variants.chosen()).toBeNull();
  });
});
