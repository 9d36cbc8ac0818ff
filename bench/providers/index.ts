/**
 * `npm run bench -- providers [--calls 200] [--json FILE]`: what the client of language models costs on
 * top of a bare `fetch` to the same local server, per protocol; calls are interleaved.
 */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { httpCatalogue } from "../../src/model/http-models.ts";
import type { LanguageModel } from "../../src/ports/language-model.ts";
import { NodeHttpTransport } from "../../src/platform/node/http-transport.ts";
import { createHttpSources } from "../../src/processing/language/http-model-source.ts";
import {
  fixedKeys,
  startClaudeServer,
  startGeminiServer,
  startOllamaServer,
  startOpenAiServer,
  type LlmServer,
} from "../../test/support/llm-servers/index.ts";

const PROTOCOLS = [
  { provider: "openai", model: "gpt-4o-mini", start: startOpenAiServer },
  { provider: "claude", model: "claude-haiku-4-5", start: startClaudeServer },
  { provider: "gemini", model: "gemini-2.5-flash-lite", start: startGeminiServer },
  { provider: "ollama", model: "smollm2:135m", start: startOllamaServer },
] as const;

const messages = [
  { role: "user" as const, content: "The harbour is closed until Wednesday. ".repeat(20) },
];

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

/** The last generating request again, by `fetch` alone. */
async function bareFetch(server: LlmServer): Promise<void> {
  const last = server.requests.findLast(
    ({ method, path }) => method === "POST" && !path.includes("show"),
  )!;
  const {
    host: _host,
    "content-length": _length,
    connection: _connection,
    ...headers
  } = last.headers;
  const response = await fetch(server.url + last.path, {
    method: "POST",
    headers,
    body: JSON.stringify(last.body),
  });
  await response.text();
}

async function drain(model: LanguageModel): Promise<number> {
  let chunks = 0;
  for await (const _delta of model.stream({ messages, maxTokens: 2000 })) chunks++;
  return chunks;
}

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { calls: { type: "string" }, json: { type: "string" } },
  });
  const calls = Number(values.calls ?? 200);
  const rows = [];
  for (const { provider, model: name, start } of PROTOCOLS) {
    const server = await start();
    const sources = createHttpSources({
      transport: new NodeHttpTransport(),
      keys: fixedKeys({ [provider]: "test-key" }),
      settings: async (asked) => ({ provider: asked, enabled: true, baseUrl: server.url }),
      catalogue: httpCatalogue(Date.now()),
    });
    const model = await sources.find((source) => source.provider === provider)!.open(name);
    const ours: number[] = [];
    const bare: number[] = [];
    const rates: number[] = [];
    for (let at = 0; at < calls; at++) {
      const own = await timed(() => model.generate({ messages, maxTokens: 2000 }));
      const alone = await timed(() => bareFetch(server));
      // The first calls open connections and warm the code.
      if (at < 20) continue;
      ours.push(own);
      bare.push(alone);
    }
    server.respond("The pier is closed today and tomorrow. ".repeat(200));
    for (let at = 0; at < 5; at++) {
      let chunks = 0;
      const elapsedMs = await timed(async () => (chunks = await drain(model)));
      rates.push((chunks / elapsedMs) * 1000);
    }
    rows.push({
      protocol: provider,
      clientMs: Number(median(ours).toFixed(3)),
      fetchMs: Number(median(bare).toFixed(3)),
      overheadMs: Number((median(ours) - median(bare)).toFixed(3)),
      streamChunksPerSecond: Math.round(median(rates)),
    });
    await Promise.all(sources.map((source) => source.close()));
    await server.close();
  }
  console.table(rows);
  if (values.json) writeFileSync(values.json, JSON.stringify({ calls, rows }, null, 2));
}

await main(process.argv.slice(2));
