/** `models`: language models, their providers and keys, and which is chosen. */

import type { Command } from "commander";
import { z } from "zod";
import { AppError } from "../../../errors.ts";
import {
  LANGUAGE_PROVIDERS,
  type CustomModel,
  type LanguageModelInfo,
  type LanguageSettings,
  type TokenPrice,
} from "../../../model/language-model.ts";
import { CONTENT_KINDS } from "../../../model/memory.ts";
import { bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { readInput } from "../files.ts";
import { formatBytes, formatDuration, formatTable } from "../format.ts";
import {
  describeEmbedder,
  describeUse,
  formatPrice,
  formatProviders,
  formatRoute,
} from "../model-words.ts";
import { integerOption, modelOptions, modeOption, pathOption, usdOption } from "../options.ts";
import { printable } from "../output.ts";
import { readSecret } from "../secret-input.ts";

const providerOption = z.enum(LANGUAGE_PROVIDERS);
const switchOption = z.enum(["on", "off"]).transform((value) => value === "on");
const tierOption = z.enum(["fast", "balanced", "high"]);

const none = z.object({});
const named = z.object({ id: z.string().min(1) });
const installSchema = z.object({ id: z.string().min(1).optional() });
const addSchema = z.object({
  provider: providerOption,
  name: z.string().min(1),
  title: z.string().optional(),
  tier: tierOption.optional(),
  context: integerOption(256, 10_000_000).optional(),
  inputPrice: usdOption(10_000).optional(),
  outputPrice: usdOption(10_000).optional(),
  gguf: z.string().optional(),
  sha256: z.string().optional(),
  weights: z.string().optional(),
  library: z.string().optional(),
});
const providersSchema = z.object({
  provider: providerOption.optional(),
  url: z.string().optional(),
  enabled: switchOption.optional(),
  requestsPerMinute: integerOption(1, 10_000_000).optional(),
  tokensPerMinute: integerOption(1, 10_000_000).optional(),
  concurrency: integerOption(1, 64).optional(),
  timeout: integerOption(1_000, 3_600_000).optional(),
});
const keySchema = z.object({ provider: providerOption, remove: z.boolean().default(false) });
const useSchema = z.object({
  model: modelOptions.model,
  remote: switchOption.optional(),
  enabled: switchOption.optional(),
});
const routeSchema = z.object({
  mode: modeOption,
  file: pathOption.optional(),
  kind: z.enum(CONTENT_KINDS).optional(),
  tokens: integerOption(1, 100_000_000).optional(),
  ...modelOptions,
});

export function registerModels(program: Command, invocation: Invocation): void {
  const models = program
    .command("models")
    .summary("language models: what is there, which is chosen, keys")
    .description(
      "Shows the embedding model and every language model with its state, tier, context and price. Text leaves this machine only after `models use --remote on`.",
    )
    .addHelpText(
      "after",
      examples(
        "llm-compress models",
        "llm-compress models key openai < key.txt",
        "llm-compress models use --remote on --model auto",
        "llm-compress models route --mode high --file minutes.md",
        "llm-compress models add ollama my-model:7b --context 32768",
        "llm-compress budget --daily 0.50",
      ),
    )
    .action(bind(invocation, none, list));
  models
    .command("install")
    .description("Installs a model, or says how to install the embedding model.")
    .argument("[id]", "a language model's id")
    .action(bind(invocation, installSchema, install));
  models
    .command("remove")
    .description("Removes an installed model, or one of your own from the list.")
    .argument("<id>", "a language model's id")
    .action(bind(invocation, named, remove));
  models
    .command("add")
    .description(
      "Adds a model of your own. A remote one needs its price, so that the budget holds.",
    )
    .argument("<provider>", LANGUAGE_PROVIDERS.join(", "))
    .argument("<name>", "the provider's own name of it")
    .option("--title <text>", "name to show")
    .option("--tier <tier>", "fast, balanced or high: the mode from which on it takes part")
    .option("--context <tokens>", "prompt and answer together")
    .option("--input-price <usd>", "per million tokens")
    .option("--output-price <usd>", "per million tokens")
    .option("--gguf <url>", "wllama: address of the weights")
    .option("--sha256 <hex>", "wllama: hash of the weights")
    .option("--weights <url>", "webllm: folder of the weights")
    .option("--library <url>", "webllm: compiled model library")
    .action(bind(invocation, addSchema, add));
  models
    .command("providers")
    .description("Shows how providers are reached; with a name and options, changes it.")
    .argument("[provider]", LANGUAGE_PROVIDERS.join(", "))
    .option("--url <address>", "where it answers, for example http://localhost:11434")
    .option("--enabled <on|off>", "whether it takes part")
    .option("--requests-per-minute <n>", "limit")
    .option("--tokens-per-minute <n>", "limit")
    .option("--concurrency <n>", "requests under way at once")
    .option("--timeout <ms>", "of one whole call")
    .action(bind(invocation, providersSchema, providers));
  models
    .command("key")
    .description("Keeps a provider's API key. It is read from stdin, never from an argument.")
    .argument("<provider>", LANGUAGE_PROVIDERS.join(", "))
    .option("--remove", "forget the key")
    .action(bind(invocation, keySchema, key));
  models
    .command("use")
    .description("Says which models may be used; without options shows it.")
    .option("--model <id>", "auto, extractive or a model's id")
    .option("--remote <on|off>", "whether text may be sent to other machines; off at first")
    .option("--enabled <on|off>", "whether language models take part at all")
    .action(bind(invocation, useSchema, use));
  models
    .command("route")
    .description("Explains which model would be chosen for a text, and why none of the others.")
    .option("-m, --mode <mode>", "fast, balanced or high", "balanced")
    .option("-f, --file <file>", 'the text; "-" reads stdin')
    .option("--kind <kind>", `${CONTENT_KINDS.join(", ")}; default: as recognised`)
    .option("--tokens <n>", "length of the text, instead of a file")
    .option("--model <id>", "auto, extractive or a model's id")
    .option("--cost-limit <usd>", "most that one text may be expected to cost")
    .option("--latency-budget <ms>", "longest that one text may be expected to take")
    .action(bind(invocation, routeSchema, route));
  models
    .command("probe")
    .description("Asks a model a short question, to see that it answers and how fast.")
    .argument("<id>", "a language model's id")
    .action(bind(invocation, named, probe));
}

type Result = Promise<number | undefined>;

async function list(context: CommandContext): Result {
  const engine = await context.openStore("read");
  const [embedding, models, settings] = await Promise.all([
    engine.status().then((status) => status.embeddings.model),
    engine.language.list(),
    engine.language.settings(),
  ]);
  if (context.json) {
    await context.printJson({ embedding, settings, models });
    return undefined;
  }
  const rows = models.map((model) => [
    model.id,
    model.tier,
    model.state.replace("_", " "),
    model.sizeBytes === undefined ? "" : formatBytes(model.sizeBytes),
    model.contextTokens.toLocaleString("en-US"),
    formatPrice(model),
    model.local ? "here" : "elsewhere",
  ]);
  const columns = ["Model", "Tier", "State", "Size", "Context", "$ per M tokens", "Runs"].map(
    (title) => ({ title }),
  );
  await context.print(`${describeEmbedder(embedding)}\n`);
  await context.print(
    models.length === 0
      ? "No language models on this platform.\n"
      : `\n${formatTable(columns, rows)}\n\n${describeUse(settings)}\n`,
  );
  return undefined;
}

async function install(context: CommandContext, { id }: z.output<typeof installSchema>): Result {
  if (id === undefined) {
    const engine = await context.openScratch({ embed: false });
    const { model } = (await engine.status()).embeddings;
    if (context.json) await context.printJson({ models: [model] });
    else await context.print(`${describeEmbedder(model)}\n`);
    if (model.state !== "installed" && model.state !== "loaded")
      context.note(
        "Run `npm run setup` in the project's folder: it shows the size, downloads with resume and checks the weights.",
      );
    return undefined;
  }
  const engine = await context.openStore("write");
  await engine.language.install(id, {
    signal: context.signal,
    onProgress: (progress) => context.progress.report(progress),
  });
  return show(
    context,
    // Ollama adds the tag that a name without one stands for.
    (await engine.language.list()).find((model) => [id, `${id}:latest`].includes(model.id)),
  );
}

async function remove(context: CommandContext, { id }: z.output<typeof named>): Result {
  const engine = await context.openStore("write");
  await engine.language.remove(id);
  if (context.json) await context.printJson({ removed: id });
  else context.note(`${id} was removed.`);
  return undefined;
}

async function add(context: CommandContext, input: z.output<typeof addSchema>): Result {
  const engine = await context.openStore("write");
  return show(context, await engine.language.add(toCustomModel(input)));
}

function toCustomModel(input: z.output<typeof addSchema>): CustomModel {
  const { provider, name, title, tier, context: contextTokens } = input;
  const shared = {
    name,
    ...(title === undefined ? {} : { title }),
    ...(tier === undefined ? {} : { tier }),
    ...(contextTokens === undefined ? {} : { contextTokens }),
  };
  const required = (value: string | undefined, flag: string): string => {
    if (value !== undefined) return value;
    throw new AppError("invalid_input", `${flag}: is required for ${provider}`, {
      hint: "See `llm-compress models add --help`.",
    });
  };
  if (provider === "wllama") {
    const ggufUrl = required(input.gguf, "--gguf");
    return { provider, ...shared, ggufUrl, ...(input.sha256 ? { sha256: input.sha256 } : {}) };
  }
  if (provider === "webllm")
    return {
      provider,
      ...shared,
      weightsUrl: required(input.weights, "--weights"),
      libraryUrl: required(input.library, "--library"),
    };
  if (provider === "chrome")
    throw new AppError(
      "unsupported_input",
      "Chrome's model can't be added: it is the browser's own",
    );
  const { inputPrice, outputPrice } = input;
  if ((inputPrice === undefined) !== (outputPrice === undefined))
    throw new AppError("invalid_input", "--input-price and --output-price go together");
  const price: TokenPrice | undefined =
    inputPrice === undefined || outputPrice === undefined
      ? undefined
      : { inputUsd: inputPrice, outputUsd: outputPrice };
  return { provider, ...shared, ...(price ? { price } : {}) };
}

async function providers(context: CommandContext, input: z.output<typeof providersSchema>): Result {
  const { provider, url, enabled, timeout, ...limits } = input;
  const changes = {
    ...(url === undefined ? {} : { baseUrl: url }),
    ...(enabled === undefined ? {} : { enabled }),
    ...(timeout === undefined ? {} : { timeoutMs: timeout }),
    ...Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined)),
  };
  const changing = Object.keys(changes).length > 0;
  if (changing && provider === undefined)
    throw new AppError("invalid_input", "PROVIDER: is required to change settings");
  const engine = await context.openStore(changing ? "write" : "read");
  const states =
    changing && provider !== undefined
      ? [await engine.language.configureProvider({ provider, ...changes })]
      : (await engine.language.providers()).filter(
          (state) => provider === undefined || state.provider === provider,
        );
  if (context.json) await context.printJson({ providers: states });
  else await context.print(`${formatProviders(states)}\n`);
  return undefined;
}

