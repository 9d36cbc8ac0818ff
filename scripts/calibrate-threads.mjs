/**
 * Measures how fast the embedding model runs with 1, 2 and 4 threads on this machine and leaves the
 * figures beside the weights (`calibration.json`); the Node embedder chooses by them. Each count runs
 * in a process of its own, because the runtime fixes its threads when it starts.
 *
 * Run again: `node scripts/calibrate-threads.mjs`.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { modelsDirectory, readManifest } from "./fetch-weights.mjs";
import { capture, fail } from "./run.mjs";

const SCRIPT = fileURLToPath(import.meta.url);
const ROWS = 8;
const COLUMNS = 32;
const WARM_UP_RUNS = 3;
const MEASURED_RUNS = 3;

/** True when the figures of this machine are there. @param {string} [directory] */
export function isCalibrated(directory = modelsDirectory()) {
  try {
    const stored = JSON.parse(readFileSync(join(directory, "calibration.json"), "utf8"));
    return stored.processors === availableParallelism() && stored.measurements.length > 0;
  } catch {
    return false;
  }
}

/** True when other programs keep the processors busy: more threads would look worse than they are. */
function isBusy() {
  // Always 0 on Windows.
  return (loadavg()[0] ?? 0) > 0.75 * availableParallelism();
}

/**
 * Measures and stores; a count that can't run is left out.
 * @param {{ directory?: string, log?: (line: string) => void }} [options]
 */
export async function calibrate({ directory = modelsDirectory(), log = console.error } = {}) {
  const processors = availableParallelism();
  if (isBusy()) {
    log("Embedding threads: the machine is busy, measured another time");
    return;
  }
  const measurements = [];
  for (const threads of [1, 2, 4].filter((count) => count <= processors)) {
    const { code, output } = await capture(process.execPath, [
      SCRIPT,
      "--measure",
      String(threads),
    ]);
    const tokensPerSecond = Number(output.trim().split("\n").at(-1));
    if (code === 0 && tokensPerSecond > 0) measurements.push({ threads, tokensPerSecond });
  }
  if (measurements.length === 0) return;
  const file = join(directory, "calibration.json");
  writeFileSync(file, JSON.stringify({ processors, measuredAt: Date.now(), measurements }));
  const figures = measurements.map(
    ({ threads, tokensPerSecond }) => `${threads}: ${Math.round(tokensPerSecond)} tokens/s`,
  );
  log(`Embedding threads measured (${figures.join(", ")})`);
}

/** One count: prints tokens per second, best of a few runs. @param {number} threads */
async function measure(threads) {
  const model = readManifest().models.find((/** @type {any} */ entry) => entry.default);
  const path = join(modelsDirectory(), model.name, "model.onnx");
  if (!existsSync(path)) process.exit(1);
  const ort = await import("onnxruntime-web");
  ort.env.wasm.numThreads = threads;
  const session = await ort.InferenceSession.create(readFileSync(path), {
    executionProviders: ["wasm"],
  });
  const tensor = (/** @type {bigint} */ value) =>
    new ort.Tensor("int64", new BigInt64Array(ROWS * COLUMNS).fill(value), [ROWS, COLUMNS]);
  const feeds = {
    input_ids: tensor(2000n),
    attention_mask: tensor(1n),
    token_type_ids: tensor(0n),
  };
  let bestMs = Infinity;
  for (let run = 0; run < WARM_UP_RUNS + MEASURED_RUNS; run++) {
    const started = performance.now();
    await session.run(feeds);
    if (run >= WARM_UP_RUNS) bestMs = Math.min(bestMs, performance.now() - started);
  }
  console.log((ROWS * COLUMNS * 1000) / bestMs);
  process.exit(0);
}

if (process.argv[1] === SCRIPT) {
  const index = process.argv.indexOf("--measure");
  await (index > 0 ? measure(Number(process.argv[index + 1])) : calibrate()).catch(fail);
}
