/** The command line as a whole: every command, shared options, help and how usage errors end. */

import { Command, CommanderError } from "commander";
import type { Invocation } from "./command.ts";
import { registerBatch, registerImport } from "./commands/batch.ts";
import { registerCompress, registerDecompress, registerInspect } from "./commands/compress.ts";
import { registerEmbedder } from "./commands/embedder.ts";
import { registerEpisodes } from "./commands/episodes.ts";
import { registerEvaluate } from "./commands/evaluate.ts";
import { registerExport } from "./commands/export.ts";
import { registerForget, registerRestore } from "./commands/forget.ts";
import { registerBudget } from "./commands/budget.ts";
import { registerModels } from "./commands/language.ts";
import { registerList } from "./commands/list.ts";
import { registerCompact, registerEmbed } from "./commands/maintenance.ts";
import { registerDequantize, registerQuantize } from "./commands/quantize.ts";
import { registerRead } from "./commands/read.ts";
import { registerRemember } from "./commands/remember.ts";
import { registerRepair } from "./commands/repair.ts";
import { registerRetention } from "./commands/retention.ts";
import { registerSearch } from "./commands/search.ts";
import { registerServe } from "./commands/serve.ts";
import { registerSql } from "./commands/sql.ts";
import { registerStatus } from "./commands/status.ts";
import { registerUpdate } from "./commands/update.ts";
import { STORE_VARIABLE } from "./context.ts";
import { describeFailure, exitCodeOf, isBrokenPipe } from "./failure.ts";
import { isAbortError, toWireError, AppError } from "../../errors.ts";
import type { CliHost } from "./host.ts";
import { toJsonLine, writeTo } from "./output.ts";

const EXIT_CODE_HELP = `
Exit codes:
  0  done                          6  storage full or not usable
  1  a defect of this program      7  another process holds the store
  2  wrong usage or input          8  the model is missing or failed
  3  input of an unsupported kind  9  network, or the engine ended
  4  not found                    10  done, but some items failed
  5  damaged data                130  interrupted (Ctrl-C); what was acknowledged is kept

Nothing leaves this machine unless you allow it (\`models use --remote on\`). Store: --store, else $${STORE_VARIABLE}, else ~/.llm-compress.`;

const REGISTER = [
  registerCompress,
  registerDecompress,
  registerInspect,
  registerEvaluate,
  registerBatch,
  registerImport,
  registerRemember,
  registerSearch,
  registerRead,
  registerList,
  registerUpdate,
  registerForget,
  registerRestore,
  registerEpisodes,
  registerRetention,
  registerExport,
  registerSql,
  registerCompact,
  registerEmbed,
  registerEmbedder,
  registerRepair,
  registerStatus,
  registerModels,
  registerBudget,
  registerQuantize,
  registerDequantize,
  registerServe,
];

export function createProgram(invocation: Invocation): Command {
  const { host } = invocation;
  const program = new Command("llm-compress")
    .description("A private memory for text: compresses it, keeps it, finds it again.")
    .version(host.version, "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .option(
      "--store <folder>",
      `folder of the store (default: $${STORE_VARIABLE}, else ~/.llm-compress)`,
    )
    .option("--json", "print results as JSON on stdout")
    .option("--progress", "show progress on stderr, also where it is not a terminal")
    .option("--no-progress", "show no progress")
    .option("--no-color", "print without colour; NO_COLOR does the same")
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(host.stdout.columns ?? 80, 100) })
    .configureOutput({
      writeOut: (text) => void host.stdout.write(text),
      writeErr: (text) => void host.stderr.write(text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      // Usage errors are written by `runCli`, like every other.
      outputError: () => undefined,
    })
    .exitOverride()
    .showSuggestionAfterError()
    .addHelpText("after", EXIT_CODE_HELP);
  for (const register of REGISTER) register(program, invocation);
  return program;
}

/** Runs one command line (without the interpreter and script); resolves with its exit code, never rejects. */
export async function runCli(
  host: CliHost,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const invocation: Invocation = { host, signal, exitCode: 0 };
  const program = createProgram(invocation);
  try {
    if (argv.length === 0) {
      program.outputHelp({ error: true });
      return exitCodeOf(new AppError("invalid_input", "No command"));
    }
    await program.parseAsync([...argv], { from: "user" });
    return invocation.exitCode;
  } catch (error) {
    await reportFailure(host, argv, error);
    return exitCodeOf(error);
  }
}

async function reportFailure(
  host: CliHost,
  argv: readonly string[],
  error: unknown,
): Promise<void> {
  if (isBrokenPipe(error)) return;
  try {
    if (error instanceof CommanderError) {
      // Help and version were printed already.
      if (error.exitCode !== 0) host.stderr.write(`${describeUsageError(error)}\n`);
      return;
    }
    if (isAbortError(error)) {
      host.stderr.write("llm-compress: Interrupted. What was acknowledged is kept.\n");
      return;
    }
    const wire = toWireError(error);
    host.stderr.write(`${describeFailure(wire)}\n`);
    if (host.env["LLM_COMPRESS_DEBUG"] && error instanceof Error)
      host.stderr.write(`${error.stack ?? ""}\n`);
    if (argv.includes("--json")) {
      const { code, message, hint } = wire;
      await writeTo(host.stdout, toJsonLine({ error: { code, message, hint } }));
    }
  } catch {
    // Our reader is gone too; the exit code still says what happened.
  }
}

/** "error: unknown option '--topk'\n(Did you mean --top-k?)" as one line. */
function describeUsageError(error: CommanderError): string {
  const message = error.message
    .replace(/^error: /, "")
    .replace(/\s*\n\s*/g, " ")
    .trim();
  const sentence = message.charAt(0).toUpperCase() + message.slice(1);
  return describeFailure({ message: sentence, hint: "See `llm-compress --help`." });
}
