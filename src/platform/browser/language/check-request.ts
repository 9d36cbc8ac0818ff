/** Refuses a request that no in-browser model can answer, before anything is loaded. */

import { z } from "zod";
import { AppError, throwIfAborted } from "../../../errors.ts";
import type { GenerateRequest } from "../../../ports/language-model.ts";
import { readSchema } from "./json-answer.ts";

const requestSchema = z.object({
  messages: z
    .array(z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() }))
    .min(1),
  maxTokens: z.int().min(1).optional(),
  temperature: z.number().min(0).max(2).optional(),
  stop: z.array(z.string().min(1)).optional(),
  timeoutMs: z.number().positive().optional(),
});

/** Throws `invalid_input` with the first thing that is wrong, `AbortError` when already cancelled. */
export function checkRequest(request: GenerateRequest): void {
  const parsed = requestSchema.safeParse(request);
  const issue = parsed.success ? null : parsed.error.issues[0]!;
  if (issue) refuse(`${issue.path.join(".") || "the request"}: ${issue.message}`);
  if (request.messages.slice(1).some((message) => message.role === "system"))
    refuse("only the first message may be the system's");
  if (request.messages.at(-1)!.role !== "user") refuse("the last message must be the user's");
  if (request.json?.schema) readSchema(request.json.schema);
  throwIfAborted(request.signal);
}

function refuse(reason: string): never {
  throw new AppError("invalid_input", `The model can't be asked this: ${reason}.`, {
    hint: "Give messages that end with the user's, a temperature of 0 to 2, and stop words that aren't empty.",
  });
}
