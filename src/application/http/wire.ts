/** Between `Request`/`Response` bodies and the engine's types: JSON in, JSON out, errors as `WireError`. */

import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { z } from "zod";
import { AppError, HTTP_STATUS, toWireError, type WireError } from "../../errors.ts";

/** Status of a request that its sender took back; the de-facto code, since HTTP has none. */
const STATUS_CANCELLED = 499;

export interface ErrorBody {
  error: WireError;
}

/** Any failure as its status and body. */
export function errorResponse(context: Context, error: unknown): Response {
  const wire = toWireError(error);
  const status = wire.code === "aborted" ? STATUS_CANCELLED : HTTP_STATUS[wire.code];
  return context.json({ error: wire } satisfies ErrorBody, status as ContentfulStatusCode);
}

/** The body as JSON of this shape. `unsupported_input` for another media type, `invalid_input` otherwise. */
export async function readBody<S extends z.ZodType>(
  context: Context,
  schema: S,
): Promise<z.output<S>> {
  // Also what keeps a form on a foreign page from writing: it can't send this type without a preflight.
  const type = context.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json")
    throw new AppError(
      "unsupported_input",
      `The body must be application/json, not ${type ?? "untyped"}`,
      {
        hint: "Send the header content-type: application/json.",
      },
    );
  let value: unknown;
  try {
    value = await context.req.json();
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (!(error instanceof SyntaxError)) throw error;
    throw new AppError("invalid_input", `The body is not JSON: ${error.message}`, { cause: error });
  }
  return check(schema, value, "body");
}

export function check<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const path = [where, ...issue.path.map(String)].join(".");
  throw new AppError("invalid_input", `${path}: ${issue.message}`, {
    hint: "Compare it with docs/guide/sdk.md.",
  });
}

/** Base64 in steps, since a call can't take a million arguments. */
export function toBase64(bytes: Uint8Array): string {
  const STEP = 0x8000;
  let binary = "";
  for (let at = 0; at < bytes.length; at += STEP)
    binary += String.fromCharCode(...bytes.subarray(at, at + STEP));
  return btoa(binary);
}

/** The value without undefined fields: what `exactOptionalPropertyTypes` asks of optional ones. */
export function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
