/**
 * Where API keys come from in Node: what this process was given, then the environment, then a file
 * that only its owner can read. Keys are never logged and never part of an error.
 */

import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { AppError } from "../../errors.ts";
import {
  LANGUAGE_PROVIDERS,
  type LanguageProvider,
  type ProviderSettings,
} from "../../model/language-model.ts";
import type { KeyStore } from "../../ports/language-model.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Names of variables by provider; the first that is set counts. */
export const KEY_VARIABLES: Readonly<Partial<Record<LanguageProvider, readonly string[]>>> = {
  openai: ["OPENAI_API_KEY"],
  claude: ["ANTHROPIC_API_KEY"],
  gemini: ["GEMINI_API_KEY", "GOOGLE_API_KEY"],
  ollama: ["OLLAMA_API_KEY"],
  "openai-compatible": ["OPENAI_COMPATIBLE_API_KEY"],
};

/** Variables that name a provider's address. */
const ADDRESS_VARIABLES: Readonly<Partial<Record<LanguageProvider, string>>> = {
  ollama: "OLLAMA_HOST",
  openai: "OPENAI_BASE_URL",
  claude: "ANTHROPIC_BASE_URL",
  "openai-compatible": "OPENAI_COMPATIBLE_BASE_URL",
};

const fileSchema = z.partialRecord(z.enum(LANGUAGE_PROVIDERS), z.string());
type KeyFile = z.infer<typeof fileSchema>;

export interface NodeKeyStoreOptions {
  env?: Environment;
  /** Default `keys.json` in `$XDG_CONFIG_HOME/llm-compress`, else in `~/.config/llm-compress`. */
  file?: string;
}

export class NodeKeyStore implements KeyStore {
  readonly #env: Environment;
  readonly #file: string;
  readonly #memory = new Map<LanguageProvider, string>();
  #changes: Promise<unknown> = Promise.resolve();

  constructor(options: NodeKeyStoreOptions = {}) {
    this.#env = options.env ?? process.env;
    const config = this.#env["XDG_CONFIG_HOME"] || join(homedir(), ".config");
    this.#file = options.file ?? join(config, "llm-compress", "keys.json");
  }

  /** `unauthorized` when the file can be read by others, `corrupt_data` when it isn't what it should be. */
  async get(provider: LanguageProvider): Promise<string | null> {
    return (await this.#find(provider))?.key ?? null;
  }

  async where(provider: LanguageProvider): Promise<"none" | "memory" | "environment" | "file"> {
    return (await this.#find(provider))?.where ?? "none";
  }

  /** With `save` into the file, readable to its owner alone; else until this process ends. */
  async set(
    provider: LanguageProvider,
    key: string,
    options: { save?: boolean } = {},
  ): Promise<void> {
    const trimmed = key.trim();
    if (trimmed === "" || /[^\x21-\x7e]/.test(trimmed))
      throw new AppError(
        "invalid_input",
        "The key is empty, or holds characters that no key has.",
        {
          hint: "Copy it again, without spaces or line ends.",
        },
      );
    if (!options.save) this.#memory.set(provider, trimmed);
    else
      await this.#alone(async () => {
        await this.#write({ ...(await this.#read()), [provider]: trimmed });
        this.#memory.delete(provider);
      });
  }

  /** From memory and file. A key of the environment stays: it isn't ours. */
  async remove(provider: LanguageProvider): Promise<void> {
    this.#memory.delete(provider);
    await this.#alone(async () => {
      const { [provider]: removed, ...rest } = await this.#read();
      if (removed === undefined) return;
      if (Object.keys(rest).length === 0) await rm(this.#file, { force: true });
      else await this.#write(rest);
    });
  }

  /** Changes of the file one after the other: each reads what the one before wrote. */
  #alone(change: () => Promise<void>): Promise<void> {
    const changed = this.#changes.then(change);
    this.#changes = changed.catch(() => undefined);
    return changed;
  }

  async #find(
    provider: LanguageProvider,
  ): Promise<{ key: string; where: "memory" | "environment" | "file" } | null> {
    const given = this.#memory.get(provider);
    if (given) return { key: given, where: "memory" };
    for (const name of KEY_VARIABLES[provider] ?? []) {
      const key = this.#env[name]?.trim();
      if (key) return { key, where: "environment" };
    }
    const key = (await this.#read())[provider]?.trim();
    return key ? { key, where: "file" } : null;
  }

  async #read(): Promise<KeyFile> {
    let text: string;
    try {
      const { mode } = await stat(this.#file);
      if (process.platform !== "win32" && (mode & 0o077) !== 0)
        throw new AppError("unauthorized", `Others can read the keys in ${this.#file}.`, {
          hint: `Run “chmod 600 ${this.#file}”; think of new keys if others have access to this machine.`,
        });
      text = await readFile(this.#file, "utf8");
    } catch (error) {
      if ((error as { code?: unknown }).code === "ENOENT") return {};
      if (error instanceof AppError) throw error;
      throw new AppError("storage_unavailable", `The keys in ${this.#file} can't be read.`, {
        hint: "Check the file's owner and permissions.",
        cause: error,
      });
    }
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch {
      // What it holds is not shown: it may be a key.
    }
    const parsed = fileSchema.safeParse(body);
    if (parsed.success) return parsed.data;
    throw new AppError("corrupt_data", `The file of keys ${this.#file} is not as it should be.`, {
      hint: `It is a JSON object of keys by provider: {"openai": "…"}. Providers: ${Object.keys(KEY_VARIABLES).join(", ")}.`,
    });
  }

  /** Whole or not at all, and never readable to others, not even for a moment. */
  async #write(keys: KeyFile): Promise<void> {
    const temporary = `${this.#file}.${randomUUID()}`;
    try {
      await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 });
      await writeFile(temporary, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600, flag: "wx" });
      await rename(temporary, this.#file);
    } catch (error) {
      await rm(temporary, { force: true });
      throw new AppError("storage_unavailable", `The key can't be saved in ${this.#file}.`, {
        hint: "Check the folder's permissions, or set the key in the environment.",
        cause: error,
      });
    }
  }
}

/** A provider's settings with the address that the environment names, where its owner set none. */
export function withEnvironmentAddress(
  settings: ProviderSettings,
  env: Environment = process.env,
): ProviderSettings {
  const variable = ADDRESS_VARIABLES[settings.provider];
  const value = variable ? env[variable]?.trim() : undefined;
  if (!value || settings.baseUrl !== undefined) return settings;
  return {
    ...settings,
    baseUrl: settings.provider === "ollama" ? ollamaAddress(value) : value,
  };
}

/** `OLLAMA_HOST` is what the server binds to: "0.0.0.0", "host", ":11434", "host:port" or an address. */
export function ollamaAddress(value: string): string {
  const withScheme = /^https?:\/\//i.test(value)
    ? value
    : `http://${value.replace(/^:/, "127.0.0.1:")}`;
  if (!URL.canParse(withScheme)) return withScheme;
  const url = new URL(withScheme);
  // "Any address" is where a server listens, not where it is reached.
  if (url.hostname === "0.0.0.0" || url.hostname === "[::]") url.hostname = "127.0.0.1";
  const named = /^https?:\/\/(?:\[[^\]]*\]|[^:/]*):\d+/i.test(withScheme);
  if (!named && url.protocol === "http:") url.port = "11434";
  return url.href.replace(/\/$/, "");
}
