/**
 * The library and the command line for Node: dist/index.js (isomorphic SDK), dist/node.js,
 * dist/cli.js. Packages stay imports; type declarations come from `tsconfig.node.json`.
 * The application is built by vite.config.ts.
 */

import { chmodSync } from "node:fs";
import { join, resolve } from "node:path";
import { defineConfig, type Plugin } from "vite";
import { assemblyScript } from "./scripts/vite-plugin-assemblyscript.ts";

const outDir = resolve(process.env["LLM_COMPRESS_DIST"] ?? "dist");

function executable(file: string): Plugin {
  return {
    name: "executable",
    writeBundle: () => chmodSync(join(outDir, file), 0o755),
  };
}

export default defineConfig({
  plugins: [assemblyScript(), executable("cli.js")],
  publicDir: false,
  build: {
    ssr: true,
    outDir,
    // dist/app is the application's.
    emptyOutDir: false,
    target: "node20",
    sourcemap: true,
    minify: false,
    rolldownOptions: {
      input: {
        index: "src/index.ts",
        node: "src/platform/node/index.ts",
        cli: "src/application/cli/compose.ts",
      },
      output: {
        entryFileNames: "[name].js",
        chunkFileNames: "chunks/[name].js",
        banner: (chunk) => (chunk.name === "cli" && chunk.isEntry ? "#!/usr/bin/env node" : ""),
      },
    },
  },
});
