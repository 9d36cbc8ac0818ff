/** Child processes and staleness hashes of the set-up scripts; only what Node brings. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** A failure whose message already says what to do; printed without a stack. */
export class StepError extends Error {}

/**
 * Runs a command in the project, its output streamed. Resolves with the exit code; -1 when it could
 * not be started or was ended by a signal.
 * @param {string} command @param {string[]} args @param {{ env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>}
 */
export function run(command, args, { env = process.env } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, env, stdio: "inherit" });
    child.on("error", () => resolve(-1));
    child.on("close", (code) => resolve(code ?? -1));
  });
}

/** Runs and collects; the code is -1 when it could not be started. @param {string} command @param {string[]} args @returns {Promise<{ code: number, output: string }>} */
export function capture(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => resolve({ code: -1, output: error.message }));
    child.on("close", (code) => resolve({ code: code ?? -1, output }));
  });
}

/** npm as command and leading arguments: the one that runs this script, else the one on the path. */
export function npmCommand() {
  const script = process.env["npm_execpath"];
  if (script?.endsWith(".js") && existsSync(script)) return [process.execPath, script];
  return process.platform === "win32" ? ["cmd", "/c", "npm"] : ["npm"];
}

/** The script of an installed package's binary, run by this Node. @param {string} packageName @param {string} [binary] */
export function binaryOf(packageName, binary = packageName) {
  const folder = join(ROOT, "node_modules", packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return join(folder, typeof bin === "string" ? bin : bin[binary]);
}

/** SHA-256 over the paths and contents of files and folders; missing ones count as absent. @param {string[]} paths */
export function hashPaths(paths) {
  const hash = createHash("sha256");
  /** @param {string} path */
  const add = (path) => {
    const absolute = join(ROOT, path);
    if (!existsSync(absolute)) return;
    if (statSync(absolute).isDirectory()) {
      for (const entry of readdirSync(absolute).sort()) add(`${path}/${entry}`);
      return;
    }
    hash.update(path).update("\0").update(readFileSync(absolute)).update("\0");
  };
  for (const path of paths) add(path);
  return hash.digest("hex");
}

/** Prints a failure as its reader needs it and ends the process with 1. @param {unknown} error @returns {never} */
export function fail(error) {
  console.error(error instanceof StepError ? `\n${error.message}` : error);
  process.exit(1);
}
