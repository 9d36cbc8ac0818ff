/** What the owner set about language models, as stored records, and the checks of what callers hand in. */

import { z } from "zod";
import { AppError } from "../errors.ts";
import {
  DEFAULT_LANGUAGE_SETTINGS,
  LANGUAGE_PROVIDERS,
  type CustomModel,
  type LanguageSettings,
} from "../model/language-model.ts";
import { CONTENT_KINDS } from "../model/memory.ts";
import type { RecordStore } from "../ports/record-store.ts";

const SETTINGS_RECORD = "language";
const CUSTOM_RECORD = "custom-models";
const MAX_CUSTOM_MODELS = 200;

const modelChoice = z
  .string()
  .max(300)
  .regex(/^(auto|extractive|[a-z-]+:.+)$/, 'must be "auto", "extractive" or a model\'s id');

export const languageSettingsSchema = z.strictObject({
  enabled: z.boolean(),
  allowRemote: z.boolean(),
  dailyBudgetUsd: z.number().min(0).max(10_000),
  model: modelChoice,
});

const name = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\s\u0000-\u001f]+$/, "must be without white space");
const title = z.string().min(1).max(200).optional();
const tier = z.enum(["fast", "balanced", "high"]).optional();
const contextTokens = z.int().min(256).max(10_000_000).optional();
const licence = z.string().max(100).optional();
/** Also a path on the page's own server: "/models/tiny/". */
const address = z
  .string()
  .max(4_000)
  .refine((value) => /^\/(?!\/)/.test(value) || isAddress(value), {
    error: "must be an address (https://…), or a path on this server that begins with /",
  });
const usd = z.number().min(0).max(10_000);
const price = z
  .strictObject({ inputUsd: usd, outputUsd: usd, cachedInputUsd: usd.optional() })
  .optional();

function isAddress(value: string): boolean {
  return URL.canParse(value) && /^(https?|blob):$/.test(new URL(value).protocol);
}

export const customModelSchema = z.discriminatedUnion("provider", [
  z.strictObject({
    provider: z.literal("webllm"),
    name,
    title,
    weightsUrl: address,
    libraryUrl: address,
    contextTokens,
    tier,
    licence,
    shaderF16: z.boolean().optional(),
  }),
  z.strictObject({
    provider: z.literal("wllama"),
    name,
    title,
    ggufUrl: address,
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits")
      .optional(),
    contextTokens,
    tier,
    licence,
  }),
  z.strictObject({
    provider: z.enum(["ollama", "openai", "claude", "gemini", "openai-compatible"]),
    name,
    title,
    contextTokens,
    tier,
    price,
  }),
]);

export const routeRequestSchema = z.strictObject({
  kind: z.enum(CONTENT_KINDS).optional(),
  mode: z.enum(["fast", "balanced", "high"]),
  inputTokens: z.int().min(0).max(1_000_000_000),
  outputTokens: z.int().min(0).max(10_000_000),
  minPassRate: z.number().min(0).max(1).optional(),
  latencyBudgetMs: z.number().positive().optional(),
  costLimitUsd: z.number().min(0).optional(),
  allowRemote: z.boolean().optional(),
  model: modelChoice.optional(),
});

export const keySchema = z.strictObject({
  provider: z.enum(LANGUAGE_PROVIDERS),
  key: z
    .string()
    .max(4_096)
    .regex(/^[\x21-\x7e]*$/, "must be printable characters without white space"),
});

export function readLanguageSettings(store: RecordStore): Promise<LanguageSettings> {
  return store.read<LanguageSettings>(SETTINGS_RECORD, languageSettingsSchema, {
    ...DEFAULT_LANGUAGE_SETTINGS,
  });
}

export function writeLanguageSettings(
  store: RecordStore,
  settings: LanguageSettings,
): Promise<void> {
  return store.write(SETTINGS_RECORD, settings);
}

export function readCustomModels(store: RecordStore): Promise<CustomModel[]> {
  return store.read<CustomModel[]>(CUSTOM_RECORD, z.array(customModelSchema), []);
}

export async function writeCustomModels(
  store: RecordStore,
  models: readonly CustomModel[],
): Promise<void> {
  if (models.length > MAX_CUSTOM_MODELS)
    throw new AppError("too_large", `More than ${MAX_CUSTOM_MODELS} models of your own.`, {
      hint: "Remove one that isn't used.",
    });
  await store.write(CUSTOM_RECORD, models);
}
