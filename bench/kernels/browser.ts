/** `--browser`: the kernels in a worker of a real page, on WebGPU too. */

import { chromium } from "@playwright/test";
import { createServer, type Plugin } from "vite";
import { findChromium } from "../../scripts/find-chromium.mjs";
import { assemblyScript } from "../../scripts/vite-plugin-assemblyscript.ts";
import type { KernelReport } from "./browser-worker.ts";
import type { KernelRow } from "./measure.ts";

/** Isolated as the product's page is, so that its clock is fine enough. */
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

function benchPage(): Plugin {
  return {
    name: "kernel-bench-page",
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        if (request.url !== "/page") return next();
        response.writeHead(200, { "Content-Type": "text/html", ...ISOLATION });
        response.end("<!doctype html><title>Kernels</title>");
      });
    },
  };
}

/** None with the reason printed where there is no Chromium. */
export async function browserRows(rounds: number): Promise<KernelRow[]> {
  const executablePath = await findChromium();
  if (executablePath === null) {
    console.error("SKIPPED the browser: no Chromium was found (npm run setup).");
    return [];
  }
  const server = await createServer({
    configFile: false,
    logLevel: "error",
    plugins: [assemblyScript(), benchPage()],
    server: { headers: ISOLATION },
    optimizeDeps: { noDiscovery: true },
  });
  await server.listen();
  const args = ["--enable-unsafe-webgpu", ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])];
  const browser = await chromium.launch({ executablePath, args });
  try {
    const page = await browser.newPage();
    await page.goto(new URL("/page", server.resolvedUrls!.local[0]).href);
    const answer = await page.evaluate(
      (given) =>
        new Promise<KernelReport>((resolve, reject) => {
          const worker = new Worker("/bench/kernels/browser-worker.ts", { type: "module" });
          worker.onmessage = ({ data }: MessageEvent<KernelReport>) => resolve(data);
          worker.onerror = (event) => reject(new Error(event.message || "The worker failed."));
          worker.postMessage({ rounds: given });
        }),
      rounds,
    );
    if ("failed" in answer) throw new Error(answer.failed);
    if (answer.skipped !== null) console.error(`SKIPPED WebGPU: ${answer.skipped}`);
    return answer.rows.map((row) => ({ ...row, system: `Chromium, ${row.system}` }));
  } finally {
    await browser.close();
    await server.close();
  }
}
