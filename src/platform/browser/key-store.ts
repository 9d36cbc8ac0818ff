/**
 * Where API keys are in the browser. In memory by default: gone when the engine's worker ends. Saved
 * only on request, encrypted (AES-GCM) under a key that the browser keeps and never gives out, not
 * even to this page.
 *
 * What that protects from: someone who reads the profile's files or a backup of them without this
 * browser's own machinery sees no key. What it doesn't: code that runs on this origin (it can ask as
 * this code does), extensions that may read the page, someone who uses the unlocked browser, or a
 * thief of the whole profile who runs a browser on it.
 */

import { AppError } from "../../errors.ts";
import type { LanguageProvider } from "../../model/language-model.ts";
import type { KeyStore } from "../../ports/language-model.ts";

const DATABASE = "llm-compression-keys";
const KEYS = "keys";
const SECRETS = "secrets";
const WRAPPING_KEY = "wrapping";

interface Secret {
  iv: Uint8Array<ArrayBuffer>;
  encrypted: ArrayBuffer;
}

export class BrowserKeyStore implements KeyStore {
  readonly #database: string;
  readonly #memory = new Map<LanguageProvider, string>();

  /** `database`: name of the IndexedDB database of saved keys. */
  constructor(database: string = DATABASE) {
    this.#database = database;
  }

  async get(provider: LanguageProvider): Promise<string | null> {
    return this.#memory.get(provider) ?? (await this.#readSaved(provider));
  }

  async where(provider: LanguageProvider): Promise<"none" | "memory" | "saved"> {
    if (await this.#isSaved(provider)) return "saved";
    return this.#memory.has(provider) ? "memory" : "none";
  }

  /** `unsupported_input` when it is to be saved and this browser can't keep a key that nobody can read. */
  async set(
    provider: LanguageProvider,
    key: string,
    options: { save?: boolean } = {},
  ): Promise<void> {
    // A key that was saved before must not come back after a restart.
    if (options.save) await this.#save(provider, key);
    else await this.#removeSaved(provider);
    this.#memory.set(provider, key);
  }

  async remove(provider: LanguageProvider): Promise<void> {
    this.#memory.delete(provider);
    await this.#removeSaved(provider);
  }

  async #save(provider: LanguageProvider, key: string): Promise<void> {
    try {
      const database = await openDatabase(this.#database);
      try {
        const wrapping = await wrappingKey(database);
        const iv = crypto.getRandomValues(new Uint8Array(12));
        const encrypted = await crypto.subtle.encrypt(
          algorithm(iv, provider),
          wrapping,
          new TextEncoder().encode(key),
        );
        await request(database, SECRETS, "readwrite", (store) =>
          store.put({ iv, encrypted } satisfies Secret, provider),
        );
      } finally {
        database.close();
      }
    } catch (error) {
      // The message of the cause could only be the browser's; the key is in none of them.
      throw new AppError("unsupported_input", "The key can't be saved in this browser.", {
        hint: "Use it without saving: it is then kept until the page is closed. (A private window and blocked site data are the usual reasons.)",
        cause: error,
      });
    }
  }

  /** Null for a provider without a saved key, and for one whose key can't be decrypted any more. */
  async #readSaved(provider: LanguageProvider): Promise<string | null> {
    const database = await openDatabase(this.#database).catch(() => null);
    if (!database) return null;
    try {
      const secret = await request<Secret | undefined>(database, SECRETS, "readonly", (store) =>
        store.get(provider),
      );
      const wrapping = await request<CryptoKey | undefined>(database, KEYS, "readonly", (store) =>
        store.get(WRAPPING_KEY),
      );
      if (!secret || !wrapping) return null;
      const bytes = await crypto.subtle.decrypt(
        algorithm(secret.iv, provider),
        wrapping,
        secret.encrypted,
      );
      return new TextDecoder().decode(bytes);
    } catch {
      return null;
    } finally {
      database.close();
    }
  }

  async #isSaved(provider: LanguageProvider): Promise<boolean> {
    return (await this.#readSaved(provider)) !== null;
  }

  async #removeSaved(provider: LanguageProvider): Promise<void> {
    // A browser that can't open the database never saved one.
    const database = await openDatabase(this.#database).catch(() => null);
    if (!database) return;
    try {
      await request(database, SECRETS, "readwrite", (store) => store.delete(provider));
    } finally {
      database.close();
    }
  }
}

/** The provider is part of what is authenticated: a secret can't be passed off as another's. */
function algorithm(iv: Uint8Array<ArrayBuffer>, provider: LanguageProvider): AesGcmParams {
  return { name: "AES-GCM", iv, additionalData: new TextEncoder().encode(provider) };
}

async function wrappingKey(database: IDBDatabase): Promise<CryptoKey> {
  const read = () =>
    request<CryptoKey | undefined>(database, KEYS, "readonly", (store) => store.get(WRAPPING_KEY));
  const known = await read();
  if (known) return known;
  const made = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, [
    "encrypt",
    "decrypt",
  ]);
  // Another worker may have been first: `add` keeps the one that is there.
  await request(database, KEYS, "readwrite", (store) => store.add(made, WRAPPING_KEY)).catch(
    () => undefined,
  );
  return (await read()) ?? made;
}

function openDatabase(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore(KEYS);
      opening.result.createObjectStore(SECRETS);
    };
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error ?? new Error("IndexedDB could not be opened"));
    opening.onblocked = () => reject(new Error("IndexedDB is blocked by another tab"));
  });
}

/** Resolves when the transaction is complete, not only the request: then it is durable. */
function request<T>(
  database: IDBDatabase,
  store: string,
  mode: IDBTransactionMode,
  work: (store: IDBObjectStore) => IDBRequest,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(store, mode, { durability: "strict" });
    const asked = work(transaction.objectStore(store));
    transaction.oncomplete = () => resolve(asked.result as T);
    transaction.onabort = () => reject(transaction.error ?? new Error("IndexedDB gave up"));
    transaction.onerror = () => reject(transaction.error ?? new Error("IndexedDB failed"));
  });
}
