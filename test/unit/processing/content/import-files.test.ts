import { gzipSync, strToU8, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { blobBytes, bytesOf, file, fixture, parse } from "./support.ts";

const fixtureBytes = async (name: string): Promise<Uint8Array> => blobBytes(fixture(name));

describe("parseFiles", () => {
  it("goes on after empty, binary and unreadable files", async () => {
    const gone = {
      path: "gone.txt",
      blob: Object.assign(new Blob(["x"]), {
        arrayBuffer: () => Promise.reject(new DOMException("it moved", "NotReadableError")),
      }),
    };
    const { events, items, errors } = await parse([
      file("empty.txt", ""),
      file("blank.txt", " \n\n "),
      file("a.png", new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10])),
      file("a.exe", new Uint8Array([0x4d, 0x5a, 0x90, 0, 3, 0, 0, 0])),
      gone,
      file("good.txt", "Good text."),
    ]);
    expect(errors.map(({ locator, code }) => [locator, code])).toEqual([
      ["empty.txt", "invalid_input"],
      ["blank.txt", "invalid_input"],
      ["a.png", "unsupported_input"],
      ["a.exe", "unsupported_input"],
      ["gone.txt", "not_found"],
    ]);
    expect(errors.every((error) => error.hint)).toBe(true);
    expect(items.map((item) => item.text)).toEqual(["Good text."]);
    expect(events.filter((event) => event.type === "file")).toHaveLength(6);
    expect(events.filter((event) => event.type === "file-end")).toHaveLength(6);
  });

  it("refuses files above the limit and stops when cancelled", async () => {
    const { errors } = await parse(file("big.txt", "x".repeat(100)), { maxFileBytes: 50 });
    expect(errors[0]).toMatchObject({ code: "too_large" });
    const abort = new AbortController();
    abort.abort();
    await expect(parse(file("a.txt", "x"), { signal: abort.signal })).rejects.toThrow(/cancelled/);
  });

  it("reads lazily: nothing of a file before it is asked for", async () => {
    let pulled = 0;
    const { parseFiles } = await import("../../../../src/processing/content/import-files.ts");
    function* files() {
      for (const name of ["a.txt", "b.txt", "c.txt"]) {
        pulled++;
        yield file(name, "Some text.");
      }
    }
    for await (const event of parseFiles(files())) if (event.type === "item") break;
    expect(pulled).toBe(1);
  });

  it("takes a file of several slices in bounded time and memory", async () => {
    const { parseFiles } = await import("../../../../src/processing/content/import-files.ts");
    const block =
      `${"The sea was calm, and nobody on board said a word about it. ".repeat(17)}\n`.repeat(1000);
    const blob = new Blob(Array.from({ length: Math.ceil(2e7 / block.length) }, () => block));
    let bytes = 0;
    for await (const event of parseFiles([{ path: "huge.txt", blob }]))
      if (event.type === "item") bytes += event.item.text.length;
    expect(bytes).toBe(blob.size);
  }, 120_000);
});

