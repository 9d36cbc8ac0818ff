import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finish, useCli, type CliProcess, type CliResult } from "./support/cli.ts";

const cli = useCli();
let server: CliProcess;
let ended: Promise<CliResult>;
let url = "";
let port = 0;

beforeAll(async () => {
  server = cli.start(["serve", "--port", "0", "--store", "served", "--json"]);
  ended = finish(server);
  const line = await new Promise<Buffer>((resolve, reject) => {
    server.stdout.once("data", resolve);
    void ended.then((result) => reject(new Error(result.stderr)));
  });
  ({ url, port } = JSON.parse(line.toString()) as { url: string; port: number });
});
afterAll(() => void server.kill("SIGKILL"));

function post(
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

/** A request whose Host header is chosen freely, which fetch forbids. */
function statusWithHost(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path: "/v1/status", headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
  });
}

describe("serve", () => {
  it("remembers, finds, reads and forgets over HTTP", async () => {
    const remembered = await post("/v1/memories", {
      items: [{ text: "The lease ends on 31 May 2025.", metadata: { title: "Lease" } }],
    });
    expect(remembered.status).toBe(201);
    const { receipts } = (await remembered.json()) as { receipts: { id: string }[] };
    const id = receipts[0]!.id;
    const recalled = await post("/v1/recall", { query: "lease", topK: 1 });
    expect(await recalled.json()).toMatchObject({ hits: [{ memory: { id } }] });
    const read = await fetch(`${url}/v1/memories/${id}`);
    expect(await read.json()).toMatchObject({ text: "The lease ends on 31 May 2025." });
    const forgotten = await fetch(`${url}/v1/memories/${id}?erase=true`, { method: "DELETE" });
    expect(await forgotten.json()).toEqual({ ids: [id], erased: true });
    expect((await fetch(`${url}/v1/memories/${id}`)).status).toBe(404);
  });

  it("answers the loopback only by its own names", async () => {
    expect(await statusWithHost(`localhost:${port}`)).toBe(200);
    expect(await statusWithHost(`127.0.0.1:${port}`)).toBe(200);
    expect(await statusWithHost("memory.example")).toBe(403);
    expect(await statusWithHost(`localhost.example:${port}`)).toBe(403);
  });

  it("refuses requests from pages of other origins", async () => {
    const foreign = await post("/v1/recall", { query: "x" }, { origin: "https://example.org" });
    expect(foreign.status).toBe(403);
    const own = await post("/v1/recall", { query: "x" }, { origin: url });
    expect(own.status).toBe(200);
  });

  it("says when its port is taken", async () => {
    const second = await cli.run(["serve", "--port", String(port), "--store", "other"]);
    expect(second.code).toBe(2);
    expect(second.stderr).toMatch(/--port: \d+ is taken/);
  });

  it("ends on SIGTERM with what it stored kept", async () => {
    const remembered = await post("/v1/memories", {
      items: [{ text: "Written before the stop." }],
    });
    const { receipts } = (await remembered.json()) as { receipts: { id: string }[] };
    server.kill("SIGTERM");
    expect((await ended).code).toBe(143);
    const read = await cli.run(["read", receipts[0]!.id, "--store", "served"]);
    expect(read.text).toBe("Written before the stop.");
  });
});
