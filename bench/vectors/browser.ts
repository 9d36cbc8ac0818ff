/**
 * `--browser`: ours in one worker of a real page, beside hnswlib-wasm where it is installed. The page
 * comes from Vite's own server, isolated as the product's is, so that its clock is fine enough.
 */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { chromium } from "@playwright/test";
import { createServer, type Plugin } from "vite";
import { findChromium } from "../../scripts/find-chromium.mjs";
import { assemblyScript } from "../../scripts/vite-plugin-assemblyscript.ts";
import type { BrowserReport } from "./browser-worker.ts";
import { DIMENSIONS, type DataSet } from "./data.ts";
import type { Row } from "./measure.ts";

const HNSWLIB = resolve(
  ".cache/bench/peers/hnswlib-wasm/node_modules/hnswlib-wasm/dist/hnswlib.js",
);

/** Serves the page, and rows and queries as they lie in memory. */
function benchPage(data: DataSet): Plugin {
  const queries = new Float32Array(data.queries.length * DIMENSIONS);
  data.queries.forEach((query, i) => queries.set(query, i * DIMENSIONS));
  const truth = data.truth.map((ids) => [...ids]);
  const files: Record<string, [type: string, body: string | Uint8Array]> = {
    "/page": ["text/html", "<!doctype html><title>Vectors</title>"],
    "/data/rows": ["application/octet-stream", new Uint8Array(data.rows.buffer)],
    "/data/queries": ["application/octet-stream", new Uint8Array(queries.buffer)],
    "/data/truth": ["application/json", JSON.stringify(truth)],
  };
  return {
    name: "vector-bench-page",
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const file = files[request.url ?? ""];
        if (!file) return next();
        response.setHeader("Content-Type", file[0]);
        response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
        response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
        response.end(file[1]);
      });
    },
  };
}

/** Rows of one data set in Chromium; none with the reason printed where there is no Chromium. */
export async function browserRows(data: DataSet): Promise<Row[]> {
  const executablePath = await findChromium();
  if (executablePath === null) {
    console.error("SKIPPED the browser: no Chromium was found (npm run setup).");
    return [];
  }
  const server = await createServer({
    configFile: false,
    logLevel: "error",
    plugins: [assemblyScript(), benchPage(data)],
    server: {
      headers: {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
      },
    },
    optimizeDeps: { noDiscovery: true },
  });
  await server.listen();
  const root = process.getuid?.() === 0;
  const browser = await chromium.launch({ executablePath, args: root ? ["--no-sandbox"] : [] });
  try {
    const page = await browser.newPage();
    await page.goto(new URL("/page", server.resolvedUrls!.local[0]).href);
    const reports = await page.evaluate(
      ({ hnswlib }) =>
        new Promise<BrowserReport[]>((resolveReports, reject) => {
          const worker = new Worker("/bench/vectors/browser-worker.ts", { type: "module" });
          worker.onmessage = ({ data: answer }: MessageEvent<BrowserReport[] | string>) =>
            typeof answer === "string" ? reject(new Error(answer)) : resolveReports(answer);
          worker.onerror = (event) => reject(new Error(event.message || "The worker failed."));
          worker.postMessage({ hnswlib });
        }),
      { hnswlib: existsSync(HNSWLIB) ? `/@fs/${HNSWLIB}` : null },
    );
    if (!existsSync(HNSWLIB)) console.error("SKIPPED hnswlib-wasm: not installed (--install).");
    for (const { system, skipped } of reports)
      if (skipped) console.error(`SKIPPED ${system}: ${skipped}`);
    return reports
      .filter(({ skipped }) => skipped === undefined)
      .map(({ skipped: _, ...report }) => ({ ...report, data: data.name, cpuMs: null }));
  } finally {
    await browser.close();
    await server.close();
  }
}
