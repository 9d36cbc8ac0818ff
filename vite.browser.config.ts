/**
 * The SDK for browsers: dist/browser/index.js with `openEngine({ name })`, its workers and their wasm
 * beside it, every path relative to the module. Serve the folder as it is and import it by its URL:
 * bundlers can't follow workers out of a package. The application is built by vite.config.ts.
 */

import { resolve } from "node:path";
import { defineConfig } from "vite";
import { arrowWithoutEval } from "./scripts/vite-plugin-arrow-without-eval.ts";
import { assemblyScript } from "./scripts/vite-plugin-assemblyscript.ts";

export default defineConfig({
  plugins: [assemblyScript()],
  base: "./",
  publicDir: false,
  resolve: {
    conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser", "import", "default"],
  },
  worker: { format: "es", plugins: () => [assemblyScript(), arrowWithoutEval()] },
  build: {
    outDir: resolve(process.env["LLM_COMPRESS_DIST"] ?? "dist", "browser"),
    emptyOutDir: true,
    target: "es2023",
    modulePreload: false,
    chunkSizeWarningLimit: 6000,
    rolldownOptions: {
      input: { index: "src/platform/browser/open.ts" },
      preserveEntrySignatures: "strict",
      output: { entryFileNames: "[name].js" },
    },
  },
});
