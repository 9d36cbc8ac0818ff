/**
 * Other full-text engines, for comparison in the same run: no dependencies, installed into
 * `.cache/bench/peers/words` by `--install`; one that isn't there is left out with the reason.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { TextDocument } from "../../src/search/semantic-index.ts";
import type { WordQuery } from "./kinds.ts";

export interface Engine {
  name: string;
  buildMs: number;
  bytesPerMemory: number | null;
  search(query: WordQuery, limit: number): unknown;
}

const FOLDER = resolve(".cache", "bench", "peers", "words");
const PACKAGES = ["minisearch@7.2.0", "flexsearch@0.8.212", "@orama/orama@3.1.18"];

export function installPeers(): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, "package.json"), JSON.stringify({ private: true }));
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", FOLDER];
  const { status, stderr } = spawnSync("npm", [...args, ...PACKAGES], { encoding: "utf8" });
  if (status !== 0) console.error(`Peers could not be installed: ${stderr.split("\n")[0]}`);
}

async function load<T>(name: string): Promise<T> {
  if (!existsSync(join(FOLDER, "node_modules")))
    throw new Error(`not installed (--install installs it into ${FOLDER})`);
  const file = createRequire(join(FOLDER, "package.json")).resolve(name);
  const module = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as T & { default?: T };
  return module.default ?? module;
}

type Opener = (
  documents: readonly TextDocument[],
) => Promise<(query: WordQuery, limit: number) => unknown>;

const textOf = ({ text }: WordQuery): string => text.replaceAll('"', "");

const OPENERS: Record<string, Opener> = {
  async MiniSearch(documents) {
    const MiniSearch = await load<
      new (options: object) => {
        addAll(documents: readonly object[]): void;
        search(text: string, options: object): unknown[];
      }
    >("minisearch");
    const index = new MiniSearch({ idField: "ordinal", fields: ["topics", "content"] });
    index.addAll(documents);
    return (query, limit) => index.search(textOf(query), { prefix: query.prefix }).slice(0, limit);
  },
  async FlexSearch(documents) {
    const { Index } = await load<{
      Index: new (options: object) => {
        add(id: number, text: string): void;
        search(text: string, options: object): unknown;
      };
    }>("flexsearch");
    const index = new Index({ tokenize: "forward" });
    for (const { ordinal, topics, content } of documents)
      index.add(ordinal, `${topics}\n${content}`);
    return (query, limit) => index.search(textOf(query), { limit, suggest: true });
  },
  async Orama(documents) {
    const orama = await load<{
      create(options: object): object;
      insertMultiple(index: object, documents: readonly object[], batch: number): unknown;
      search(index: object, options: object): unknown;
    }>("@orama/orama");
    const index = orama.create({ schema: { topics: "string", content: "string" } });
    const rows = documents.map(({ topics, content }) => ({ topics, content }));
    await orama.insertMultiple(index, rows, 5000);
    return (query, limit) => orama.search(index, { term: textOf(query), limit });
  },
};

/** Those that run here, filled. */
export async function openPeers(documents: readonly TextDocument[]): Promise<Engine[]> {
  const engines: Engine[] = [];
  for (const [name, open] of Object.entries(OPENERS)) {
    const before = process.memoryUsage().heapUsed;
    const from = performance.now();
    try {
      const search = await open(documents);
      const buildMs = performance.now() - from;
      const bytes = (process.memoryUsage().heapUsed - before) / documents.length;
      const bytesPerMemory = bytes > 0 ? bytes : null;
      engines.push({ name, buildMs, bytesPerMemory, search });
      console.log(
        `${name}: built in ${buildMs.toFixed(0)} ms, about ${bytes.toFixed(0)} B of heap per memory`,
      );
    } catch (error) {
      console.log(`${name} is left out: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return engines;
}
