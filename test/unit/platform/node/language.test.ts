import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NodeHttpTransport } from "../../../../src/platform/node/http-transport.ts";
import { NodeKeyStore, ollamaAddress } from "../../../../src/platform/node/key-store.ts";
import { ask, drain, LETTER, openModel, PROTOCOLS } from "../../processing/language/servers.ts";

describe("keys in Node", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "keys-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("are all kept where several are saved at once", async () => {
    const file = join(folder, "keys.json");
    const keys = new NodeKeyStore({ env: {}, file });
    await Promise.all([
      keys.set("openai", "first-key", { save: true }),
      keys.set("claude", "second-key", { save: true }),
      keys.set("gemini", "third-key", { save: true }).then(() => keys.remove("gemini")),
    ]);
    const again = new NodeKeyStore({ env: {}, file });
    expect([
      await again.get("openai"),
      await again.get("claude"),
      await again.get("gemini"),
    ]).toEqual(["first-key", "second-key", null]);
  });

  it("are found in memory, then the environment, then the file", async () => {
    const file = join(folder, "deep", "keys.json");
    const keys = new NodeKeyStore({ env: { GOOGLE_API_KEY: "env-key" }, file });
    expect(await keys.where("openai")).toBe("none");
    await keys.set("openai", " file-key\n", { save: true });
    expect([await keys.get("openai"), await keys.where("openai")]).toEqual(["file-key", "file"]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect([await keys.get("gemini"), await keys.where("gemini")]).toEqual([
      "env-key",
      "environment",
    ]);
    await keys.set("gemini", "memory-key");
    expect([await keys.get("gemini"), await keys.where("gemini")]).toEqual([
      "memory-key",
      "memory",
    ]);
    expect(await readFile(file, "utf8")).not.toContain("memory-key");
    await keys.remove("openai");
    expect(await keys.get("openai")).toBe(null);
  });

  it("are refused from a file that others can read, or that is damaged, without showing it", async () => {
    const file = join(folder, "keys.json");
    const keys = new NodeKeyStore({ env: {}, file });
    await writeFile(file, '{"openai": "secret-key"}', { mode: 0o600 });
    await chmod(file, 0o644);
    await expect(keys.get("openai")).rejects.toMatchObject({ code: "unauthorized" });
    await chmod(file, 0o600);
    expect(await keys.get("openai")).toBe("secret-key");
    await writeFile(file, "secret-key");
    const error = await keys.get("openai").catch((cause: Error) => cause);
    expect(error).toMatchObject({ code: "corrupt_data" });
    expect(String(error)).not.toContain("secret-key");
  });

  it.each([
    ["0.0.0.0", "http://127.0.0.1:11434"],
    [":8080", "http://127.0.0.1:8080"],
    ["gpu-box", "http://gpu-box:11434"],
    ["http://gpu-box:80", "http://gpu-box"],
    ["https://ollama.example", "https://ollama.example"],
  ])("OLLAMA_HOST %s is the address %s", (value, address) => {
    expect(ollamaAddress(value)).toBe(address);
  });
});

describe("HTTP in Node", () => {
  it("sends streams at the same time over one connection where the server speaks HTTP/2", async () => {
    const protocol = PROTOCOLS[0]!;
    const server = await protocol.start({ http2: true });
    const transport = new NodeHttpTransport({ ca: server.certificate!, env: {} });
    const { model, close } = await openModel(protocol, server, { transport });
    const streams = async () =>
      Promise.all(
        Array.from({ length: 6 }, async () => {
          server.fault({ kind: "slow-stream", delayMs: 2 });
          return (await drain(model.stream({ messages: ask() }))).text;
        }),
      );
    // At once from the start, while nothing is known of the server, and later.
    expect(await streams()).toEqual(Array.from({ length: 6 }, () => LETTER));
    expect(await streams()).toEqual(Array.from({ length: 6 }, () => LETTER));
    expect(new Set(server.requests.map(({ httpVersion }) => httpVersion))).toEqual(
      new Set(["2.0"]),
    );
    expect(server.connections).toBe(1);
    expect(server.mostAtOnce).toBe(6);

    // Leaving one stream leaves the connection to the others.
    server.fault({ kind: "stall", after: 3 });
    const left = model.stream({ messages: ask() });
    await left.next();
    const beside = drain(model.stream({ messages: ask() }));
    await left.return({} as never);
    expect((await beside).text).toBe(LETTER);
    expect(server.connections).toBe(1);
    await close();
    await server.close();
  });

  it("takes a connection for each request over TLS without HTTP/2", async () => {
    const protocol = PROTOCOLS[0]!;
    const server = await protocol.start({ http2: true });
    const transport = new NodeHttpTransport({ ca: server.certificate!, env: {}, http2: false });
    const { model, close } = await openModel(protocol, server, { transport });
    const answers = await Promise.all(
      [1, 2, 3].map(async () => (await model.generate({ messages: ask() })).text),
    );
    expect(answers).toEqual([LETTER, LETTER, LETTER]);
    await close();
    expect(new Set(server.requests.map(({ httpVersion }) => httpVersion))).toEqual(
      new Set(["1.1"]),
    );
    expect(server.connections).toBe(3);
    await server.close();
  });

  it("says for each of several requests that a server can't be reached", async () => {
    const protocol = PROTOCOLS[0]!;
    const server = await protocol.start({ http2: true });
    const { model, close } = await openModel(protocol, server, {
      transport: new NodeHttpTransport({ ca: server.certificate!, env: {} }),
    });
    await server.close();
    const errors = await Promise.all(
      [1, 2, 3].map(async () =>
        model.generate({ messages: ask() }).catch((error: unknown) => error),
      ),
    );
    for (const error of errors)
      expect(error).toMatchObject({
        code: "network",
        message: expect.stringContaining("ECONNREFUSED") as string,
      });
    await close();
  });

  it("keeps connections of HTTP/1.1, and is usable after a cancelled call", async () => {
    const protocol = PROTOCOLS[2]!;
    const server = await protocol.start();
    const { model, close } = await openModel(protocol, server, {
      transport: new NodeHttpTransport({ env: {} }),
    });
    for (let i = 0; i < 10; i++) await model.generate({ messages: ask() });
    expect(server.connections).toBeLessThan(4);
    const controller = new AbortController();
    server.fault({ kind: "stall", after: 3 });
    const stream = model.stream({ messages: ask(), signal: controller.signal });
    await stream.next();
    controller.abort();
    expect((await drain(stream)).error).toMatchObject({ name: "AbortError" });
    expect((await model.generate({ messages: ask() })).text).toBe(LETTER);
    await close();
    await server.close();
  });
});
