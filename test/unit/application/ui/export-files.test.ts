import { describe, expect, it } from "vitest";
import { unzipSync } from "fflate";
import { packFiles, safeFileName } from "../../../../src/application/ui/lib/export-files.ts";

async function* files(...entries: [path: string, text: string][]) {
  for (const [path, text] of entries) yield { path, bytes: new TextEncoder().encode(text) };
}
const options = () => ({ onProgress: () => undefined, signal: new AbortController().signal });

describe("packing an export", () => {
  it("hands over the only file as it is", async () => {
    const { blob, name } = await packFiles(files(["out/memories.jsonl", "{}\n"]), options());
    expect(name).toBe("memories.jsonl");
    expect(await blob.text()).toBe("{}\n");
  });

  it("packs several into one ZIP with their paths and bytes", async () => {
    const { blob, name, progress } = await packFiles(
      files(["a.md", "Ada"], ["2024/b.md", "Grace – naïve"]),
      options(),
    );
    const unzipped = unzipSync(new Uint8Array(await blob.arrayBuffer()));
    expect(name).toBeNull();
    expect(progress.files).toBe(2);
    expect(new TextDecoder().decode(unzipped["2024/b.md"])).toBe("Grace – naïve");
    expect(Object.keys(unzipped)).toEqual(["a.md", "2024/b.md"]);
  });

  it("gives an empty archive for an empty store", async () => {
    const { blob, progress } = await packFiles(files(), options());
    expect(progress).toEqual({ files: 0, bytes: 0 });
    expect(unzipSync(new Uint8Array(await blob.arrayBuffer()))).toEqual({});
  });

  it("stops when cancelled", async () => {
    const abort = new AbortController();
    abort.abort();
    await expect(
      packFiles(files(["a", "1"]), { onProgress: () => undefined, signal: abort.signal }),
    ).rejects.toThrow();
  });
});

describe("file names", () => {
  it("keeps what every system takes", () => {
    expect(safeFileName('Re: "plans" / budget?', "eml")).toBe("Re plans budget.eml");
    expect(safeFileName("...", "txt")).toBe("memory.txt");
    expect(safeFileName("x".repeat(300), "txt")).toHaveLength(84);
  });
});
