/**
 * JSON answers: what to tell a model whose protocol can't be held to a schema, and the check of what
 * came, which no protocol is trusted to make needless.
 */

import { z } from "zod";
import { AppError } from "../../errors.ts";
import type { ChatMessage, GenerateRequest } from "../../ports/language-model.ts";

export type JsonRequest = NonNullable<GenerateRequest["json"]>;

/** Compiles the caller's schema; `invalid_input` when it is none that can be checked. */
export function compileSchema(json: JsonRequest): z.ZodType {
  if (!json.schema) return z.json();
  try {
    return z.fromJSONSchema(json.schema);
  } catch (error) {
    throw new AppError(
      "invalid_input",
      `The JSON schema can't be used: ${error instanceof Error ? error.message : String(error)}.`,
      { hint: "Give a JSON Schema of plain types, enums, arrays and objects.", cause: error },
    );
  }
}

/** Said to a model whose protocol doesn't do it, after the caller's own system prompt. */
export function jsonInstruction(json: JsonRequest): ChatMessage {
  return {
    role: "system",
    content: json.schema
      ? `Answer with one JSON document and nothing else. It must fit this JSON schema:\n${JSON.stringify(json.schema)}`
      : "Answer with one JSON document and nothing else.",
  };
}

/** The conversation that asks a model to put its answer right, once. */
export function repairMessages(
  messages: readonly ChatMessage[],
  answer: string,
  problem: string,
): ChatMessage[] {
  return [
    ...messages,
    { role: "assistant", content: answer === "" ? "(nothing)" : answer },
    {
      role: "user",
      content: `That answer can't be used: ${problem}. Give the whole answer again as one JSON document and nothing else.`,
    },
  ];
}

export type JsonCheck = { ok: true; text: string } | { ok: false; problem: string };

/**
 * The JSON inside of an answer, checked. Fences and words around one document are taken off: models
 * put them there whatever they are told. The text that is returned parses as JSON.
 */
export function checkJson(answer: string, schema: z.ZodType): JsonCheck {
  const found = findDocument(answer);
  if (!found) return { ok: false, problem: "it is not JSON" };
  const checked = schema.safeParse(found.value);
  if (checked.success) return { ok: true, text: found.text };
  const issue = checked.error.issues[0];
  const where = issue?.path.length ? ` at ${issue.path.join(".")}` : "";
  return {
    ok: false,
    problem: `it doesn't fit the schema${where}: ${issue?.message ?? "unknown"}`,
  };
}

function findDocument(answer: string): { text: string; value: unknown } | null {
  const trimmed = answer.trim();
  const fenced = /^```(?:json)?\s*\n([\s\S]*?)\n?```$/i.exec(trimmed)?.[1];
  const candidates = [trimmed, fenced, between(trimmed, "{", "}"), between(trimmed, "[", "]")];
  for (const candidate of candidates) {
    if (candidate === undefined) continue;
    try {
      return { text: candidate, value: JSON.parse(candidate) };
    } catch {
      // the next one
    }
  }
  return null;
}

function between(text: string, open: string, close: string): string | undefined {
  const from = text.indexOf(open);
  const to = text.lastIndexOf(close);
  return from !== -1 && to > from ? text.slice(from, to + 1) : undefined;
}
