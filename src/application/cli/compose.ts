/** The `llm-compress` binary: joins the command line with this process and the Node platform. */

import { homedir } from "node:os";
import { VERSION } from "../../model/version.ts";
import { EXIT_BROKEN_PIPE, EXIT_INTERRUPTED, isBrokenPipe } from "./failure.ts";
import { runCli } from "./program.ts";

const abort = new AbortController();
/** Set by what stopped us; wins over the command's own exit code. */
let stopCode: number | undefined;

function stop(code: number): void {
  if (stopCode !== undefined) process.exit(stopCode); // asked twice: no more waiting
  stopCode = code;
  abort.abort();
}

process.on("SIGINT", () => stop(EXIT_INTERRUPTED));
process.on("SIGTERM", () => stop(128 + 15));
process.on("SIGHUP", () => stop(128 + 1));

for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error) => {
    if (!isBrokenPipe(error)) throw error;
    stopCode ??= EXIT_BROKEN_PIPE;
    abort.abort();
  });

// Node announces experimental parts of itself (openAsBlob); that says nothing to our users.
process.removeAllListeners("warning");
process.on("warning", (warning) => {
  if (warning.name !== "ExperimentalWarning") process.stderr.write(`${warning.message}\n`);
});

const code = await runCli(
  {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    homeDirectory: homedir(),
    version: VERSION,
    // Loaded when a command needs it: help and usage errors come at once.
    openEngine: async (request) =>
      (await import("../../platform/node/compose.ts")).openEngine(request),
    openWeights: async () => (await import("../../platform/node/weights-folder.ts")).weightsAccess,
  },
  process.argv.slice(2),
  abort.signal,
);
for (const stream of [process.stdout, process.stderr])
  if (!stream.destroyed) await new Promise<void>((resolve) => stream.write("", () => resolve()));
// Workers of libraries may still hold the process; everything of ours was closed and flushed.
process.exit(stopCode ?? code);
