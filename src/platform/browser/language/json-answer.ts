/** The last check of an answer that was asked to be JSON: a grammar guides a model, it doesn't vouch for it. */

import { z } from "zod";
import { AppError } from "../../../errors.ts";
import type { GenerateRequest } from "../../../ports/language-model.ts";

/** Throws `model_failed` when JSON was asked and `text` isn't it, or doesn't follow the schema. */
export function checkJsonAnswer(
  title: string,
  request: Pick<GenerateRequest, "json">,
  text: string,
  cutByLength: boolean,
): void {
  if (!request.json) return;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new AppError(
      "model_failed",
      cutByLength
        ? `${title} reached its limit of tokens before its JSON was complete.`
        : `${title} didn't answer with JSON.`,
      { hint: cutByLength ? "Allow a longer answer." : "Take another model.", cause: error },
    );
  }
  if (!request.json.schema) return;
  const result = readSchema(request.json.schema).safeParse(value);
  if (result.success) return;
  const issue = result.error.issues[0];
  throw new AppError(
    "model_failed",
    `${title} answered with JSON of another form: ${issue?.path.join(".") || "the value"}: ${issue?.message ?? "it doesn't follow the schema"}.`,
    { hint: "Take another model, or a simpler form." },
  );
}

/** `invalid_input` for a schema that can't be read. */
export function readSchema(schema: Record<string, unknown>): z.ZodType {
  try {
    return z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
  } catch (error) {
    throw new AppError("invalid_input", `The JSON schema can't be used: ${String(error)}`, {
      hint: "Give a JSON Schema object: type, properties, required, items, enum.",
      cause: error,
    });
  }
}
