/** The form by which a model of the user's own is added: checked before it reaches the engine. */

import type { CustomModel, ModelTier } from "../../../model/language-model.ts";

export type CustomProvider = CustomModel["provider"];

/** What stands in the fields, as typed. */
export interface CustomModelForm {
  provider: CustomProvider;
  name: string;
  title: string;
  weightsUrl: string;
  libraryUrl: string;
  ggufUrl: string;
  sha256: string;
  contextTokens: string;
  tier: ModelTier;
  licence: string;
  /** "auto" goes by the library's name. */
  shaderF16: "auto" | "yes" | "no";
  inputUsd: string;
  outputUsd: string;
}

export type FormField = keyof CustomModelForm;

export const EMPTY_FORM: Readonly<CustomModelForm> = {
  provider: "webllm",
  name: "",
  title: "",
  weightsUrl: "",
  libraryUrl: "",
  ggufUrl: "",
  sha256: "",
  contextTokens: "",
  tier: "fast",
  licence: "",
  shaderF16: "auto",
  inputUsd: "",
  outputUsd: "",
};

export interface CheckedModel {
  /** Null while there are problems. */
  model: CustomModel | null;
  problems: Partial<Record<FormField, string>>;
}

const MIN_CONTEXT = 256;
const MAX_CONTEXT = 10_000_000;

/** Why a text is no address to load from, or null. */
export function urlProblem(value: string, what: string): string | null {
  const text = value.trim();
  if (text === "") return `${what} is needed.`;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return "This is not an address. It begins with https://.";
  }
  if (url.protocol !== "https:" && url.protocol !== "http:")
    return `The address begins with “${url.protocol}”; https:// or http:// is needed.`;
  if (url.username !== "" || url.password !== "")
    return "The address holds a name or password; these don't belong there.";
  return null;
}

/** As `urlProblem`; a path that begins with / is one on the server that the page is from. */
function modelUrlProblem(value: string, what: string): string | null {
  return /^\/(?!\/)/.test(value.trim()) ? null : urlProblem(value, what);
}

/** Checks every field; what the form leaves open is left out, so that the engine's defaults hold. */
export function checkCustomModel(form: CustomModelForm): CheckedModel {
  const problems: CheckedModel["problems"] = {};
  const note = (field: FormField, text: string | null): void => {
    if (text !== null) problems[field] = text;
  };
  const name = form.name.trim();
  if (name === "") note("name", "A name is needed.");
  else if (/\s/.test(name)) note("name", "The name is written without spaces.");

  const context = form.contextTokens.trim();
  const contextTokens = Number(context);
  if (
    context !== "" &&
    !(
      Number.isInteger(contextTokens) &&
      contextTokens >= MIN_CONTEXT &&
      contextTokens <= MAX_CONTEXT
    )
  )
    note("contextTokens", `A whole number of at least ${MIN_CONTEXT} is needed.`);

  const common = {
    name,
    ...optional("title", form.title),
    ...(context === "" ? {} : { contextTokens }),
    tier: form.tier,
  };
  let model: CustomModel;
  if (form.provider === "webllm") {
    note("weightsUrl", modelUrlProblem(form.weightsUrl, "The address of the weights"));
    note("libraryUrl", modelUrlProblem(form.libraryUrl, "The address of the model library"));
    model = {
      ...common,
      provider: "webllm",
      weightsUrl: form.weightsUrl.trim(),
      libraryUrl: form.libraryUrl.trim(),
      ...optional("licence", form.licence),
      ...(form.shaderF16 === "auto" ? {} : { shaderF16: form.shaderF16 === "yes" }),
    };
  } else if (form.provider === "wllama") {
    note("ggufUrl", modelUrlProblem(form.ggufUrl, "The address of the GGUF file"));
    const hash = form.sha256.trim().toLowerCase();
    if (hash !== "" && !/^[0-9a-f]{64}$/.test(hash))
      note("sha256", "A SHA-256 has 64 hexadecimal digits.");
    model = {
      ...common,
      provider: "wllama",
      ggufUrl: form.ggufUrl.trim(),
      ...optional("sha256", hash),
      ...optional("licence", form.licence),
    };
  } else {
    const input = priceOf(form.inputUsd);
    const output = priceOf(form.outputUsd);
    if (input === "bad") note("inputUsd", "A price is a number that is not negative.");
    if (output === "bad") note("outputUsd", "A price is a number that is not negative.");
    if ((input === null) !== (output === null))
      note(input === null ? "inputUsd" : "outputUsd", "Give both prices, or none.");
    model = {
      ...common,
      provider: form.provider,
      ...(typeof input === "number" && typeof output === "number"
        ? { price: { inputUsd: input, outputUsd: output } }
        : {}),
    };
  }
  return { model: Object.keys(problems).length === 0 ? model : null, problems };
}

function optional<K extends string>(key: K, value: string): { [P in K]?: string } {
  const text = value.trim();
  return (text === "" ? {} : { [key]: text }) as { [P in K]?: string };
}

function priceOf(value: string): number | null | "bad" {
  const text = value.trim().replace(",", ".");
  if (text === "") return null;
  const price = Number(text);
  return Number.isFinite(price) && price >= 0 ? price : "bad";
}

/** A name from an address, for those who gave none: "…/tiny-llama.gguf" → "tiny-llama". */
export function nameFromUrl(value: string): string {
  let path: string;
  try {
    const text = value.trim();
    path = text.startsWith("/") ? text : new URL(text).pathname;
  } catch {
    return "";
  }
  const parts = path.split("/").filter((part) => part !== "");
  const cut = parts.findIndex((part) => part === "resolve");
  const last = (cut > 0 ? parts[cut - 1] : parts.at(-1)) ?? "";
  return decodeSafely(last)
    .replace(/\.(gguf|wasm|bin|json)$/i, "")
    .replace(/\s+/g, "-");
}

function decodeSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
