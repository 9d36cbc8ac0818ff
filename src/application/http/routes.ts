/**
 * The engine over HTTP: `Request` → `Response`, the same in a Node server, a service worker and a
 * test. Bodies are JSON; every failure is `{"error": WireError}` with the status of its code.
 */

import { Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { AppError } from "../../errors.ts";
import type { CompressedMemory, Engine, ReadResult } from "../../engine.ts";
import type { EmbeddingsBuffer } from "../../model/embeddings-buffer.ts";
import { embeddingsQuerySchema, memoryPatchSchema } from "../../engine/input-schemas.ts";
import {
  compressBody,
  compressedBody,
  eraseQuery,
  evaluateBody,
  recallBody,
  rememberBody,
} from "./schemas.ts";
import { check, defined, errorResponse, readBody, toBase64 } from "./wire.ts";

export interface RouteOptions {
  /** Largest request body. Default 16 MiB. */
  maxBodyBytes?: number;
  /** Run before every route, in order. */
  middleware?: MiddlewareHandler[];
}

const DEFAULT_MAX_BODY_BYTES = 16 * 1024 * 1024;

export function createRoutes(engine: Engine, options: RouteOptions = {}): Hono {
  const maxSize = options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
  const app = new Hono();
  app.onError((error, context) => errorResponse(context, error));
  app.notFound((context) =>
    errorResponse(
      context,
      new AppError("not_found", `There is no ${context.req.method} ${context.req.path}`, {
        hint: "Routes: /v1/memories, /v1/recall, /v1/compress, /v1/decompress, /v1/evaluate, /v1/status.",
      }),
    ),
  );
  for (const middleware of options.middleware ?? []) app.use(middleware);
  app.use(
    bodyLimit({
      maxSize,
      onError: (context) =>
        errorResponse(
          context,
          new AppError("too_large", `The body is larger than ${maxSize} bytes`, {
            hint: "Send fewer items at once, or use `llm-compress batch` for files.",
          }),
        ),
    }),
  );

  app.post("/v1/memories", async (context) => {
    const { items, ...settings } = await readBody(context, rememberBody);
    const receipts = await engine.remember(
      items.map(({ originalBase64, ...item }) => defined({ ...item, original: originalBase64 })),
      { ...defined(settings), signal: context.req.raw.signal },
    );
    return context.json({ receipts }, 201);
  });

  app.post("/v1/memories/embeddings", async (context) => {
    const { filter, ...query } = await readBody(context, embeddingsQuerySchema);
    const found = await engine.getEmbeddingsBuffer({
      ...defined(query),
      ...(filter ? { filter: defined(filter) } : {}),
    });
    return context.json(toEmbeddingsBody(found));
  });

  app.get("/v1/memories/:id", async (context) => {
    return context.json(toReadBody(await engine.read(context.req.param("id"))));
  });

  app.patch("/v1/memories/:id", async (context) => {
    const patch = await readBody(context, memoryPatchSchema);
    return context.json(await engine.update(context.req.param("id"), defined(patch)));
  });

  app.delete("/v1/memories/:id", async (context) => {
    const { erase } = check(eraseQuery, context.req.query(), "query");
    return context.json(
      await engine.forget({ ids: [context.req.param("id")] }, { erase: erase === "true" }),
    );
  });

  app.post("/v1/recall", async (context) => {
    const { filter, ...query } = await readBody(context, recallBody);
    return context.json(
      await engine.recall(
        { ...defined(query), ...(filter ? { filter: defined(filter) } : {}) },
        { signal: context.req.raw.signal },
      ),
    );
  });

  app.post("/v1/compress", async (context) => {
    const { text, ...settings } = await readBody(context, compressBody);
    const { residual, ...compressed } = await engine.compress(text, {
      ...defined(settings),
      signal: context.req.raw.signal,
    });
    return context.json({
      ...compressed,
      residualBase64: residual === null ? null : toBase64(residual),
    });
  });

  app.post("/v1/decompress", async (context) => {
    const { residualBase64, keepReason, ...rest } = await readBody(context, compressedBody);
    const compressed: CompressedMemory = {
      ...rest,
      residual: residualBase64,
      ...(keepReason === undefined ? {} : { keepReason }),
    };
    return context.json(await engine.decompress(compressed));
  });

  app.post("/v1/evaluate", async (context) => {
    const input = await readBody(context, evaluateBody);
    return context.json(await engine.evaluate(defined(input), { signal: context.req.raw.signal }));
  });

  app.get("/v1/status", async (context) => context.json(await engine.status()));

  return app;
}

/** Numbers as the base64 of their little-endian bytes. */
function toEmbeddingsBody(found: EmbeddingsBuffer): Record<string, unknown> {
  const bytes = ({ buffer }: { buffer: ArrayBuffer }): string => toBase64(new Uint8Array(buffer));
  if (found.format === "float32") {
    const { embeddings, ...rest } = found;
    return { ...rest, embeddingsBase64: bytes(embeddings) };
  }
  const { codes, scales, ...rest } = found;
  return { ...rest, codesBase64: bytes(codes), scalesBase64: bytes(scales) };
}

function toReadBody({ original, ...result }: ReadResult): Record<string, unknown> {
  return { ...result, ...(original ? { originalBase64: toBase64(original) } : {}) };
}
