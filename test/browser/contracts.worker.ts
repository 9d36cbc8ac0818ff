/** Runs the port contracts over the browser's adapters, in the kind of worker they live in. */

import { cosineSimilarity } from "../../src/model/vector.ts";
import { createBrowserSqlEngine } from "../../src/platform/browser/duckdb.ts";
import {
  installModel,
  modelState,
  removeModel,
} from "../../src/platform/browser/model-installer.ts";
import { loadBrowserEmbedder } from "../../src/platform/browser/ort-embedder.ts";
import {
  KNOWN_SENTENCE,
  KNOWN_VECTOR_MIN_COSINE,
  knownVector,
} from "../../src/processing/embedding/known-vector.ts";
import { runCodedTextCases } from "./coded-texts.ts";
import { runKeyStoreCases } from "./key-store.ts";
import { runWllamaCases } from "./language-models.ts";
import { runLanguageWorkerCases } from "./language-worker.ts";
import { runOpfsFileStoreContract } from "./opfs-file-store.ts";
import { runSqlContract } from "./sql-engine.ts";
import { runQuantizationKernelCases } from "./quantization-kernels.ts";
import { runVectorDeviceCases, runVectorPoolCases } from "./vector-search.ts";
import { runWebLlmCases } from "./webllm-models.ts";

interface Report {
  passed: string[];
  failed: { name: string; error: string }[];
}

const SUITES: Record<string, (argument: string) => Promise<Report>> = {
  "file store": runOpfsFileStoreContract,
  "sql engine": () => runSqlContract(openSqlSubject),
  "coded texts": runCodedTextCases,
  embedder: runEmbedderCases,
  wllama: runWllamaCases,
  webllm: runWebLlmCases,
  "key store": runKeyStoreCases,
  "language worker": runLanguageWorkerCases,
  "vector pool": runVectorPoolCases,
  "vector device": runVectorDeviceCases,
  "quantization kernels": runQuantizationKernelCases,
};

self.onmessage = async (event: MessageEvent<{ suite: string; argument: string }>) => {
  const { suite, argument } = event.data;
  try {
    self.postMessage(await SUITES[suite]!(argument));
  } catch (error) {
    self.postMessage({ passed: [], failed: [{ name: suite, error: String(error) }] });
  }
};

/** Sources are files of the origin's private file system, read in place. */
async function openSqlSubject() {
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle(`sql-${crypto.randomUUID()}`, { create: true });
  let count = 0;
  return {
    engine: createBrowserSqlEngine(),
    source: async (name: string, bytes: Uint8Array) => {
      const file = await folder.getFileHandle(`${count++}.parquet`, { create: true });
      const writable = await file.createWritable();
      await writable.write(bytes as Uint8Array<ArrayBuffer>);
      await writable.close();
      return { name, handle: { kind: "file" as const, file: await file.getFile() } };
    },
  };
}

async function runEmbedderCases(): Promise<Report> {
  const report: Report = { passed: [], failed: [] };
  const check = async (name: string, holds: () => Promise<boolean>): Promise<void> => {
    try {
      if (await holds()) report.passed.push(name);
      else report.failed.push({ name, error: "it doesn't hold" });
    } catch (error) {
      report.failed.push({ name, error: String(error) });
    }
  };
  await check(
    "is missing before it is installed",
    async () => (await modelState()).state === "missing",
  );
  await check("goes on where a cut download ended", async () => {
    const controller = new AbortController();
    let cutAt = 0;
    await installModel({
      signal: controller.signal,
      onProgress: ({ doneBytes }) => {
        cutAt = doneBytes;
        if (doneBytes > 1_000_000) controller.abort();
      },
    }).catch(() => undefined);
    if ((await modelState()).state !== "partial" || cutAt === 0) return false;
    let first: number | null = null;
    await installModel({ onProgress: ({ doneBytes }) => (first ??= doneBytes) });
    return first! > 0 && (await modelState()).state === "installed";
  });
  const embedder = await loadBrowserEmbedder();
  await check("makes the reference runtime's vector of a known sentence", async () => {
    const [vector] = await embedder.embed([KNOWN_SENTENCE]);
    return cosineSimilarity(vector!, knownVector()) > KNOWN_VECTOR_MIN_COSINE;
  });
  await check("gives vectors in the order of the texts, zero for an empty one", async () => {
    const texts = [
      "The pier is closed.",
      "",
      "Plum cake needs six eggs, butter and a pound of plums.",
    ];
    const together = await embedder.embed(texts);
    const alone = await Promise.all(texts.map(async (text) => (await embedder.embed([text]))[0]!));
    return (
      together[1]!.every((value) => value === 0) &&
      [0, 2].every((i) => cosineSimilarity(together[i]!, alone[i]!) > 0.999)
    );
  });
  await check("stops when it is cancelled", async () => {
    const controller = new AbortController();
    controller.abort();
    return embedder.embed(["a"], { signal: controller.signal }).then(
      () => false,
      (error: Error) => error.name === "AbortError",
    );
  });
  await embedder.close();
  await check("is gone after it was removed", async () => {
    await removeModel();
    return (await modelState()).state === "missing";
  });
  return report;
}
