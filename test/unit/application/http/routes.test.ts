import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Hono } from "hono";
import { loopbackGuard } from "../../../../src/application/http/loopback-guard.ts";
import { createRoutes } from "../../../../src/application/http/routes.ts";
import type { Engine } from "../../../../src/engine.ts";
import { openEngine } from "../../../../src/platform/node/compose.ts";

let engine: Engine;
let app: Hono;

beforeEach(async () => {
  engine = await openEngine({ embed: false });
  app = createRoutes(engine);
});
afterEach(() => engine.close());

function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  return app.request(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

async function rememberOne(text: string): Promise<string> {
  const response = await post("/v1/memories", { items: [{ text }] });
  const { receipts } = (await response.json()) as { receipts: { id: string }[] };
  return receipts[0]!.id;
}

describe("memories", () => {
  it("are stored with one receipt per item, failed ones beside the others", async () => {
    const response = await post("/v1/memories", {
      items: [{ text: "First." }, { text: "  " }, { text: "Third.", metadata: { speaker: "Ada" } }],
    });
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({
      receipts: [
        { index: 0, status: "stored" },
        { index: 1, status: "failed", id: null, error: { code: "invalid_input" } },
        { index: 2, status: "stored" },
      ],
    });
  });

  it("give their exact source bytes back", async () => {
    const bytes = Buffer.from("Grüße aus Köln", "latin1");
    const response = await post("/v1/memories", {
      items: [{ text: "Grüße aus Köln", originalBase64: bytes.toString("base64") }],
    });
    const { receipts } = (await response.json()) as { receipts: { id: string }[] };
    const read = await app.request(`/v1/memories/${receipts[0]!.id}`);
    expect(await read.json()).toMatchObject({
      text: "Grüße aus Köln",
      originalBase64: bytes.toString("base64"),
      reconstructed: false,
    });
  });

  it("give their vectors in one buffer; none where no model is installed", async () => {
    const id = await rememberOne("The tide turns at noon.");
    const response = await post("/v1/memories/embeddings", { ids: [id], format: "int8" });
    expect(await response.json()).toEqual({
      ids: [],
      model: null,
      dimensions: 384,
      format: "int8",
      codesBase64: "",
      scalesBase64: "",
    });
    expect((await post("/v1/memories/embeddings", { format: "float16" })).status).toBe(400);
  });

  it("change their fields with PATCH, and refuse what is no field", async () => {
    const id = await rememberOne("The tide turns at noon.");
    const patch = (body: unknown, target = id) =>
      app.request(`/v1/memories/${target}`, {
        method: "PATCH",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    expect((await patch({ metadata: { title: "Tide", draft: "yes" } })).status).toBe(200);
    expect(await (await patch({ metadata: { draft: null } })).json()).toMatchObject({ id });
    const read = (await (await app.request(`/v1/memories/${id}`)).json()) as {
      text: string;
      memory: { metadata: Record<string, string> };
    };
    expect(read.text).toBe("The tide turns at noon.");
    expect(read.memory.metadata).toMatchObject({ title: "Tide" });
    expect(read.memory.metadata).not.toHaveProperty("draft");
    expect((await patch({ text: "Another text." })).status).toBe(400);
    expect((await patch({ timestamp: 1 }, "nobody")).status).toBe(404);
  });

  it("are gone after DELETE", async () => {
    const id = await rememberOne("For a short time only.");
    const response = await app.request(`/v1/memories/${id}?erase=true`, { method: "DELETE" });
    expect(await response.json()).toEqual({ ids: [id], erased: true });
    const gone = await app.request(`/v1/memories/${id}`);
    expect(gone.status).toBe(404);
    expect(await gone.json()).toMatchObject({ error: { code: "not_found", retryable: false } });
  });
});

describe("recall, compress, status", () => {
  it("recalls with filters", async () => {
    await rememberOne("The lease ends in May.");
    const found = await post("/v1/recall", { query: "lease", topK: 3, filter: { after: 0 } });
    expect(found.status).toBe(200);
    const { hits } = (await found.json()) as { hits: unknown[] };
    expect(hits).toHaveLength(1);
    const none = await post("/v1/recall", { query: "lease", filter: { before: 0 } });
    expect(await none.json()).toMatchObject({ hits: [] });
  });

  it("decompresses what it compressed", async () => {
    const text = "Ada met Grace in London on 3 May 2024. 👍\u0000\n";
    const compressed = await post("/v1/compress", { text, mode: "balanced" });
    const body: unknown = await compressed.json();
    expect(body).toMatchObject({ keep: "exact", mode: "balanced" });
    const restored = await post("/v1/decompress", body);
    expect(await restored.json()).toMatchObject({ text, reconstructed: false });
  });

  it("refuses a compressed text that was changed", async () => {
    const compressed = await post("/v1/compress", { text: "Ada met Grace." });
    const body = (await compressed.json()) as Record<string, unknown>;
    const response = await post("/v1/decompress", { ...body, contentSha256: "0".repeat(64) });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ error: { code: "corrupt_data" } });
  });

  it("tells the state of the store", async () => {
    await rememberOne("One.");
    const response = await app.request("/v1/status");
    expect(await response.json()).toMatchObject({
      store: { memoryCount: 1, kind: "memory" },
      vectors: {
        count: 0,
        loaded: true,
        workers: 0,
        workersReason: expect.stringMatching(/./),
        gpu: null,
      },
    });
  });
});

describe("bad requests", () => {
  it.each<[string, () => Response | Promise<Response>, number, string]>([
    ["no JSON", () => post("/v1/recall", "{"), 400, "invalid_input"],
    ["a missing field", () => post("/v1/recall", {}), 400, "invalid_input"],
    ["an unknown field", () => post("/v1/recall", { query: "x", top: 3 }), 400, "invalid_input"],
    ["a wrong number", () => post("/v1/recall", { query: "x", topK: 0 }), 400, "invalid_input"],
    ["no item", () => post("/v1/memories", { items: [] }), 400, "invalid_input"],
    [
      "broken base64",
      () => post("/v1/memories", { items: [{ text: "x", originalBase64: "?" }] }),
      400,
      "invalid_input",
    ],
    [
      "a form",
      () => post("/v1/recall", "query=x", { "content-type": "application/x-www-form-urlencoded" }),
      415,
      "unsupported_input",
    ],
    ["an unknown path", () => app.request("/v2/x"), 404, "not_found"],
    ["an unknown id", () => app.request("/v1/memories/none"), 404, "not_found"],
    [
      "a wrong flag",
      () => app.request("/v1/memories/none?erase=maybe", { method: "DELETE" }),
      400,
      "invalid_input",
    ],
  ])("%s is answered with its status and code", async (_name, send, status, code) => {
    const response = await send();
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({
      error: { code, message: expect.any(String), retryable: expect.any(Boolean) },
    });
  });

  it("a body over the limit is refused before it is read", async () => {
    app = createRoutes(engine, { maxBodyBytes: 1000 });
    const response = await post("/v1/compress", { text: "x".repeat(2000) });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error: { code: "too_large" } });
  });

  it("after close every answer is 503", async () => {
    await engine.close();
    const response = await post("/v1/recall", { query: "x" });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: "closed" } });
  });
});

