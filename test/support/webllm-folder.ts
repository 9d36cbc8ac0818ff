/**
 * A server with a WebLLM model's folder, as a hub or a plain static server has it: another origin with
 * CORS, ranges, and faults on request. The weights are noise; the library is a valid WebAssembly module
 * that exports nothing, so WebLLM itself gets as far as instantiating it.
 */

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface WebLlmFolder {
  /** Without a slash at its end: "http://127.0.0.1:1234". */
  url: string;
  /** Paths that were asked for, with their range. */
  requests: { path: string; range: string | null }[];
  files: Map<string, Buffer>;
  close(): Promise<void>;
}

const SHARD_BYTES = [300_000, 200_004];

/** The files of a model with a 4096-token window, quantized as its name says nothing of. */
export function createModelFiles(): Map<string, Buffer> {
  const shards = SHARD_BYTES.map((size, index) =>
    Buffer.from(Array.from({ length: size }, (_, at) => (at * 31 + index * 7 + (at >> 8)) & 255)),
  );
  const md5 = (bytes: Buffer) => createHash("md5").update(bytes).digest("hex");
  const config = {
    version: "0.1.0",
    model_type: "llama",
    quantization: "q0f32",
    vocab_size: 320,
    context_window_size: 512,
    sliding_window_size: -1,
    prefill_chunk_size: 128,
    attention_sink_size: -1,
    tensor_parallel_shards: 1,
    temperature: 0.7,
    top_p: 0.95,
    repetition_penalty: 1,
    frequency_penalty: 0,
    presence_penalty: 0,
    tokenizer_files: ["tokenizer.json", "tokenizer_config.json"],
    conv_template: {
      system_template: "{system_message}",
      system_message: "",
      roles: { user: "user", assistant: "assistant" },
      seps: ["\n"],
      stop_str: [],
      stop_token_ids: [2],
    },
    bos_token_id: 1,
    eos_token_id: 2,
  };
  const tensors = {
    metadata: { ParamSize: 2 },
    records: shards.map((bytes, index) => ({
      dataPath: `params_shard_${index}.bin`,
      format: "raw-shard",
      nbytes: bytes.length,
      md5sum: md5(bytes),
      records: [
        {
          name: `param_${index}`,
          shape: [bytes.length / 4],
          dtype: "float32",
          format: "raw",
          nbytes: bytes.length,
          byteOffset: 0,
        },
      ],
    })),
  };
  const tokenizer = {
    version: "1.0",
    added_tokens: [],
    model: { type: "BPE", vocab: { a: 0, b: 1, "</s>": 2 }, merges: [] },
  };
  return new Map([
    ["mlc-chat-config.json", Buffer.from(JSON.stringify(config))],
    ["tensor-cache.json", Buffer.from(JSON.stringify(tensors))],
    ["tokenizer.json", Buffer.from(JSON.stringify(tokenizer))],
    ...shards.map((bytes, index) => [`params_shard_${index}.bin`, bytes] as const),
    // "\0asm", version 1, no sections.
    ["library.wasm", Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])],
  ]);
}

/** What an older compiler wrote: another list without sums, a SentencePiece tokenizer, a description with gaps. */
function olderFiles(files: Map<string, Buffer>): Map<string, Buffer> {
  const parse = (name: string) => JSON.parse(String(files.get(name))) as Record<string, unknown>;
  const config = parse("mlc-chat-config.json");
  delete config["sliding_window_size"];
  delete config["repetition_penalty"];
  config["tokenizer_files"] = ["tokenizer.model", "added_tokens.json"];
  const tensors = parse("tensor-cache.json") as { records: { md5sum?: string }[] };
  for (const record of tensors.records) delete record.md5sum;
  const older = new Map(files);
  older.delete("tensor-cache.json");
  older.delete("tokenizer.json");
  return older
    .set("mlc-chat-config.json", Buffer.from(JSON.stringify(config)))
    .set("ndarray-cache.json", Buffer.from(JSON.stringify(tensors)))
    .set("tokenizer.model", Buffer.from("pieces"))
    .set("added_tokens.json", Buffer.from("{}"));
}

/**
 * Serves the same files under `/plain/`, and as a hub under `/owner/model/resolve/main/`. Under
 * `/older/model/resolve/main/` a plainer server stands: it knows no ranges, says no length, and its
 * 404 may not be read by other origins.
 */
export async function startWebLlmFolder(): Promise<WebLlmFolder> {
  const files = createModelFiles();
  const requests: WebLlmFolder["requests"] = [];
  const older = olderFiles(files);
  const server = createServer((request, response) => {
    if (request.url?.startsWith("/older/")) answerPlainly(request, response, older, requests);
    else answer(request, response, files, requests);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    files,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  files: Map<string, Buffer>,
  requests: WebLlmFolder["requests"],
): void {
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  const range = request.headers.range ?? null;
  requests.push({ path, range });
  response.setHeader("Access-Control-Allow-Origin", "*");
  const inFolder = /^\/(?:plain|owner\/model\/resolve\/main|lib)\/(.+)$/.exec(path)?.[1];
  const bytes = inFolder === undefined ? undefined : files.get(inFolder);
  if (!bytes) {
    response.writeHead(404, { "Content-Type": "text/plain" }).end("Not found");
    return;
  }
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
  const body = bytes.subarray(start);
  response.writeHead(start > 0 ? 206 : 200, {
    "Content-Type": "application/octet-stream",
    "Content-Length": body.length,
  });
  response.write(body.subarray(0, 50_000));
  // In pieces, so that a download can be paused in its middle.
  const rest = body.subarray(50_000);
  setTimeout(() => response.end(rest), rest.length > 0 ? 60 : 0);
}

function answerPlainly(
  request: IncomingMessage,
  response: ServerResponse,
  files: Map<string, Buffer>,
  requests: WebLlmFolder["requests"],
): void {
  const path = request.url ?? "/";
  requests.push({ path, range: request.headers.range ?? null });
  const bytes = files.get(/^\/older\/model\/resolve\/main\/(.+)$/.exec(path)?.[1] ?? "");
  if (!bytes) {
    response.writeHead(404).end("Not found");
    return;
  }
  response.writeHead(200, { "Access-Control-Allow-Origin": "*" });
  response.write(bytes.subarray(0, 1_000));
  response.end(bytes.subarray(1_000));
}
