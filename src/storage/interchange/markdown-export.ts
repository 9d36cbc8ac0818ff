/**
 * Memories as Markdown for people: one file per calendar month (UTC), cut into parts of bounded
 * size, and an index. Texts stand in full in fenced blocks, so nothing in them is taken for markup.
 * File names are made of the month alone, never of titles.
 */

import { META } from "../../model/memory.ts";
import type { PortableMemory } from "./portable-memory.ts";

const MAX_PART_BYTES = 1024 * 1024;

/** One line of plain text with Markdown's characters escaped. */
function inline(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ")
    .trim()
    .replace(/[\\`*_{}[\]<>()#+!|~&]/g, "\\$&");
}

function short(text: string, length: number): string {
  const chars = [...text];
  return chars.length > length ? `${chars.slice(0, length - 1).join("")}…` : text;
}

/** A fenced block whose fence is longer than any run of backticks inside. */
function fenced(text: string): string {
  const longest = Math.max(2, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}text\n${text}${text.endsWith("\n") ? "" : "\n"}${fence}`;
}

function minute(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

const KEEP_WORDS = {
  exact: "kept exactly",
  summary: "kept as a summary",
  gist: "kept as the gist of its episode",
};

function section(memory: PortableMemory): string {
  const { metadata } = memory;
  const heading = metadata[META.title] || metadata[META.speaker] || metadata[META.source];
  const title = inline(short(heading ?? memory.summary, 120)) || "Untitled";
  const facts: [string, string][] = [
    ["Id", `\`${memory.id.replaceAll(/[`\s]/g, "")}\``],
    ...Object.entries(metadata).map(([key, value]): [string, string] => [
      inline(key),
      inline(value),
    ]),
    ["Kept", `${KEEP_WORDS[memory.keep]}, ${memory.storedBytes} of ${memory.originalBytes} bytes`],
  ];
  if (memory.entities.length > 0)
    facts.push([
      "Entities",
      memory.entities.map((entity) => `${inline(entity.text)} (${entity.type})`).join(", "),
    ]);
  const parts = [
    `## ${title} — ${minute(memory.timestamp)}`,
    facts.map(([name, value]) => `- **${name}:** ${value}`).join("\n"),
  ];
  if (memory.content === null)
    parts.push("Summary (the exact text has faded):", fenced(memory.summary));
  else {
    if (memory.summary && memory.summary !== memory.content)
      parts.push("Summary:", fenced(memory.summary));
    parts.push("Text:", fenced(memory.content));
  }
  return `${parts.join("\n\n")}\n\n`;
}

interface Month {
  key: string;
  parts: number;
  memories: number;
}

interface Part {
  month: Month;
  number: number;
  sections: string[];
  size: number;
  first: number;
  last: number;
}

const pathOf = ({ key }: Month, part: number) =>
  part === 1 ? `${key}.md` : `${key}-part-${part}.md`;

/** The calendar month, "2024-05"; other years have six digits, those before year 0 a "bc-" in front. */
function monthOf(ms: number): string {
  const month = new Date(ms).toISOString().split("-").slice(0, -1).join("-");
  return month.replace(/^\+/, "").replace(/^-/, "bc-");
}

function finishPart(part: Part): { path: string; bytes: Uint8Array } {
  const frontMatter = [
    "---",
    `title: ${JSON.stringify(`Memories of ${part.month.key}${part.number > 1 ? `, part ${part.number}` : ""}`)}`,
    `memories: ${part.sections.length}`,
    `from: ${new Date(part.first).toISOString()}`,
    `to: ${new Date(part.last).toISOString()}`,
    "---",
  ].join("\n");
  const text = `${frontMatter}\n\n${part.sections.join("")}`;
  return { path: pathOf(part.month, part.number), bytes: new TextEncoder().encode(text) };
}

/** "2024-05.md", "2024-05-part-2.md", … and "index.md" at the end. Lone surrogates become U+FFFD. */
export async function* exportMarkdown(
  memories: AsyncIterable<readonly PortableMemory[]>,
): AsyncGenerator<{ path: string; bytes: Uint8Array }> {
  const months = new Map<string, Month>();
  let part: Part | null = null;
  for await (const batch of memories)
    for (const memory of batch) {
      const key = monthOf(memory.timestamp);
      if (part && (part.month.key !== key || part.size >= MAX_PART_BYTES)) {
        yield finishPart(part);
        part = null;
      }
      if (!part) {
        const month: Month = months.get(key) ?? { key, parts: 0, memories: 0 };
        months.set(key, month);
        const { timestamp } = memory;
        part = {
          month,
          number: ++month.parts,
          sections: [],
          size: 0,
          first: timestamp,
          last: timestamp,
        };
      }
      const text = section(memory);
      part.sections.push(text);
      part.size += text.length;
      part.month.memories++;
      part.first = Math.min(part.first, memory.timestamp);
      part.last = Math.max(part.last, memory.timestamp);
    }
  if (part) yield finishPart(part);
  yield { path: "index.md", bytes: new TextEncoder().encode(indexOf([...months.values()])) };
}

function indexOf(months: readonly Month[]): string {
  const total = months.reduce((sum, month) => sum + month.memories, 0);
  const sorted = [...months].sort((a, b) => (a.key < b.key ? -1 : 1));
  const lines = sorted.map((month) => {
    const links = Array.from({ length: month.parts }, (_, index) => {
      const path = pathOf(month, index + 1);
      return `[${path}](${path})`;
    });
    return `- ${links.join(", ")}: ${month.memories}`;
  });
  return `---\ntitle: "Memories"\nmemories: ${total}\n---\n\n${total === 0 ? "There are no memories.\n" : `${lines.join("\n")}\n`}`;
}
