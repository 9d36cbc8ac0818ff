/**
 * `npm run setup`: everything that a fresh clone needs, short of serving: a fitting Node, the
 * dependencies, the weights, how many threads they run best on, the build. Each step is skipped when it is up to date.
 *
 * Uses only what Node brings: it runs before anything is installed.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, isBuilt } from "./build.mjs";
import { calibrate, isCalibrated } from "./calibrate-threads.mjs";
import { fetchWeights } from "./fetch-weights.mjs";
import { ROOT, StepError, fail, npmCommand, run } from "./run.mjs";

const MIN_NODE = [20, 19];

/** Throws a `StepError` when this Node is too old. @param {string} [version] */
export function checkNode(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])) return;
  throw new StepError(
    `This needs Node ${MIN_NODE.join(".")} or newer; this is Node ${version}.\n` +
      "Install a current one (nodejs.org, or `nvm install 22`) and run the same command again.",
  );
}

/** True when node_modules holds what package-lock.json asks for. @param {string} [root] */
export function isInstalled(root = ROOT) {
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  let present;
  try {
    present = JSON.parse(
      readFileSync(join(root, "node_modules/.package-lock.json"), "utf8"),
    ).packages;
  } catch {
    return false;
  }
  return Object.entries(wanted).every(
    ([path, entry]) =>
      path === "" ||
      // Builds for other machines are left out by npm.
      entry.optional ||
      entry.devOptional ||
      entry.peer ||
      (present[path]?.version === entry.version && existsSync(join(root, path))),
  );
}

async function install() {
  const [command, ...args] = npmCommand();
  if ((await run(command, [...args, "ci", "--ignore-scripts", "--no-audit", "--no-fund"])) === 0)
    return;
  throw new StepError(
    "npm could not install the dependencies; its reason stands above.\n" +
      "Check the network (or the proxy and registry of your npm) and run the same command again.",
  );
}

/** Runs every step that is due. @param {{ log?: (line: string) => void }} [options] */
export async function setup({ log = (line) => console.error(line) } = {}) {
  checkNode();
  if (isInstalled()) log("Dependencies: up to date");
  else {
    log("Dependencies: installing");
    await install();
  }
  await fetchWeights({ log });
  if (!isCalibrated()) await calibrate({ log });
  if (isBuilt()) log("Build: up to date");
  else {
    log("Build: running");
    await build();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await setup().catch(fail);
