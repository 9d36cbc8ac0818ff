import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DEFAULT_EMBEDDING_MODEL } from "../../src/model/weights.ts";
import {
  defaultModelsDirectory,
  NodeEmbedderProvider,
} from "../../src/platform/node/ort-embedder.ts";
import { createOnnxSession } from "../../src/processing/embedding/onnx-session.ts";
import { describeEmbedder } from "./embedder.ts";
import { TextEmbedder } from "../../src/processing/embedding/text-embedder.ts";

async function openNodeEmbedder() {
  const embedder = await new NodeEmbedderProvider().load();
  if (!embedder) throw new Error("The weights are missing: run `npm run setup`.");
  return embedder;
}

describeEmbedder("ONNX Runtime in Node", openNodeEmbedder);
describeEmbedder(
  "TextEmbedder with its cache",
  async () => new TextEmbedder(await openNodeEmbedder()),
);

describe("NodeEmbedderProvider", () => {
  let models: string;
  let folder: string;
  beforeEach(() => {
    models = mkdtempSync(join(tmpdir(), "models-"));
    folder = join(models, DEFAULT_EMBEDDING_MODEL);
    mkdirSync(folder);
  });
  afterEach(() => rmSync(models, { recursive: true }));
  const installed = (name: string) => join(defaultModelsDirectory(), DEFAULT_EMBEDDING_MODEL, name);

  it("loads nothing and throws nothing while the weights are missing or half there", async () => {
    const provider = new NodeEmbedderProvider({ modelsDirectory: models });
    expect(await provider.load()).toBeNull();
    expect(await provider.state()).toMatchObject({ state: "missing", installedBytes: 0 });
    writeFileSync(join(folder, "model.onnx.part"), new Uint8Array(1000));
    expect(await provider.load()).toBeNull();
    expect(await provider.state()).toMatchObject({ state: "partial", installedBytes: 1000 });
  });

  it("finds weights that were installed after it looked first, and tells when they are loaded", async () => {
    const provider = new NodeEmbedderProvider({ modelsDirectory: models });
    expect(await provider.load()).toBeNull();
    for (const name of ["model.onnx", "tokenizer.json"])
      copyFileSync(installed(name), join(folder, name));
    expect(await provider.state()).toMatchObject({
      state: "installed",
      installedBytes: 23_394_866,
    });
    const embedder = await provider.load();
    expect(embedder?.info.id).toBe("all-MiniLM-L6-v2-int8@8199be6f");
    expect(await provider.state()).toMatchObject({ state: "loaded", backend: "wasm" });
    await embedder!.close();
    expect(await provider.state()).toMatchObject({ state: "installed" });
  });

  it("refuses damaged weights and names the file", async () => {
    const bytes = readFileSync(installed("tokenizer.json"));
    bytes[1000] = bytes[1000]! ^ 1;
    writeFileSync(join(folder, "tokenizer.json"), bytes);
    copyFileSync(installed("model.onnx"), join(folder, "model.onnx"));
    const provider = new NodeEmbedderProvider({ modelsDirectory: models });
    expect(await provider.load()).toBeNull();
    const state = await provider.state();
    expect(state.state).toBe("failed");
    expect(state.error).toContain("tokenizer.json");
  });

  it("says what to do when the network can't be parsed", async () => {
    const ort = await import("onnxruntime-web");
    const work = createOnnxSession(ort, new Uint8Array(500), { executionProvider: "wasm" });
    await expect(work).rejects.toMatchObject({
      code: "model_failed",
      hint: expect.stringContaining("again"),
    });
  });
});
