/**
 * Ollama's pages about models: which it holds, what it says of one, loading one from its library
 * (`/api/pull`), deleting one. How a model is asked is `ollama.ts`'s part.
 */

import { z } from "zod";
import {
  count,
  readShape,
  text,
  type ProtocolAdapter,
  type ProtocolRequest,
  type RemoteModel,
} from "./protocol-adapter.ts";

const tags = z.object({
  models: z.array(
    z.object({
      name: z.string(),
      size: count,
      digest: text,
      remote_host: text,
      details: z
        .object({ family: text, parameter_size: text })
        .optional()
        .nullable()
        .catch(undefined),
    }),
  ),
});

/** "8.0B" → 8, "134.52M" → 0.13452. */
export function parseParameterSize(size: string | null | undefined): number | undefined {
  const match = /^([\d.]+)\s*([MBT])/i.exec(size ?? "");
  if (!match) return undefined;
  const unit = { m: 1e-3, b: 1, t: 1e3 }[match[2]!.toLowerCase()]!;
  return Number(match[1]) * unit;
}

/** `/api/tags`: the models that are on the server. */
export const ollamaList: NonNullable<ProtocolAdapter["models"]> = {
  request: { method: "GET", path: "/api/tags" },
  read: (body) =>
    readShape(tags, body, "list of models").models.map((model) => {
      const parametersB = parseParameterSize(model.details?.parameter_size);
      return {
        name: model.name,
        generates: !/bert|embed/i.test(`${model.details?.family ?? ""} ${model.name}`),
        ...(model.size ? { sizeBytes: model.size } : {}),
        ...(parametersB === undefined ? {} : { parametersB }),
        ...(model.remote_host ? { forwarded: true } : {}),
        ...(model.digest ? { digest: model.digest } : {}),
      };
    }),
};

const details = z.object({
  model_info: z.record(z.string(), z.unknown()).optional().nullable().catch(undefined),
  capabilities: z.array(z.string()).optional().nullable().catch(undefined),
  license: text,
  template: text,
  modelfile: text,
  renderer: text,
  remote_host: text,
});
type Details = z.infer<typeof details>;

/** What only a model that was trained for conversations can do. */
const CONVERSES = ["tools", "thinking", "vision"];

/**
 * True when the model's template has no place for roles or a system prompt: asked by a conversation,
 * the server would drop the system prompt without a word. A model that a renderer of the server's own
 * writes prompts for carries such a template for form's sake alone.
 */
function isCompletionOnly(model: Details): boolean {
  const template = model.template?.trim();
  if (!template || model.renderer || model.remote_host) return false;
  if (/^RENDERER\s+\S/im.test(model.modelfile ?? "")) return false;
  if (model.capabilities?.some((name) => CONVERSES.includes(name))) return false;
  return !/\.(?:Messages|System)\b/.test(template);
}

/** What `/api/show` says of a model: its context, what it can do, how it is asked. */
export const ollamaDetails = {
  request: (name: string) =>
    ({ method: "POST", path: "/api/show", body: { model: name } }) satisfies ProtocolRequest,
  read(body: unknown): Partial<RemoteModel> {
    const model = readShape(details, body, "model's description");
    const context = Object.entries(model.model_info ?? {}).find(([key]) =>
      key.endsWith(".context_length"),
    )?.[1];
    const licence = model.license?.trim().split("\n")[0]?.trim();
    return {
      ...(typeof context === "number" ? { contextTokens: context } : {}),
      ...(model.capabilities ? { generates: model.capabilities.includes("completion") } : {}),
      ...(isCompletionOnly(model) ? { completionOnly: true } : {}),
      ...(licence ? { licence: licence.slice(0, 80) } : {}),
    };
  },
};

const pullStep = z.object({
  status: text,
  error: text,
  digest: text,
  total: count,
  completed: count,
});

/** One line of what a server says while it loads a model; bytes are those of one layer, by its digest. */
export interface PullStep {
  status: string;
  error?: string;
  layer?: { digest: string; totalBytes: number; doneBytes: number };
}

/** `/api/pull`: loads a model; what is there already is not loaded again. */
export const ollamaPull = {
  request: (name: string) =>
    ({
      method: "POST",
      path: "/api/pull",
      body: { model: name, stream: true },
    }) satisfies ProtocolRequest,
  read(body: unknown): PullStep {
    const { status, error, digest, total, completed } = readShape(pullStep, body, "progress");
    return {
      status: status ?? "",
      ...(error ? { error } : {}),
      ...(digest && total && total > 0
        ? {
            layer: {
              digest,
              totalBytes: total,
              doneBytes: Math.min(total, Math.max(0, completed ?? 0)),
            },
          }
        : {}),
    };
  },
};

/** `/api/delete`. */
export const ollamaDelete = {
  request: (name: string) =>
    ({ method: "DELETE", path: "/api/delete", body: { model: name } }) satisfies ProtocolRequest,
};
