/**
 * `npm run bench -- embedder --browser [--install] [--sentences N] [--rounds N] [--json FILE]`: our networks
 * and transformers.js (q8, the same INT8 file as ours) in one page, by turns, with one thread and with two.
 * The networks are made of the float32 weights by the workbench's code and kept in `.cache/bench/embedder`.
 */

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "@playwright/test";
import { build } from "vite";
import app from "../../vite.config.ts";
import playwright from "../../playwright.config.ts";
import { findChromium } from "../../scripts/find-chromium.mjs";
import { startServer } from "../../scripts/serve.mjs";
import { cosineSimilarity } from "../../src/model/vector.ts";
import { defaultModelsDirectory } from "../../src/platform/node/ort-embedder.ts";
import { weightsAccess } from "../../src/platform/node/weights-folder.ts";
import { quantize, type QuantizeOptions } from "../../src/quantization/quantizer.ts";
import type { QuantizeSettings } from "../../src/quantization/quantize-settings.ts";
import { loadZstd } from "../../src/storage/zstd.ts";
import { readSotuSentences } from "../../test/contract/sotu-sentences.ts";
import { calibrationTexts } from "../quantization/texts.ts";
import type { PageRequest, PageResult } from "./page.ts";

const FOLDER = resolve(".cache/bench/embedder");
const SITE = join(FOLDER, "site");
const PEER = resolve(".cache/bench/peers/transformers");
const PACKAGE = "@huggingface/transformers@4.3.1";
const MODEL = "all-MiniLM-L6-v2";

const NETWORKS: Record<string, Omit<QuantizeSettings, "model">> = {
  "ours, float32": { bits: 32, group: 128 },
  "ours, INT8 products, smoothed": {
    bits: 8,
    group: "channel",
    arithmetic: "int8",
    smooth: true,
  },
  "ours, INT4 weights": { bits: 4, group: 128 },
};

export async function measureInBrowser(options: {
  sentences: number;
  rounds: number;
  install: boolean;
  json: string | undefined;
}): Promise<void> {
  const executablePath = await findChromium();
  if (!executablePath) throw new Error("There is no Chromium: npm test installs one.");
  if (options.install) installTransformers();
  await buildSite();
  const models = defaultModelsDirectory();
  const networks: PageRequest["networks"] = [
    ["ours, fetched INT8 weights", "./networks/fetched.onnx"],
  ];
  mkdirSync(join(SITE, "networks"), { recursive: true });
  copyFileSync(join(models, `${MODEL}-int8`, "model.onnx"), join(SITE, "networks", "fetched.onnx"));
  copyFileSync(
    join(models, `${MODEL}-int8`, "tokenizer.json"),
    join(SITE, "networks", "tokenizer.json"),
  );
  for (const [index, [name, settings]] of Object.entries(NETWORKS).entries()) {
    const file = join(FOLDER, `network-${index}.onnx`);
    if (!existsSync(file)) await makeNetwork(file, settings);
    copyFileSync(file, join(SITE, "networks", `network-${index}.onnx`));
    networks.push([name, `./networks/network-${index}.onnx`]);
  }
  const server = await startServer({ port: 0, directory: SITE });
  const rows = [];
  const sentences = readSotuSentences(options.sentences);
  try {
    for (const threads of [1, 2]) {
      // The runtime's threads hold for the life of a page.
      const browser = await chromium.launch({ ...playwright.use!.launchOptions, executablePath });
      const page = await browser.newPage();
      page.setDefaultTimeout(0);
      await page.goto(`${server.url.replace(/\/$/, "")}/page.html`);
      await page.waitForFunction(() => window.ready);
      const result = await page.evaluate((request: PageRequest) => window.measure(request), {
        sentences,
        threads,
        rounds: options.rounds,
        networks,
        tokenizerUrl: "./networks/tokenizer.json",
        transformersUrl: transformersUrl(),
      });
      await browser.close();
      rows.push(...rowsOf(result, threads, sentences.length));
    }
  } finally {
    await server.close();
  }
  console.log(
    `${sentences.length} sentences, median of ${options.rounds} rounds by turns in Chromium; ${cpus()[0]?.model ?? "?"}, load ${loadavg()[0]!.toFixed(1)}`,
  );
  console.table(
    rows.map((row) => ({
      system: row.system,
      threads: row.threads,
      "sentences/s": row.sentencesPerSecond.toFixed(1),
      "beside float32": `${row.timesFloat.toFixed(2)}x`,
      "beside transformers.js": row.timesPeer === null ? "–" : `${row.timesPeer.toFixed(2)}x`,
      "cosine to float32": row.cosineMean.toFixed(4),
      p5: row.cosineP5.toFixed(4),
      "load ms": Math.round(row.loadMs),
    })),
  );
  if (options.json) writeFileSync(options.json, JSON.stringify({ rows }, null, 2));
}

