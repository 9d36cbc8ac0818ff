/**
 * The prompts as data: each with an id and a version that is raised whenever its words change, so
 * that figures of one version are never mixed with those of another. Words are in `prompts.json`.
 */

import { z } from "zod";
import { CONTENT_KINDS } from "../../../model/memory.ts";
import table from "./prompts.json" with { type: "json" };

const schema = z.strictObject({
  delimiter: z.strictObject({ open: z.string(), close: z.string() }),
  kinds: z.record(z.enum(CONTENT_KINDS), z.string()),
  schema: z.record(z.string(), z.unknown()),
  prompts: z.array(
    z.strictObject({
      id: z.enum(["summarize", "summarize-high", "summarize-small", "gist", "retry", "probe"]),
      version: z.int().positive(),
      messages: z.array(
        z.strictObject({ role: z.enum(["system", "user"]), content: z.array(z.string()) }),
      ),
    }),
  ),
});

export const PROMPT_TABLE = schema.parse(table);

export type Prompt = (typeof PROMPT_TABLE.prompts)[number];
export type PromptId = Prompt["id"];

export function findPrompt(id: PromptId): Prompt {
  const prompt = PROMPT_TABLE.prompts.find((entry) => entry.id === id);
  if (!prompt) throw new RangeError(`There is no prompt "${id}".`);
  return prompt;
}
