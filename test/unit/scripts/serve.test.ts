import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parsePort } from "../../../scripts/start.mjs";
import { startServer } from "../../../scripts/serve.mjs";

let folder: string;
let server: Awaited<ReturnType<typeof startServer>>;
const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(new URL(path, server.url), { headers });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "serve-"));
  const directory = join(folder, "app");
  const models = join(folder, "models");
  mkdirSync(join(directory, "assets"), { recursive: true });
  mkdirSync(join(models, "all-MiniLM-L6-v2-int8"), { recursive: true });
  const files = {
    "index.html": "<p>page",
    "sw.js": "self",
    "manifest.webmanifest": "{}",
    "assets/engine-Ab3_d-9Z.js": "export {}",
    "assets/ort-Ab3_d-9Z.wasm": "\0asm",
    "assets/ort-Ab3_d-9Z.mjs": "export {}",
  };
  for (const [path, text] of Object.entries(files)) writeFileSync(join(directory, path), text);
  writeFileSync(join(models, "all-MiniLM-L6-v2-int8", "model.onnx"), "0123456789");
  writeFileSync(join(models, "calibration.json"), "{}");
  writeFileSync(join(folder, "secret.txt"), "secret");
  server = await startServer({ port: 0, directory, models });
});

afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

describe("the server", () => {
  it("isolates every answer and allows only the application's own code", async () => {
    for (const path of ["/", "/assets/engine-Ab3_d-9Z.js", "/nothing"]) {
      const { headers } = await get(path);
      expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
      expect(headers.get("cross-origin-embedder-policy")).toBe("require-corp");
      expect(headers.get("content-security-policy")).toContain(
        "script-src 'self' 'wasm-unsafe-eval'",
      );
    }
  });

  it("gives the types that browsers insist on", async () => {
    const typeOf = async (path: string) => (await get(path)).headers.get("content-type");
    expect(await typeOf("/")).toMatch(/^text\/html/);
    expect(await typeOf("/assets/ort-Ab3_d-9Z.wasm")).toBe("application/wasm");
    expect(await typeOf("/assets/ort-Ab3_d-9Z.mjs")).toBe("text/javascript");
    expect(await typeOf("/manifest.webmanifest")).toBe("application/manifest+json");
    expect(await typeOf("/models/all-MiniLM-L6-v2-int8/model.onnx")).toBe(
      "application/octet-stream",
    );
  });

  it("lets hashed files be kept for good and asks again for pages and the service worker", async () => {
    const cacheOf = async (path: string) => (await get(path)).headers.get("cache-control");
    expect(await cacheOf("/assets/engine-Ab3_d-9Z.js")).toContain("immutable");
    for (const path of ["/", "/index.html", "/sw.js", "/manifest.webmanifest"])
      expect(await cacheOf(path)).toBe("no-cache");
  });

  it("answers an unchanged page with 304", async () => {
    const etag = (await get("/")).headers.get("etag")!;
    expect((await get("/", { "if-none-match": etag })).status).toBe(304);
  });

  it("serves a part of a weights file, so that a download can go on", async () => {
    const path = "/models/all-MiniLM-L6-v2-int8/model.onnx";
    const part = await get(path, { range: "bytes=7-" });
    expect(part.status).toBe(206);
    expect(part.headers.get("content-range")).toBe("bytes 7-9/10");
    expect(await part.text()).toBe("789");
    expect((await get(path, { range: "bytes=10-" })).status).toBe(416);
  });

  it("serves nothing beside the application and the weights in the table", async () => {
    for (const path of [
      "/models/calibration.json",
      "/models/all-MiniLM-L6-v2-int8/../calibration.json",
      "/models/%2e%2e/secret.txt",
      "/..%2fsecret.txt",
      "/%2e%2e%2fsecret.txt",
      "/nothing.js",
    ])
      expect((await get(path)).status, path).toBe(404);
    expect((await fetch(server.url, { method: "POST" })).status).toBe(405);
  });

  it("names the way out when its port is taken", async () => {
    await expect(startServer({ port: server.port })).rejects.toThrow(
      `Port ${server.port} is in use by another program. Choose another one: PORT=`,
    );
  });
});

describe("PORT", () => {
  it("takes a number and refuses the rest", () => {
    expect(parsePort(undefined)).toBe(4173);
    expect(parsePort("8080")).toBe(8080);
    for (const wrong of ["http", "-1", "70000", "80.5"])
      expect(() => parsePort(wrong)).toThrow(/PORT is/);
  });
});
