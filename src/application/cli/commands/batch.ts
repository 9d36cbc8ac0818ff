/** `batch` and `import`: whole folders and files into the store. */

import { mkdir, stat } from "node:fs/promises";
import { basename } from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import { AppError, throwIfAborted } from "../../../errors.ts";
import type { ImportFile } from "../../../engine.ts";
import { addModelOptions, bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { fileFailure } from "../failure.ts";
import { walkFolder, type WalkedFile } from "../files.ts";
import { startImport, toImportFile, type ImportRun } from "../import-run.ts";
import { keepOption, modelOptions, modeOption, pathOption, toModelChoice } from "../options.ts";

const shared = { mode: modeOption, keep: keepOption, embed: z.boolean(), ...modelOptions };
const batchSchema = z.object({
  ...shared,
  inputDir: pathOption,
  outputDir: pathOption.optional(),
});
const importSchema = z.object({ ...shared, paths: z.array(pathOption).min(1) });

function addShared(command: Command): Command {
  return addModelOptions(
    command
      .option("-m, --mode <mode>", "fast, balanced or high", "fast")
      .option("-k, --keep <level>", "exact, or summary where its quality allows", "exact")
      .option("--no-embed", "store now; `llm-compress embed` makes the vectors later"),
  );
}

const KINDS =
  "Mails (.eml, RFC 822, .mbox), text, Markdown, JSON, JSON lines, ChatGPT and Claude exports, zips of these, and this program's own exports are recognised.";

export function registerBatch(program: Command, invocation: Invocation): void {
  addShared(
    program
      .command("batch")
      .summary("remember a whole folder")
      .description(
        `Remembers every file below a folder. ${KINDS}\n\nWith --json, one line per item is printed after the item survives a kill: {"id", "source", "status", "keep", "originalBytes", "storedBytes", "ratio", …}, or {"source", "error": {"code", "message", "hint"}}. A failed item doesn't stop the rest; the exit code is then 10. Running it again stores nothing twice.`,
      )
      .option("-i, --input-dir <folder>", "folder to read, with everything below it (required)")
      .option("-o, --output-dir <folder>", "also write one .llmc file per item, below this folder"),
  )
    .addHelpText(
      "after",
      examples(
        "llm-compress batch --input-dir ~/mails",
        "llm-compress batch --input-dir notes --output-dir packed --keep summary",
        "llm-compress batch --input-dir ~/mails --no-embed --json > receipts.jsonl",
      ),
    )
    .action(bind(invocation, batchSchema, batch));
}

export function registerImport(program: Command, invocation: Invocation): void {
  addShared(
    program
      .command("import")
      .summary("remember files, exports and archives")
      .description(
        `Remembers the files and folders that are named. ${KINDS} Output and exit codes are those of batch.`,
      )
      .argument("<paths...>", "files or folders"),
  )
    .addHelpText(
      "after",
      examples(
        "llm-compress import conversations.json inbox.mbox",
        "llm-compress import backup/ --store ~/restored",
      ),
    )
    .action(bind(invocation, importSchema, importPaths));
}

async function batch(
  context: CommandContext,
  input: z.output<typeof batchSchema>,
): Promise<number | undefined> {
  const folder = context.path(input.inputDir);
  const outputDirectory = input.outputDir === undefined ? undefined : context.path(input.outputDir);
  await requireFolder(folder);
  if (outputDirectory !== undefined) await makeFolder(outputDirectory);
  const engine = await context.openStore("write");
  const { mode, keep, embed } = input;
  const run = startImport(context, engine, {
    mode,
    keep,
    embed,
    choice: toModelChoice(input),
    ...(outputDirectory === undefined ? {} : { outputDirectory }),
  });
  const exclude = [context.storeDirectory, ...(outputDirectory ? [outputDirectory] : [])];
  return run.finish(await collect(context, run, folder, "", exclude));
}

async function importPaths(
  context: CommandContext,
  input: z.output<typeof importSchema>,
): Promise<number | undefined> {
  const kinds = await Promise.all(
    input.paths.map(async (argument) => {
      const path = context.path(argument);
      try {
        return { path, argument, folder: (await stat(path)).isDirectory() };
      } catch (error) {
        throw fileFailure(error, argument);
      }
    }),
  );
  const engine = await context.openStore("write");
  const { mode, keep, embed } = input;
  const run = startImport(context, engine, { mode, keep, embed, choice: toModelChoice(input) });
  const files: ImportFile[] = [];
  for (const { path, folder } of kinds) {
    if (folder)
      files.push(
        ...(await collect(context, run, path, `${basename(path)}/`, [context.storeDirectory])),
      );
    else await add(run, files, { absolutePath: path, path: basename(path) });
  }
  return run.finish(files);
}

async function collect(
  context: CommandContext,
  run: ImportRun,
  folder: string,
  prefix: string,
  exclude: readonly string[],
): Promise<ImportFile[]> {
  const files: ImportFile[] = [];
  const walk = walkFolder(folder, {
    exclude,
    onError: (path, error) => run.fail(prefix + path, error),
  });
  for await (const file of walk) {
    throwIfAborted(context.signal);
    await add(run, files, { ...file, path: prefix + file.path });
    context.progress.report({ stage: "Looking for files", done: files.length, total: null });
  }
  return files;
}

async function add(run: ImportRun, files: ImportFile[], file: WalkedFile): Promise<void> {
  try {
    files.push(await toImportFile(file));
  } catch (error) {
    run.fail(file.path, error);
  }
}

async function requireFolder(folder: string): Promise<void> {
  const info = await stat(folder).catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== "ENOENT") throw fileFailure(error, folder);
    throw new AppError("not_found", `--input-dir: there is no such folder: ${folder}`, {
      hint: "Check the path.",
      cause: error,
    });
  });
  if (!info.isDirectory())
    throw new AppError("invalid_input", `--input-dir: this is not a folder: ${folder}`, {
      hint: "For one file use `import` or `remember --input`.",
    });
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileFailure(error, folder);
  }
}
