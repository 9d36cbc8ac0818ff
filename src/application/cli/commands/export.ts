/** `export`: the whole store as open formats. */

import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { z } from "zod";
import { AppError, throwIfAborted } from "../../../errors.ts";
import { bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { writeWholeFile } from "../files.ts";
import { formatBytes, formatPlural } from "../format.ts";
import { pathOption } from "../options.ts";

const schema = z.object({
  format: z.enum(["parquet", "jsonl", "markdown"]),
  outputDir: pathOption,
  force: z.boolean().default(false),
});

export function registerExport(program: Command, invocation: Invocation): void {
  program
    .command("export")
    .summary("write the store as Parquet, JSON lines or Markdown")
    .description(
      "Writes every memory of the store into a folder, in a format that other programs read.",
    )
    .option("-f, --format <format>", "parquet, jsonl or markdown (required)")
    .option("-o, --output-dir <folder>", "folder to write to, made where it is missing (required)")
    .option("--force", "replace files that are already there")
    .addHelpText(
      "after",
      examples(
        "llm-compress export --format parquet --output-dir backup/",
        "llm-compress export --format markdown --output-dir notes/ --force",
      ),
    )
    .action(bind(invocation, schema, exportStore));
}

async function exportStore(
  context: CommandContext,
  input: z.output<typeof schema>,
): Promise<number | undefined> {
  const folder = context.path(input.outputDir);
  if ((await stat(folder).catch(() => null))?.isFile())
    throw new AppError("invalid_input", `--output-dir: this is a file, not a folder: ${folder}`, {
      hint: "Name another folder.",
    });
  const engine = await context.openStore("read");
  let fileCount = 0;
  let totalBytes = 0;
  for await (const file of engine.exportStore(input.format)) {
    throwIfAborted(context.signal);
    await writeWholeFile(inside(folder, file.path), file.bytes, { overwrite: input.force });
    fileCount++;
    totalBytes += file.bytes.length;
    context.progress.report({
      stage: "Writing files",
      done: fileCount,
      total: null,
      doneBytes: totalBytes,
    });
    if (context.json) await context.printJson({ path: file.path, bytes: file.bytes.length });
  }
  if (!context.json)
    context.note(
      `Wrote ${formatPlural(fileCount, "file", "files")}, ${formatBytes(totalBytes)}, to ${folder}`,
    );
  return undefined;
}

/** The export's path below the folder; one that leads out of it is a defect and refused. */
function inside(folder: string, path: string): string {
  const segments = path.split("/");
  if (segments.some((segment) => segment === "" || segment === "." || segment === ".."))
    throw new AppError("internal", `The export made a path that leads out of its folder: ${path}`);
  return [folder, ...segments].join("/");
}