function rowsOf({ systems, isolated }: PageResult, threads: number, count: number) {
  if (threads > 1 && !isolated) throw new Error("The page isn't isolated: no threads.");
  const median = (ms: readonly number[]): number => ms.toSorted((a, b) => a - b)[ms.length >> 1]!;
  const float = systems.find(({ name }) => name === "ours, float32")!;
  const peer = systems.find(({ name }) => name.startsWith("transformers"));
  return systems.map((system) => {
    const cosines = system.vectors
      .map((vector, i) =>
        cosineSimilarity(Float32Array.from(vector), Float32Array.from(float.vectors[i]!)),
      )
      .sort((a, b) => a - b);
    return {
      system: system.name,
      threads,
      sentencesPerSecond: (1000 * count) / median(system.ms),
      timesFloat: median(float.ms) / median(system.ms),
      timesPeer: peer ? median(peer.ms) / median(system.ms) : null,
      cosineMean: cosines.reduce((sum, value) => sum + value, 0) / cosines.length,
      cosineP5: cosines[Math.floor(cosines.length * 0.05)]!,
      loadMs: system.loadMs,
    };
  });
}

async function buildSite(): Promise<void> {
  await build({
    configFile: false,
    logLevel: "warn",
    root: resolve("bench/embedder"),
    publicDir: false,
    base: "./",
    resolve: app.resolve!,
    worker: app.worker!,
    build: {
      outDir: SITE,
      emptyOutDir: true,
      target: "es2023",
      chunkSizeWarningLimit: 6000,
      rollupOptions: { input: resolve("bench/embedder/page.html") },
    },
  });
}

async function makeNetwork(file: string, settings: Omit<QuantizeSettings, "model">): Promise<void> {
  const path = join(defaultModelsDirectory(), MODEL, "model.safetensors");
  if (!existsSync(path))
    throw new Error(
      `The float32 weights are missing: node scripts/fetch-weights.mjs --model ${MODEL}`,
    );
  const json = async (name: string): Promise<unknown> =>
    JSON.parse(new TextDecoder().decode(await weightsAccess.readBeside(path, name)));
  const tokenizer = weightsAccess.tokenizer(await json("tokenizer.json"));
  const fitted: Partial<QuantizeOptions> = settings.smooth
    ? {
        calibration: calibrationTexts(400, 0).calibration.map((text) =>
          tokenizer.encode(text, 128),
        ),
        runtime: await weightsAccess.runtime(),
      }
    : {};
  const { network } = await quantize(
    await weightsAccess.open(path),
    { model: MODEL, ...settings },
    { codec: await loadZstd(), config: await json("config.json"), ...fitted },
  );
  writeFileSync(file, network!);
}

/** Copies the peer's build and a model folder as it expects one; null where it isn't installed. */
function transformersUrl(): string | null {
  const dist = join(PEER, "node_modules/@huggingface/transformers/dist");
  const ort = join(PEER, "node_modules/onnxruntime-web/dist");
  if (!existsSync(dist)) {
    console.error("SKIPPED transformers.js: not installed (--install).");
    return null;
  }
  const target = join(SITE, "peer");
  mkdirSync(target, { recursive: true });
  copyFileSync(join(dist, "transformers.min.js"), join(target, "transformers.min.js"));
  for (const name of [
    "ort-wasm-simd-threaded.jsep.mjs",
    "ort-wasm-simd-threaded.jsep.wasm",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
  ])
    if (existsSync(join(ort, name))) copyFileSync(join(ort, name), join(target, name));
  const model = join(SITE, "transformers-models", "minilm");
  mkdirSync(join(model, "onnx"), { recursive: true });
  const models = defaultModelsDirectory();
  copyFileSync(join(models, MODEL, "config.json"), join(model, "config.json"));
  copyFileSync(join(models, MODEL, "tokenizer.json"), join(model, "tokenizer.json"));
  writeFileSync(
    join(model, "tokenizer_config.json"),
    JSON.stringify({
      tokenizer_class: "BertTokenizer",
      model_max_length: 256,
      do_lower_case: true,
      cls_token: "[CLS]",
      sep_token: "[SEP]",
      pad_token: "[PAD]",
      unk_token: "[UNK]",
      mask_token: "[MASK]",
    }),
  );
  copyFileSync(
    join(models, `${MODEL}-int8`, "model.onnx"),
    join(model, "onnx", "model_quantized.onnx"),
  );
  return "./peer/transformers.min.js";
}

function installTransformers(): void {
  if (existsSync(join(PEER, "node_modules"))) return;
  mkdirSync(PEER, { recursive: true });
  writeFileSync(join(PEER, "package.json"), JSON.stringify({ private: true }));
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", PEER];
  const { status, stderr } = spawnSync("npm", [...args, PACKAGE], {
    encoding: "utf8",
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" },
  });
  if (status === 0) return;
  rmSync(PEER, { recursive: true, force: true });
  console.error(`transformers.js could not be installed: ${stderr.split("\n")[0]}`);
}
