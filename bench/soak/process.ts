/** The built command line as child processes that may be killed at any moment. */

import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";

export interface Ended {
  code: number | null;
  killed: boolean;
  stdout: string;
  stderr: string;
  elapsedMs: number;
}

export interface Cli {
  /** Folder of the built `cli.js`. */
  build: string;
  store: string;
  cwd: string;
  /** Folder of the embedding model; null where none is to be used. */
  models: string | null;
}

export function startCli(cli: Cli, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [join(cli.build, "cli.js"), ...args, "--store", cli.store], {
    cwd: cli.cwd,
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: cli.cwd,
      LLM_COMPRESS_MODELS: cli.models ?? join(cli.cwd, "no-models"),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Resolves when the process ended and its output was read; SIGKILL after `killAfterMs` unless that is null. */
export function ended(child: ChildProcess, killAfterMs: number | null): Promise<Ended> {
  const startedAt = performance.now();
  const output = { stdout: "", stderr: "" };
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  const timer =
    killAfterMs === null ? null : setTimeout(() => void child.kill("SIGKILL"), killAfterMs);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (timer) clearTimeout(timer);
      const elapsedMs = performance.now() - startedAt;
      resolve({ code, killed: signal === "SIGKILL", ...output, elapsedMs });
    });
  });
}

/** The values of complete lines; a torn last line of a killed process says nothing. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
