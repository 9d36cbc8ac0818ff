/** `evaluate`: judges anyone's summary of a text by the quality gate, without a store. */

import type { Command } from "commander";
import { z } from "zod";
import { AppError } from "../../../errors.ts";
import type { Evaluation } from "../../../model/comparison.ts";
import { bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { EXIT_PARTIAL } from "../failure.ts";
import { readInput } from "../files.ts";
import { formatBytes, formatRatio, formatScore } from "../format.ts";
import { modeOption, pathOption } from "../options.ts";
import { printable } from "../output.ts";
import { decodeInput } from "../text-input.ts";

const STREAM = "-";
/** Sentences that are shown with what is wrong in them. */
const SHOWN_PROBLEMS = 10;

const evaluateSchema = z.object({
  original: pathOption,
  summary: pathOption,
  mode: modeOption,
  embed: z.boolean(),
});

export function registerEvaluate(program: Command, invocation: Invocation): void {
  program
    .command("evaluate")
    .summary("judge a summary of a text by the quality gate")
    .description(
      "Measures what a summary keeps of its original and whether it may stand for it: similarity, coverage, names, numbers, and that it says nothing the original doesn't. Exit code 0 when it passes, 10 when it doesn't.",
    )
    .requiredOption("--original <file>", 'the text; "-" reads stdin')
    .requiredOption("--summary <file>", 'its summary; "-" reads stdin')
    .option("-m, --mode <mode>", "fast, balanced or high: how strict the gate is", "fast")
    .option(
      "--no-embed",
      "measure without the embedding model; similarity stays unknown, so nothing passes",
    )
    .addHelpText(
      "after",
      examples(
        "llm-compress evaluate --original minutes.txt --summary short.txt",
        "cat short.txt | llm-compress evaluate --original minutes.txt --summary - --json",
      ),
    )
    .action(bind(invocation, evaluateSchema, evaluate));
}

async function readText(context: CommandContext, path: string): Promise<string> {
  const bytes = await readInput(
    context.host,
    path === STREAM ? path : context.path(path),
    context.signal,
  );
  return decodeInput(bytes, path === STREAM ? "standard input" : path).text;
}

async function evaluate(
  context: CommandContext,
  input: z.output<typeof evaluateSchema>,
): Promise<number | undefined> {
  if (input.original === STREAM && input.summary === STREAM)
    throw new AppError("invalid_input", "--original and --summary can't both be standard input", {
      hint: "Give one of them as a file.",
    });
  const original = await readText(context, input.original);
  const summary = await readText(context, input.summary);
  const engine = await context.openScratch({ embed: input.embed });
  const evaluation = await engine.evaluate(
    { original, summary, mode: input.mode },
    { signal: context.signal },
  );
  const ratio = Number((evaluation.originalBytes / evaluation.summaryBytes).toFixed(3));
  if (context.json) await context.printJson({ ...evaluation, ratio });
  else await context.print(describe(evaluation, ratio));
  return evaluation.verdict === "pass" ? undefined : EXIT_PARTIAL;
}

function describe(evaluation: Evaluation, ratio: number): string {
  const { verdict, reasons, mode, quality, originalBytes, summaryBytes, links } = evaluation;
  const lines = [
    verdict === "pass" ? `Passes the gate of mode ${mode}.` : `Fails the gate of mode ${mode}:`,
    ...reasons.map((reason) => `  - ${reason}`),
    "",
    `similarity    ${formatScore(quality.similarity)}`,
    `coverage      ${formatScore(quality.coverage)}`,
    `names         ${formatScore(quality.entityRecall)}`,
    `numbers       ${formatScore(quality.numberRecall)}`,
    `faithfulness  ${formatScore(quality.faithfulness)}`,
    `size          ${formatBytes(originalBytes)} in ${formatBytes(summaryBytes)} (${formatRatio(ratio)})`,
  ];
  const problems = links.flatMap((link) => link.problems);
  if (problems.length > 0)
    lines.push("", ...problems.slice(0, SHOWN_PROBLEMS).map((problem) => `! ${problem}`));
  return `${lines.map(printable).join("\n")}\n`;
}
