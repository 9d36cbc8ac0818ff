/** `read`: one memory's exact original bytes, its text, or everything about it. */

import type { Command } from "commander";
import { z } from "zod";
import { bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";

const schema = z.object({ id: z.string().min(1), text: z.boolean().default(false) });

export function registerRead(program: Command, invocation: Invocation): void {
  program
    .command("read")
    .summary("print a memory")
    .description(
      "Prints a memory: the exact bytes it was made of where they are kept, else the text rebuilt from its summary (said on stderr).",
    )
    .argument("<id>", "id of the memory, as search and list print it")
    .option("--text", "the decoded text (a mail's body) instead of the original bytes")
    .addHelpText(
      "after",
      examples(
        "llm-compress read 018f6a3e-7c1b-7d10-9a52-2f6d1b0c4e11 > letter.eml",
        "llm-compress read 018f6a3e-7c1b-7d10-9a52-2f6d1b0c4e11 --text",
        "llm-compress read 018f6a3e-7c1b-7d10-9a52-2f6d1b0c4e11 --json",
      ),
    )
    .action(bind(invocation, schema, read));
}

async function read(
  context: CommandContext,
  input: z.output<typeof schema>,
): Promise<number | undefined> {
  const engine = await context.openStore("read");
  const result = await engine.read(input.id);
  if (context.json) {
    const { original, ...rest } = result;
    await context.printJson({
      id: result.memory.id,
      ...rest,
      ...(original ? { originalBase64: original } : {}),
    });
    return undefined;
  }
  if (result.reconstructed)
    context.note("Note: the original is no longer kept; this text was rebuilt from its summary.");
  await context.print(
    input.text || !result.original ? new TextEncoder().encode(result.text) : result.original,
  );
  return undefined;
}
