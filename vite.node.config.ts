/**
 * The library and the command line for Node: dist/index.js (isomorphic SDK), dist/node.js,
 * dist/cli.js and dist/types. Packages stay imports. The application is built by vite.config.ts.
 *
 * `LLM_COMPRESS_DIST` builds into another folder, without the type declarations (tests do).
 */

import { spawnSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { defineConfig, type Plugin } from "vite";
import { assemblyScript } from "./scripts/vite-plugin-assemblyscript.ts";
import { threadCode } from "./scripts/vite-plugin-thread.ts";

const otherFolder = process.env["LLM_COMPRESS_DIST"];
const outDir = resolve(otherFolder ?? "dist");

/** dist/app is the application's, so Vite may not empty the whole folder. */
function emptyOwnFolders(): Plugin {
  return {
    name: "empty-own-folders",
    buildStart() {
      for (const folder of ["chunks", "types"])
        rmSync(join(outDir, folder), { recursive: true, force: true });
    },
  };
}

function executable(file: string): Plugin {
  return {
    name: "executable",
    writeBundle: () => chmodSync(join(outDir, file), 0o755),
  };
}

/** Declarations as the compiler writes them: their `.ts` imports resolve to the `.d.ts` beside them. */
function declarations(): Plugin {
  return {
    name: "declarations",
    closeBundle() {
      if (otherFolder) return;
      const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
      const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.node.json"], {
        stdio: "inherit",
      });
      if (status !== 0) throw new Error("The type declarations could not be written.");
    },
  };
}

export default defineConfig({
  plugins: [
    assemblyScript(),
    threadCode(),
    emptyOwnFolders(),
    executable("cli.js"),
    declarations(),
  ],
  publicDir: false,
  build: {
    ssr: true,
    outDir,
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