async function key(context: CommandContext, input: z.output<typeof keySchema>): Result {
  const { provider } = input;
  const secret = input.remove
    ? ""
    : await readSecret(context.host, `Key of ${provider}: `, context.signal);
  if (!input.remove && secret === "")
    throw new AppError("invalid_input", "The key is empty", {
      hint: "Pipe it into this command, or use --remove to forget it.",
    });
  const engine = await context.openStore("write");
  const state = await engine.language.setKey(provider, secret, { save: true });
  if (context.json) await context.printJson(state);
  else
    context.note(
      input.remove
        ? `The key of ${provider} was removed.`
        : `The key of ${provider} is kept (${state.key}).`,
    );
  return undefined;
}

async function use(context: CommandContext, input: z.output<typeof useSchema>): Result {
  const changes: Partial<LanguageSettings> = {
    ...(input.model === undefined ? {} : { model: input.model }),
    ...(input.remote === undefined ? {} : { allowRemote: input.remote }),
    ...(input.enabled === undefined ? {} : { enabled: input.enabled }),
  };
  const changing = Object.keys(changes).length > 0;
  const engine = await context.openStore(changing ? "write" : "read");
  const settings = changing
    ? await engine.language.configure(changes)
    : await engine.language.settings();
  if (context.json) await context.printJson(settings);
  else await context.print(`${describeUse(settings)}\n`);
  return undefined;
}

