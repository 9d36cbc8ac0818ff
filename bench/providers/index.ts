/**
 * `npm run bench -- providers [--calls 200] [--json FILE]`: what the client of language models costs on
 * top of a bare `fetch` to the same local server, per protocol, calls interleaved; and what choosing a
 * model costs (`router.ts`).
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
import { benchRouter } from "./router.ts";

const PROTOCOLS = [
  { provider: "openai", model: "gpt-4o-mini", start: startOpenAiServer },
  { provider: "claude", model: "claude-haiku-4-5", start: startClaudeServer },
  { provider: "gemini", model: "gemini-2.5-flash-lite", start: startGeminiServer },
  { provider: "ollama", model: "smollm2:135m", start: startOllamaServer },
] as const;

/** They open connections and warm the code. */
const WARM_UP_CALLS = 20;

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

interface ClientFigures {
  protocol: string;
  clientMs: number;
  fetchMs: number;
  overheadMs: number;
  streamChunksPerSecond: number;
}

async function benchClient(calls: number): Promise<ClientFigures[]> {
  const rows: ClientFigures[] = [];
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
      if (at < WARM_UP_CALLS) continue;
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
  return rows;
}

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { calls: { type: "string" }, json: { type: "string" } },
  });
  const calls = Number(values.calls ?? 200);
  if (!Number.isInteger(calls) || calls <= WARM_UP_CALLS)
    throw new Error(`--calls must be a whole number above ${WARM_UP_CALLS}, which only warm up.`);
  const client = await benchClient(calls);
  console.log(`Client beside a bare fetch, medians of ${calls - WARM_UP_CALLS} calls`);
  console.table(client);
  const router = benchRouter().map(({ medianUs, p99Us, ...rest }) => ({
    ...rest,
    medianUs: Number(medianUs.toFixed(1)),
    p99Us: Number(p99Us.toFixed(1)),
  }));
  console.log("Choice of a model");
  console.table(router);
  if (values.json) writeFileSync(values.json, JSON.stringify({ calls, client, router }, null, 2));
}

await main(process.argv.slice(2));
