/**
 * What a running command works with: its streams, its store, its signal. Engines opened through it
 * are closed by `close()`, also after a failure, so that nothing that was acknowledged is at risk.
 */

import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { AppError } from "../../errors.ts";
import type { Engine } from "../../engine.ts";
import { fileFailure } from "./failure.ts";
import type { CliHost } from "./host.ts";
import type { GlobalOptions } from "./options.ts";
import { createPaint, toJsonLine, wantsColor, writeTo, type Paint } from "./output.ts";
import { createProgressReporter, type ProgressReporter } from "./progress.ts";

export const STORE_VARIABLE = "LLM_COMPRESS_STORE";

export interface CommandContext {
  readonly host: CliHost;
  /** Fires on Ctrl-C, on a termination request and when our reader went away. */
  readonly signal: AbortSignal;
  readonly json: boolean;
  readonly paint: Paint;
  readonly progress: ProgressReporter;
  /** Folder of the store, absolute. */
  readonly storeDirectory: string;
  /** Data, to stdout. */
  print(data: string | Uint8Array): Promise<void>;
  printJson(value: unknown): Promise<void>;
  /** A line for a person, to stderr. */
  note(line: string): void;
  /** An absolute path from an argument. */
  path(argument: string): string;
  /** The store. "read" refuses a folder that was named but isn't there, instead of making an empty one. */
  openStore(access: "read" | "write", options?: { embed?: boolean }): Promise<Engine>;
  /** An engine in memory, for work that needs no store. */
  openScratch(options: { embed: boolean }): Promise<Engine>;
  close(): Promise<void>;
}

export function createContext(
  host: CliHost,
  globals: GlobalOptions,
  signal: AbortSignal,
): CommandContext {
  const named = globals.store ?? (host.env[STORE_VARIABLE] || undefined);
  const storeDirectory =
    named === undefined ? join(host.homeDirectory, ".llm-compress") : resolve(host.cwd, named);
  const progress = createProgressReporter(host.stderr, globals.progress);
  const open: Engine[] = [];
  const track = async (opening: Promise<Engine>): Promise<Engine> => {
    const engine = await opening;
    open.push(engine);
    return engine;
  };
  return {
    host,
    signal,
    json: globals.json,
    paint: createPaint(wantsColor(host, host.stdout, globals.color)),
    progress,
    storeDirectory,
    print(data) {
      progress.clear();
      return writeTo(host.stdout, data);
    },
    printJson(value) {
      progress.clear();
      return writeTo(host.stdout, toJsonLine(value));
    },
    note(line) {
      progress.clear();
      host.stderr.write(`${line}\n`);
    },
    path: (argument) => resolve(host.cwd, argument),
    async openStore(access, options = {}) {
      if (access === "read" && named !== undefined) await requireStore(storeDirectory);
      return track(host.openEngine({ directory: storeDirectory, ...options }));
    },
    openScratch: ({ embed }) => track(host.openEngine({ embed })),
    async close() {
      progress.clear();
      await Promise.all(open.splice(0).map((engine) => engine.close()));
    },
  };
}

async function requireStore(directory: string): Promise<void> {
  try {
    if ((await stat(directory)).isDirectory()) return;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ENOENT") throw fileFailure(error, directory);
    throw new AppError("not_found", `There is no store at ${directory}`, {
      hint: `Check --store (or ${STORE_VARIABLE}), or fill it with \`llm-compress batch\` or \`remember\`.`,
      cause: error,
    });
  }
  throw new AppError(
    "invalid_input",
    `The store must be a folder, and this is a file: ${directory}`,
    {
      hint: "Name another folder with --store.",
    },
  );
}
