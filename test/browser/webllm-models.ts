/**
 * WebLLM's path from an address to its own engine: the unmodified package, on this browser's WebGPU, up
 * to the compiled library (which can't be had here: the one that is served exports nothing). Runs in a
 * worker. `origin` is the address of a test/support/webllm-folder.ts.
 */

import { AppError, isAbortError } from "../../src/errors.ts";
import { WebLlmModelSource } from "../../src/platform/browser/language/webllm-model-source.ts";
import {
  cachedAddresses,
  openCacheFolder,
  payloadName,
} from "../../src/platform/browser/language/webllm-files.ts";
import { toAppConfig } from "../../src/platform/browser/language/webllm-runtime.ts";
import { readDeviceCapabilities } from "../../src/platform/browser/language/device-capabilities.ts";
import { createLanguageWorker } from "./language-models.ts";
import { createReport, type Report } from "./report.ts";

async function failureOf(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await work;
    return { code: "no error", message: "" };
  } catch (error) {
    if (isAbortError(error)) return { code: "aborted", message: "" };
    if (!(error instanceof AppError)) throw error;
    return { code: error.code, message: error.message };
  }
}

/** Names of all files in WebLLM's cache, with their scopes. */
async function cachedFiles(): Promise<string[]> {
  const root = await navigator.storage.getDirectory();
  const store = await root.getDirectoryHandle("tvmjs-opfs-store");
  const webllm = await store.getDirectoryHandle("webllm");
  const names: string[] = [];
  for await (const [scope, folder] of webllm as unknown as AsyncIterable<
    [string, FileSystemDirectoryHandle]
  >)
    for await (const name of (folder as unknown as { keys(): AsyncIterable<string> }).keys())
      names.push(`${scope}/${name}`);
  return names.sort();
}

async function readConfig(url: string): Promise<Record<string, unknown>> {
  const folder = await openCacheFolder("webllm/config");
  const file = await (await folder.getFileHandle(payloadName(url))).getFile();
  return JSON.parse(await file.text()) as Record<string, unknown>;
}

export async function runWebLlmCases(origin: string): Promise<Report> {
  const { report, check, equal, holds } = createReport();
  const source = new WebLlmModelSource({ createWorker: createLanguageWorker });
  const state = async (name: string) => (await source.list()).find((info) => info.name === name)!;
  const libraryUrl = `${origin}/lib/library.wasm`;
  const add = (name: string, weightsUrl: string, more: { shaderF16?: boolean } = {}) =>
    source.add({ provider: "webllm", name, weightsUrl, libraryUrl, ...more });

  await check(
    "refuses an f16 library on an adapter without it, and admits an f32 one",
    async () => {
      const device = await readDeviceCapabilities();
      holds(device.webgpu !== null, `WebGPU is there: ${device.webgpuReason ?? ""}`);
      const f16 = device.webgpu!.features.has("shader-f16");
      equal(
        (await add("needs-f16", `${origin}/plain`, { shaderF16: true })).state,
        f16 ? "missing" : "unavailable",
      );
      equal((await add("tiny", `${origin}/plain`)).state, "missing");
      equal((await state("SmolLM2-360M-Instruct-q4f32_1-MLC")).state, "missing");
      equal(
        (await state("SmolLM2-360M-Instruct-q4f16_1-MLC")).state,
        f16 ? "missing" : "unavailable",
      );
    },
  );

  await check("refuses addresses that can't be one", async () => {
    const bad = [
      { weightsUrl: "weights", libraryUrl },
      { weightsUrl: "file:///etc/passwd", libraryUrl },
      { weightsUrl: `${origin}/plain`, libraryUrl: "" },
    ];
    for (const urls of bad)
      equal(
        (await failureOf(source.add({ provider: "webllm", name: "bad", ...urls }))).code,
        "invalid_input",
      );
    equal(
      (await failureOf(add("SmolLM2-360M-Instruct-q4f32_1-MLC", origin))).code,
      "invalid_input",
    );
  });

  await check("says what is wrong where no model is", async () => {
    await add("nowhere", `${origin}/nothing`);
    equal((await failureOf(source.install("nowhere"))).code, "not_found");
    await source.add({
      provider: "webllm",
      name: "no-library",
      weightsUrl: `${origin}/plain/`,
      libraryUrl: `${origin}/plain/tokenizer.json`,
    });
    equal((await failureOf(source.install("no-library"))).code, "invalid_input");
    equal((await state("no-library")).state !== "installed", true);
    await source.remove("no-library");
  });

  await check("keeps what arrived when it is paused, and goes on there", async () => {
    const pause = new AbortController();
    const paused = source.install("tiny", {
      signal: pause.signal,
      onProgress: ({ doneBytes, totalBytes }) => {
        if (doneBytes > 40_000 && totalBytes > 500_000) pause.abort();
      },
    });
    equal((await failureOf(paused)).code, "aborted");
    const partial = await state("tiny");
    equal(partial.state, "partial");
    const seen: { doneBytes: number; totalBytes: number }[] = [];
    await source.install("tiny", { onProgress: (progress) => seen.push(progress) });
    holds(seen[0]!.doneBytes > 0, "it began with what was there");
    equal(seen.at(-1)!.doneBytes, seen.at(-1)!.totalBytes);
    const installed = await state("tiny");
    equal([installed.state, installed.contextTokens], ["installed", 512]);
    equal(installed.installedBytes, seen.at(-1)!.totalBytes);
  });

  await check("finds a hub's repository by its page's address", async () => {
    await add("hub", `${origin}/owner/model`);
    await source.install("hub");
    equal((await state("hub")).state, "installed");
  });

  await check(
    "gets to WebLLM's own instantiation of the library, and says what failed there",
    async () => {
      const failure = await failureOf(source.open("tiny"));
      equal(failure.code, "model_failed");
      holds(!/fetch|network|status|not installed/i.test(failure.message), failure.message);
      report.passed.push(`  (${failure.message})`);
      const after = await state("tiny");
      equal([after.state, (after.reason ?? "").length > 0], ["failed", true]);
    },
  );

  await check("removes everything of a model", async () => {
    await source.remove("tiny");
    await source.remove("hub");
    equal((await state("tiny")).installedBytes, 0);
    equal(await cachedFiles(), []);
    equal((await failureOf(source.open("tiny"))).code, "model_missing");
  });

  await check("stores each file under the very address that the package asks for", async () => {
    const { deleteModelAllInfoInCache, hasModelInCache } = await import("@mlc-ai/web-llm");
    await add("older", `${origin}/older/model`);
    for (const name of ["tiny", "older"]) {
      await source.install(name);
      equal((await state(name)).state, "installed");
      const addresses = cachedAddresses(name);
      const config = await readConfig(`${addresses.modelUrl}mlc-chat-config.json`);
      equal([config["sliding_window_size"], config["repetition_penalty"]], [-1, 1]);
      const appConfig = toAppConfig({
        runtime: "webllm",
        name,
        title: name,
        ...addresses,
        contextTokens: 512,
        overrides: {},
        shaderF16: false,
        thinks: false,
      });
      equal(await hasModelInCache(name, appConfig), true);
      // What the package's own removal leaves is the list of tensors, and would be any file that it
      // doesn't know.
      await deleteModelAllInfoInCache(name, appConfig);
      const list = payloadName(`${addresses.modelUrl}tensor-cache.json`);
      const record = list.replace(".bin", ".record.json");
      equal(await cachedFiles(), [`model/${list}`, `model/${record}`]);
      await source.remove(name);
      equal(await cachedFiles(), []);
    }
  });
  await source.close();
  return report;
}
