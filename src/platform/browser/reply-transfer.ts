/**
 * Marks the big buffers of a reply for transfer: Comlink then moves them to the caller instead of
 * cloning them. Only buffers that were made for the reply; over a channel between tabs, which can't
 * transfer, they are cloned all the same.
 */

import { transfer } from "comlink";
import type { Reply } from "./engine-protocol.ts";

/** Where buffers of one owner lie in values: vectors, and the bytes of exported files. */
const OWNED = ["embeddings", "codes", "scales", "bytes"] as const;

export function withTransfer(reply: Reply): Reply {
  if (!reply.ok) return reply;
  const { value } = reply;
  // An exported file comes inside an iterator's result.
  const inner = isRecord(value) && isRecord(value["value"]) ? value["value"] : value;
  if (!isRecord(inner)) return reply;
  const buffers = new Set<ArrayBuffer>();
  for (const name of OWNED) {
    const array = inner[name];
    if (ArrayBuffer.isView(array) && isWhole(array)) buffers.add(array.buffer as ArrayBuffer);
  }
  return buffers.size === 0 ? reply : transfer(reply, [...buffers]);
}

/** A view of a part has a buffer that others may look at, too. */
function isWhole(array: ArrayBufferView): boolean {
  return array.buffer instanceof ArrayBuffer && array.byteLength === array.buffer.byteLength;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
