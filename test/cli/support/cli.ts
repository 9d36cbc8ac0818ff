/** Runs the built `llm-compress` as a process of its own, away from the caller's home and models. */

import { spawn, type ChildProcessByStdio } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { afterAll, beforeAll } from "vitest";
import { buildOnce, ROOT } from "./build.ts";

export interface CliResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: Buffer;
  /** stdout as UTF-8. */
  text: string;
  stderr: string;
}

export interface CliOptions {
  input?: string | Uint8Array;
  env?: Record<string, string>;
  cwd?: string;
}

export type CliProcess = ChildProcessByStdio<Writable, Readable, Readable>;

export const MODELS = join(ROOT, ".cache/models");
/** Whether the embedding model can be used here. */
export const hasModel = existsSync(join(MODELS, "all-MiniLM-L6-v2-int8/model.onnx"));

/** One temporary folder and the built command line for a test file. */
export function useCli() {
  let build = "";
  let folder = "";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "llmc-cli-"));
    build = await buildOnce();
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  function start(args: readonly string[], options: CliOptions = {}): CliProcess {
    return spawn(process.execPath, [join(build, "cli.js"), ...args], {
      cwd: options.cwd ?? folder,
      // No weights and an empty home, unless a test says otherwise.
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: join(folder, "home"),
        LLM_COMPRESS_MODELS: join(folder, "no-models"),
        ...options.env,
      },
      stdio: ["pipe", "pipe", "pipe"],
    });
  }

  async function run(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
    const child = start(args, options);
    // A command that fails early doesn't read its input.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
    return finish(child);
  }

  /** Runs, expects success, and gives the JSON of stdout. */
  async function json(args: readonly string[], options: CliOptions = {}): Promise<unknown> {
    const result = await run([...args, "--json"], options);
    if (result.code !== 0)
      throw new Error(`llm-compress ${args.join(" ")} ended with ${result.code}: ${result.stderr}`);
    return JSON.parse(result.text);
  }

  return {
    run,
    start,
    json,
    path: (...parts: string[]) => join(folder, ...parts),
    buildFolder: () => build,
  };
}

/** Collects a process's output until it ends. */
export function finish(child: CliProcess): Promise<CliResult> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const out = Buffer.concat(stdout);
      resolve({
        code,
        signal,
        stdout: out,
        text: out.toString("utf8"),
        stderr: Buffer.concat(stderr).toString("utf8"),
      });
    });
  });
}

/** The JSON values of complete lines; a torn last line (after a kill) is left out. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