describe("archives", () => {
  it("are opened and their files recognised", async () => {
    const zip = zipSync({
      "mail/1.eml": await fixtureBytes("newsletter.eml"),
      "notes.md": await fixtureBytes("notes.md"),
      "inner.zip": zipSync({ "deep.txt": strToU8("Deep text.") }),
      "pic.png": new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]),
      "../../evil.txt": strToU8("Stays inside."),
      "__MACOSX/._x": strToU8("junk"),
      "dir/": new Uint8Array(),
    });
    const { items, errors, events } = await parse(file("all.zip", zip));
    expect(items.map((item) => item.metadata.source)).toEqual([
      "all.zip/mail/1.eml",
      ...Array.from({ length: 4 }, () => "all.zip/notes.md"),
      "all.zip/inner.zip/deep.txt",
      "all.zip/evil.txt",
    ]);
    expect(errors.map(({ locator, code }) => [locator, code])).toEqual([
      ["all.zip/pic.png", "unsupported_input"],
    ]);
    expect(events.at(-1)).toEqual({ type: "file-end", path: "all.zip", items: 7 });
  });

  it("of chat exports give the conversations without their companions", async () => {
    const zip = zipSync({
      "conversations.json": await fixtureBytes("claude-conversations.json"),
      "users.json": strToU8('[{"uuid":"1","full_name":"Ann"}]'),
      "chat.html": strToU8("<html><body>again</body></html>"),
    });
    const { items, errors } = await parse(file("export.zip", zip));
    expect(items).toHaveLength(3);
    expect(errors).toEqual([]);
  });

  it("give all that lies beside a chat export, and leave out only what belongs to it", async () => {
    const picture = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
    const zip = zipSync({
      "notes/boiler.md": strToU8("# Boiler\n\nThe code is 4711.\n"),
      "notes/user.json": strToU8('{"text":"A note about the user."}'),
      "mail/1.eml": await fixtureBytes("newsletter.eml"),
      "chatgpt/conversations.json": await fixtureBytes("claude-conversations.json"),
      "chatgpt/user.json": strToU8('{"text":"account"}'),
      "chatgpt/chat.html": strToU8("<html><body>again</body></html>"),
      "chatgpt/file-1.png": picture,
      "chatgpt/dalle-generations/a.webp": picture,
      "chatgpt/my-notes.txt": strToU8("Uploaded notes."),
    });
    const { items, errors } = await parse(file("backup.zip", zip));
    expect(errors).toEqual([]);
    expect([...new Set(items.map((item) => item.metadata.source))]).toEqual([
      "backup.zip/notes/boiler.md",
      "backup.zip/notes/user.json",
      "backup.zip/mail/1.eml",
      "backup.zip/chatgpt/conversations.json",
      "backup.zip/chatgpt/my-notes.txt",
    ]);
  });

  it("that are cut off give what is whole, then say so", async () => {
    const noise = Array.from({ length: 4000 }, (_, i) => ((i * 2654435761) >>> 7) % 9973).join(" ");
    const zip = zipSync({
      "a.txt": strToU8("First file, whole."),
      "b.txt": strToU8(noise),
      "c.txt": strToU8("Lost."),
    });
    const { items, errors } = await parse(file("cut.zip", zip.subarray(0, 4000)));
    expect(items.map((item) => item.text)).toEqual(["First file, whole."]);
    expect(errors).toMatchObject([{ code: "corrupt_data" }]);
    expect(errors[0]?.message).toMatch(/cut off/);
  });

  it("with a changed byte are noticed", async () => {
    const zip = zipSync({ "a.txt": strToU8("plain and stored text") }, { level: 0 });
    zip[40] = zip[40]! ^ 1;
    const { errors } = await parse(file("bad.zip", zip));
    expect(errors).toMatchObject([{ code: "corrupt_data" }]);
  });

  it("that unpack to far more than they are, are refused early", async () => {
    const bomb = zipSync(
      { "zeros.txt": new Uint8Array(12e6).fill(0x20), "ok.txt": strToU8("Fine.") },
      { level: 9 },
    );
    const { items, errors } = await parse(file("bomb.zip", bomb));
    expect(errors).toMatchObject([{ locator: "bomb.zip/zeros.txt", code: "too_large" }]);
    expect(items.map((item) => item.text)).toEqual(["Fine."]);
    const gzipped = await parse(file("bomb.gz", gzipSync(new Uint8Array(12e6))));
    expect(gzipped.errors).toMatchObject([{ code: "too_large" }]);
  });

  it("of Office kind and encrypted entries say what to do", async () => {
    const { errors } = await parse(
      file(
        "a.docx",
        zipSync({ "[Content_Types].xml": strToU8("<x/>"), "word/document.xml": strToU8("<w/>") }),
      ),
    );
    expect(errors[0]).toMatchObject({ code: "unsupported_input" });
    expect(errors[0]?.hint).toMatch(/Save it as text/);
  });

  it("by gzip hold one file", async () => {
    const inner = await fixtureBytes("whatsapp.txt");
    const { items, formats } = await parse(file("chat.txt.gz", gzipSync(inner)));
    expect(formats).toEqual(["gzip", "chat"]);
    expect(items[1]?.metadata.source).toBe("chat.txt");
    expect(bytesOf(items)).toEqual(inner);
    const cut = await parse(file("cut.gz", gzipSync(inner).subarray(0, 60)));
    expect(cut.errors).toMatchObject([{ code: "corrupt_data" }]);
  });
});
