/** Runs the command line inside of the test: the same program and engine, with streams in memory. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { afterAll, beforeAll } from "vitest";
import { weightsAccess } from "../../../../src/platform/node/weights-folder.ts";
import { runCli } from "../../../../src/application/cli/program.ts";
import { openEngine } from "../../../../src/platform/node/compose.ts";

export interface InProcessResult {
  code: number;
  stdout: Buffer;
  text: string;
  stderr: string;
}

export async function runInProcess(
  cwd: string,
  args: readonly string[],
  options: { input?: string | Uint8Array; terminal?: boolean; signal?: AbortSignal } = {},
): Promise<InProcessResult> {
  const sinks = [new PassThrough(), new PassThrough()] as const;
  const collected: [Buffer[], Buffer[]] = [[], []];
  sinks.forEach((sink, index) => sink.on("data", (chunk: Buffer) => collected[index]!.push(chunk)));
  const isTTY = options.terminal ?? false;
  const code = await runCli(
    {
      stdin: Readable.from(options.input === undefined ? [] : [Buffer.from(options.input)]),
      stdout: Object.assign(sinks[0], { isTTY, columns: 80 }),
      stderr: Object.assign(sinks[1], { isTTY, columns: 80 }),
      env: {},
      cwd,
      homeDirectory: cwd,
      version: "1.2.3",
      // A folder without weights: no test here waits for a model.
      openEngine: (request) => openEngine({ ...request, modelsDirectory: join(cwd, "no-models") }),
      openWeights: () => Promise.resolve(weightsAccess),
    },
    args,
    options.signal ?? new AbortController().signal,
  );
  const [stdout, stderr] = collected.map((chunks) => Buffer.concat(chunks)) as [Buffer, Buffer];
  return { code, stdout, text: stdout.toString("utf8"), stderr: stderr.toString("utf8") };
}

/** One temporary folder for a test file, in which commands run. */
export function useInProcessCli() {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "llmc-run-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const run = (args: readonly string[], options: { input?: string | Uint8Array } = {}) =>
    runInProcess(folder, args, options);
  return {
    run,
    /** Runs, expects success, and gives the JSON of stdout. */
    async json(args: readonly string[], options: { input?: string | Uint8Array } = {}) {
      const result = await run([...args, "--json"], options);
      if (result.code !== 0)
        throw new Error(`${args.join(" ")} ended with ${result.code}: ${result.stderr}`);
      return JSON.parse(result.text) as unknown;
    },
    path: (...parts: string[]) => join(folder, ...parts),
  };
}
