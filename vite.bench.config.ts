/**
 * Bundles one benchmark for Node, as the product is built: under vite-node every import is a getter,
 * which makes hot loops two to three times slower. `scripts/bench.mjs` calls it with `BENCH_ENTRY`.
 */

import { defineConfig } from "vite";
import { assemblyScript } from "./scripts/vite-plugin-assemblyscript.ts";
import { threadCode } from "./scripts/vite-plugin-thread.ts";

const entry = process.env["BENCH_ENTRY"] ?? "bench/search/index.ts";
const name = entry.split("/").at(-2)!;

export default defineConfig({
  plugins: [assemblyScript(), threadCode()],
  publicDir: false,
  logLevel: "warn",
  build: {
    ssr: true,
    outDir: `.cache/bench/build/${name}`,
    emptyOutDir: true,
    target: "node20",
    minify: false,
    rolldownOptions: {
      input: { [name]: entry },
      output: { entryFileNames: "[name].mjs", chunkFileNames: "chunks/[name].mjs" },
    },
  },
});