describe("the loopback guard", () => {
  beforeEach(() => {
    app = createRoutes(engine, { middleware: [loopbackGuard()] });
  });

  it.each<[string, Record<string, string>, number]>([
    ["its own name", { host: "127.0.0.1:7411" }, 200],
    ["localhost", { host: "localhost:7411" }, 200],
    ["IPv6", { host: "[::1]:7411" }, 200],
    ["its own origin", { host: "localhost:7411", origin: "http://localhost:7411" }, 200],
    ["a name that resolves to it", { host: "rebound.example:7411" }, 403],
    ["a name that begins like it", { host: "localhost.example" }, 403],
    ["another origin", { host: "localhost:7411", origin: "https://example.org" }, 403],
    ["another port's origin", { host: "localhost:7411", origin: "http://localhost:5173" }, 403],
    ["a sandboxed page", { host: "localhost:7411", origin: "null" }, 403],
    [
      "a cross-site request without origin",
      { host: "localhost", "sec-fetch-site": "cross-site" },
      403,
    ],
  ])("%s", async (_name, headers, status) => {
    const response = await app.request("/v1/status", { headers });
    expect(response.status).toBe(status);
  });

  it("refuses a request without a host", async () => {
    expect((await app.request("/v1/status")).status).toBe(403);
  });
});
