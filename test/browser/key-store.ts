/** API keys in a real browser: in memory, or encrypted under a key that nobody can read. */

import { BrowserKeyStore } from "../../src/platform/browser/key-store.ts";
import { createReport, type Report } from "./report.ts";

const DATABASE = "test-keys";
const SECRET = "sk-test-1234567890abcdef";

export async function runKeyStoreCases(): Promise<Report> {
  const { report, check, equal, holds } = createReport();

  await check("keeps a key in memory only, as long as nobody asks for more", async () => {
    const keys = new BrowserKeyStore(DATABASE);
    equal([await keys.get("openai"), await keys.where("openai")], [null, "none"]);
    await keys.set("openai", SECRET);
    equal([await keys.get("openai"), await keys.where("openai")], [SECRET, "memory"]);
    const later = new BrowserKeyStore(DATABASE);
    equal([await later.get("openai"), await later.where("openai")], [null, "none"]);
  });

  await check("gives a saved key back after a restart, to its own provider alone", async () => {
    await new BrowserKeyStore(DATABASE).set("claude", SECRET, { save: true });
    const later = new BrowserKeyStore(DATABASE);
    equal([await later.get("claude"), await later.where("claude")], [SECRET, "saved"]);
    equal(await later.get("gemini"), null);
  });

  await check("stores it encrypted, under a key that can't be taken out", async () => {
    const stored = await readAll();
    holds(stored.values.length > 0, "something is stored");
    const secret = stored.values[0] as { encrypted: ArrayBuffer };
    const bytes = new TextDecoder("latin1").decode(secret.encrypted);
    holds(!bytes.includes(SECRET.slice(0, 8)), "the key is not readable");
    equal(stored.wrapping.extractable, false);
    let exported = true;
    await crypto.subtle.exportKey("raw", stored.wrapping).catch(() => (exported = false));
    equal(exported, false);
  });

  await check("doesn't take one provider's secret for another's", async () => {
    const { values } = await readAll();
    await write("gemini", values[0]);
    equal(await new BrowserKeyStore(DATABASE).get("gemini"), null);
  });

  await check("forgets a saved key when it is removed or replaced by one in memory", async () => {
    const keys = new BrowserKeyStore(DATABASE);
    await keys.set("claude", "other");
    equal([await keys.where("claude"), await keys.get("claude")], ["memory", "other"]);
    equal(await new BrowserKeyStore(DATABASE).get("claude"), null);
    await keys.set("claude", SECRET, { save: true });
    await keys.remove("claude");
    equal([await keys.where("claude"), await keys.get("claude")], ["none", null]);
    equal(await new BrowserKeyStore(DATABASE).get("claude"), null);
  });
  return report;
}

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

async function readAll(): Promise<{ values: unknown[]; wrapping: CryptoKey }> {
  const database = await open();
  const all = (store: string) =>
    new Promise<unknown[]>((resolve, reject) => {
      const request = database.transaction(store).objectStore(store).getAll();
      request.onsuccess = () => resolve(request.result as unknown[]);
      request.onerror = () => reject(request.error);
    });
  const result = { values: await all("secrets"), wrapping: (await all("keys"))[0] as CryptoKey };
  database.close();
  return result;
}

async function write(provider: string, value: unknown): Promise<void> {
  const database = await open();
  await new Promise<void>((resolve, reject) => {
    const transaction = database.transaction("secrets", "readwrite");
    transaction.objectStore("secrets").put(value, provider);
    transaction.oncomplete = () => resolve();
    transaction.onerror = () => reject(transaction.error);
  });
  database.close();
}
