import { MessageChannel, type MessagePort } from "node:worker_threads";
import { expose, wrap } from "comlink";
import nodeEndpoint from "comlink/dist/umd/node-adapter.js";
import { afterEach, describe, expect, it } from "vitest";
import type { Reply } from "../../../../src/platform/browser/engine-protocol.ts";
import { withTransfer } from "../../../../src/platform/browser/reply-transfer.ts";

const ports: MessagePort[] = [];
afterEach(() => ports.splice(0).forEach((port) => port.close()));

/** What the other side of a channel gets of a reply. */
async function received(value: unknown): Promise<unknown> {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  expose({ call: () => withTransfer({ ok: true, value }) }, nodeEndpoint(port1));
  const remote = wrap<{ call(): Reply }>(nodeEndpoint(port2));
  return ((await remote.call()) as { value: unknown }).value;
}

describe("the big buffers of a reply", () => {
  it("move to the caller and are gone on this side", async () => {
    const embeddings = Float32Array.from({ length: 768 }, (_, i) => i / 768);
    const copy = embeddings.slice();
    const value = { ids: ["a", "b"], model: "m", dimensions: 384, format: "float32", embeddings };
    expect(await received(value)).toEqual({ ...value, embeddings: copy });
    expect(embeddings.buffer.byteLength).toBe(0);
  });

  it("move also in the file that a stream of an export gives", async () => {
    const bytes = new TextEncoder().encode("Dear Ingrid,");
    const whole = bytes.slice();
    const got = await received({ done: false, value: { path: "a.md", bytes: whole } });
    expect(got).toEqual({ done: false, value: { path: "a.md", bytes } });
    expect(whole.byteLength).toBe(0);
  });

  it("stay where others may look at them, and are cloned", async () => {
    const shared = new Uint8Array(16).fill(7);
    const got = await received({ path: "a", bytes: shared.subarray(4, 8) });
    expect(got).toEqual({ path: "a", bytes: new Uint8Array(4).fill(7) });
    expect(shared.byteLength).toBe(16);
  });

  it("leave other replies as they are", async () => {
    expect(await received(null)).toBeNull();
    expect(await received(["a"])).toEqual(["a"]);
    const failed: Reply = { ok: false, error: { code: "closed", message: "no", retryable: false } };
    expect(withTransfer(failed)).toBe(failed);
  });
});
