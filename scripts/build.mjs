/**
 * `npm run build`: the application (dist/app), the SDK and the CLI (dist), the
 * browser SDK (dist/browser). Leaves a stamp of the
 * sources, so that the set-up builds again only when something changed.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT, StepError, binaryOf, fail, hashPaths, run } from "./run.mjs";

const STAMP = join(ROOT, ".cache/build-stamp");
const OUTPUTS = ["dist/app/index.html", "dist/cli.js", "dist/node.js", "dist/browser/index.js"];
const SOURCES = [
  "src",
  "workers",
  "public",
  "index.html",
  "widget.html",
  "vite.config.ts",
  "vite.node.config.ts",
  "vite.browser.config.ts",
  "svelte.config.js",
  "tsconfig.json",
  "tsconfig.node.json",
  "package.json",
  "package-lock.json",
  "scripts/vite-plugin-arrow-without-eval.ts",
  "scripts/vite-plugin-assemblyscript.ts",
  "scripts/vite-plugin-sample.ts",
  "scripts/vite-plugin-thread.ts",
];

/** True when dist/ was built from the sources as they are. */
export function isBuilt() {
  return (
    OUTPUTS.every((path) => existsSync(join(ROOT, path))) &&
    existsSync(STAMP) &&
    readFileSync(STAMP, "utf8") === hashPaths(SOURCES)
  );
}

/** Builds everything. Rejects with a `StepError` when a build fails; its own words stand above. */
export async function build() {
  rmSync(STAMP, { force: true });
  const hash = hashPaths(SOURCES);
  for (const args of [
    ["build"],
    ["build", "--config", "vite.node.config.ts"],
    ["build", "--config", "vite.browser.config.ts"],
  ])
    if ((await run(process.execPath, [binaryOf("vite"), ...args])) !== 0)
      throw new StepError(`The build failed (vite ${args.join(" ")}); the reason stands above.`);
  mkdirSync(dirname(STAMP), { recursive: true });
  writeFileSync(STAMP, hash);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build().catch(fail);
