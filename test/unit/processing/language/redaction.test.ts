import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { toWireError } from "../../../../src/errors.ts";
import { NodeHttpTransport } from "../../../../src/platform/node/http-transport.ts";
import { FetchTransport } from "../../../../src/processing/language/fetch-transport.ts";
import { refuseReadableKey } from "../../../../src/processing/language/providers.ts";
import { redact } from "../../../../src/processing/language/redaction.ts";
import type { LlmServer } from "../../../support/llm-servers/index.ts";
import { ask, drain, openModel, PROTOCOLS } from "./servers.ts";

const KEYS = [
  "sk-proj-abcdefghijklmnop0123456789",
  "sk-ant-api03-abcdefghijklmnop_0123",
  "AIzaSyA-0123456789abcdefghijklmnop",
  "gsk_0123456789abcdefghijkl",
  "hf_abcdefghijklmnopqrstuvwxyz",
];

describe("taking keys out of texts", () => {
  it("takes out every occurrence of a secret, wherever it stands", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 8, maxLength: 60, unit: fc.constantFrom(..."abcXYZ019-_$.*+?") }),
        fc.array(fc.lorem({ maxCount: 4 }), { minLength: 1, maxLength: 5 }),
        (secret, words) => {
          expect(redact(words.join(secret), [secret])).not.toContain(secret);
          expect(redact(`${secret}${secret}`, [secret])).not.toContain(secret);
        },
      ),
    );
  });

  it.each(KEYS)("takes out what has the shape of a key though nobody named it: %s", (key) => {
    for (const text of [
      `Incorrect API key provided: ${key}.`,
      `{"error":"bad key \\"${key}\\""}`,
      `Authorization: Bearer ${key}`,
      `https://host/v1/models?key=${key}&alt=sse`,
    ])
      expect(redact(text)).not.toContain(key);
  });

  it("takes out keys that the provider masked halfway", () => {
    expect(redact("Incorrect API key provided: sk-ab***************yz12.")).not.toMatch(/yz12/);
  });

  it.each([
    "The mask of the sketch was risky: 3 tasks, key=1.",
    "model llama3.2:3b is not found",
    "rate limit of 10,000 tokens per minute",
  ])("leaves ordinary words alone: %s", (text) => {
    expect(redact(text, [null, "", "abc"])).toBe(text);
  });
});

/** Everything of an error that may be shown, logged or sent on. */
function everything(error: unknown): string {
  const parts: string[] = [];
  for (let one: unknown = error, depth = 0; one instanceof Error && depth < 8; depth++) {
    parts.push(one.message, one.stack ?? "", String((one as { hint?: unknown }).hint));
    parts.push(JSON.stringify(one), ...Object.values(one).map(String));
    one = one.cause;
  }
  return parts.join("\n") + JSON.stringify(toWireError(error));
}

describe.each(PROTOCOLS.filter(({ provider }) => provider !== "ollama"))(
  "a key over $name",
  (protocol) => {
    // A shape that no pattern knows: only that it was sent gives it away.
    const key = "zq7-plain-words-of-a-secret-41";
    let server: LlmServer | null = null;
    afterEach(async () => {
      await server?.close();
      server = null;
    });

    it.each([
      ["fetch", () => new FetchTransport({ environment: "process" })],
      ["Node's own connections", () => new NodeHttpTransport({ env: {} })],
    ])("is in a header alone, and in no error, by %s", async (_name, transport) => {
      server = await protocol.start({ key });
      const { model, close } = await openModel(protocol, server, { key, transport: transport() });
      await model.generate({ messages: ask() });
      for (const { path, body, headers } of server.requests) {
        expect(path).not.toContain(key);
        expect(JSON.stringify(body)).not.toContain(key);
        expect(Object.values(headers).join(" ")).toContain(key);
      }
      const errors: unknown[] = [];
      const failing = async (work: () => Promise<unknown>) =>
        errors.push(await work().catch((error: unknown) => error));
      for (const status of [400, 401, 404, 429, 500, 503]) {
        server.fault({
          kind: "status",
          status,
          body: { error: { message: `What you sent (${key}) is wrong`, type: "x" } },
        });
        await failing(() => model.generate({ messages: ask() }));
        server.fault({ kind: "status", status, body: `<html><p>Refused: ${key}</p></html>` });
        await failing(() => model.generate({ messages: ask() }));
      }
      server.fault({ kind: "status", status: 200, body: `not JSON but ${key}` });
      await failing(() => model.generate({ messages: ask() }));
      server.fault({ kind: "cut", after: 2 });
      await failing(() => model.generate({ messages: ask() }));
      server.fault({ kind: "malformed", after: 2 });
      errors.push((await drain(model.stream({ messages: ask() }))).error);
      await server.close();
      await failing(() => model.generate({ messages: ask() }));
      expect(errors).toHaveLength(16);
      for (const error of errors) {
        expect(error).toBeInstanceOf(Error);
        expect(everything(error)).not.toContain(key);
      }
      await close();
    });
  },
);

describe("where a key may travel", () => {
  it.each([
    "https://api.example.com/v1",
    "http://localhost:1234/v1",
    "http://127.0.0.1:1234",
    "http://[::1]:1234",
    "http://10.1.2.3",
    "http://192.168.0.7:8080",
    "http://172.20.0.1",
    "http://gpu-box:8000",
    "http://gpu.local",
    "http://[fd00::7]",
  ])("may travel to %s", (address) => {
    expect(() => refuseReadableKey(address, "a-key")).not.toThrow();
  });

  it.each([
    "http://api.example.com",
    "http://8.8.8.8/v1",
    "http://172.32.0.1",
    "http://192.169.0.1",
    "http://localhost.example.com",
    "http://10.1.2.3.example.com",
  ])("may not travel to %s, which needs none of it", (address) => {
    expect(() => refuseReadableKey(address, "a-key")).toThrow(/unencrypted/);
    expect(() => refuseReadableKey(address, null)).not.toThrow();
  });
});