async function route(context: CommandContext, input: z.output<typeof routeSchema>): Result {
  const text = await routedText(context, input);
  const engine = await context.openStore("read");
  const { planRoute } = await import("../route-plan.ts");
  const request = planRoute(text, input);
  const decision = await engine.language.route(request);
  if (context.json) await context.printJson({ request, ...decision });
  else await context.print(`${formatRoute(context.paint, decision)}\n`);
  return undefined;
}

/** The file's bytes, or how many tokens the text is said to have. */
async function routedText(
  context: CommandContext,
  { file, tokens }: z.output<typeof routeSchema>,
): Promise<Uint8Array | number> {
  if (tokens !== undefined) return tokens;
  if (file === undefined)
    throw new AppError("invalid_input", "--file: is required, or --tokens", {
      hint: "Name the text that a model should be chosen for.",
    });
  return readInput(context.host, file === "-" ? "-" : context.path(file), context.signal);
}

async function probe(context: CommandContext, { id }: z.output<typeof named>): Result {
  const engine = await context.openStore("write");
  const { text, elapsedMs, tokensPerSecond } = await engine.language.probe(id, {
    signal: context.signal,
    onProgress: (progress) => context.progress.report(progress),
  });
  if (context.json) await context.printJson({ id, text, elapsedMs, tokensPerSecond });
  else {
    await context.print(`${printable(text)}\n`);
    const speed = tokensPerSecond === null ? "" : `, ${tokensPerSecond.toFixed(1)} tokens/s`;
    context.note(`${id} answered in ${formatDuration(elapsedMs)}${speed}.`);
  }
  return undefined;
}

async function show(context: CommandContext, model: LanguageModelInfo | undefined): Result {
  if (context.json) await context.printJson(model ?? null);
  else if (model)
    await context.print(
      `${model.id}: ${model.state.replace("_", " ")}, tier ${model.tier}, ${formatPrice(model)}${model.reason ? `. ${printable(model.reason)}` : ""}\n`,
    );
  return undefined;
}
