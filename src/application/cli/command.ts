/** Binds a command's schema and function to commander, and carries its exit code out. */

import { Command } from "commander";
import type { z } from "zod";
import { throwIfAborted } from "../../errors.ts";
import { createContext, type CommandContext } from "./context.ts";
import { EXIT_OK } from "./failure.ts";
import type { CliHost } from "./host.ts";
import { globalOptions, parseOptions } from "./options.ts";

/** Runs one command; returns its exit code when it isn't 0. */
export type CommandFunction<Input> = (
  context: CommandContext,
  input: Input,
) => Promise<number | undefined>;

/** One invocation: its surroundings and the exit code it ends with. */
export interface Invocation {
  readonly host: CliHost;
  readonly signal: AbortSignal;
  exitCode: number;
}

/** A commander action that checks options and arguments by `schema` (arguments by their names) and runs `run`. */
export function bind<S extends z.ZodType>(
  invocation: Invocation,
  schema: S,
  run: CommandFunction<z.output<S>>,
): (...parameters: unknown[]) => Promise<void> {
  return async (...parameters) => {
    const command = parameters.at(-1) as Command;
    const named = command.registeredArguments.map((argument) => argument.name());
    const globals = parseOptions(globalOptions, command.optsWithGlobals());
    const input = parseOptions(
      schema,
      {
        ...command.opts(),
        ...Object.fromEntries(named.map((name, index) => [name, command.processedArgs[index]])),
      },
      named,
    );
    const context = createContext(invocation.host, globals, invocation.signal);
    try {
      throwIfAborted(invocation.signal);
      invocation.exitCode = (await run(context, input)) ?? EXIT_OK;
    } finally {
      await context.close();
    }
  };
}

/** The examples below a command's help. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join("\n")}`;
}

/** For repeatable options. */
export function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** The options that say which language model may write a summary; see `modelOptions`. */
export function addModelOptions(command: Command): Command {
  return command
    .option("--model <id>", "auto, extractive (no language model) or a model's id")
    .option("--cost-limit <usd>", "most that the summary of one text may be expected to cost")
    .option(
      "--latency-budget <ms>",
      "longest that the summary of one text may be expected to take",
    );
}

/** The filter options shared by `search` and `list`; see `filterOptions`. */
export function addFilterOptions(command: Command): Command {
  return command
    .option("--after <time>", "only memories from this time on (2024-05-01)")
    .option("--before <time>", "only memories before this time")
    .option("--source <path>", "only from this source; repeatable", collect)
    .option("--speaker <name>", "only from this speaker or sender; repeatable", collect)
    .option("--entity <name>", "only those that name this entity; repeatable", collect)
    .option("--kind <kind>", "prose, chat, mail, code, markdown, log or data; repeatable", collect);
}
