/** Models that a user adds by address: what of them is checked before anything is fetched. */

import { z } from "zod";
import { AppError } from "../../../errors.ts";
import type { WebLlmModel, WllamaModel } from "../../../model/language-catalogue.ts";
import type { CustomModel } from "../../../model/language-model.ts";
import { needsShaderF16 } from "./device-capabilities.ts";

/** Tokens that a model is run with when nobody says otherwise: its cache of them takes memory. */
export const DEFAULT_CONTEXT_TOKENS = 4096;

const address = z
  .string()
  .trim()
  // A path means the server that the page is from.
  .transform((value) => (/^\/(?!\/)/.test(value) ? location.origin + value : value))
  .refine(isAddress, { error: "an address is needed that starts with https:// or http://" });

const common = {
  name: z
    .string()
    .trim()
    .min(1, { error: "a name is needed" })
    .max(100, { error: "at most 100 characters" })
    .regex(/^[^\p{C}/\\:]+$/u, { error: "no slashes, colons or control characters" }),
  title: z.string().trim().max(200).optional(),
  contextTokens: z.int().min(256).max(1_000_000).optional(),
  tier: z.enum(["fast", "balanced", "high"]).optional(),
  licence: z.string().max(200).optional(),
};

const webLlmSchema = z.object({
  ...common,
  weightsUrl: address,
  libraryUrl: address,
  shaderF16: z.boolean().optional(),
});

const wllamaSchema = z.object({
  ...common,
  ggufUrl: address,
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/i, { error: "64 hexadecimal digits are needed" })
    .optional(),
});

export function parseWebLlmModel(custom: CustomModel): WebLlmModel {
  const model = parse(webLlmSchema, custom);
  return {
    ...describe(model),
    provider: "webllm",
    weightsUrl: model.weightsUrl,
    libraryUrl: model.libraryUrl,
    needs: {
      webgpu: true,
      shaderF16: model.shaderF16 ?? needsShaderF16(model.libraryUrl, model.weightsUrl, model.name),
    },
  };
}

export function parseWllamaModel(custom: CustomModel): WllamaModel {
  const model = parse(wllamaSchema, custom);
  return {
    ...describe(model),
    provider: "wllama",
    ggufUrl: model.ggufUrl,
    ...(model.sha256 && { sha256: model.sha256.toLowerCase() }),
    needs: {},
  };
}

function describe(model: z.infer<typeof wllamaSchema> | z.infer<typeof webLlmSchema>) {
  return {
    name: model.name,
    title: model.title || model.name,
    tier: model.tier ?? ("balanced" as const),
    contextTokens: model.contextTokens ?? DEFAULT_CONTEXT_TOKENS,
    ...(model.licence !== undefined && { licence: model.licence }),
    custom: true,
  };
}

function isAddress(value: string): boolean {
  return URL.canParse(value) && /^https?:$/.test(new URL(value).protocol);
}

function parse<T>(schema: z.ZodType<T>, custom: CustomModel): T {
  const result = schema.safeParse(custom);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new AppError(
    "invalid_input",
    `The model can't be added: ${issue.path.join(".") || "it"}: ${issue.message}.`,
    {
      hint: "WebLLM needs the address of the weights' folder and of the compiled library (.wasm); llama.cpp the address of a .gguf file.",
    },
  );
}
