/**
 * The size budget of the built page, gzip: what the browser must have before anything is drawn.
 * Budgets are what the product promises; raise one only with a reason in the commit.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { ROOT, fail } from "./run.mjs";

const BUDGETS = [
  { name: "initial JavaScript", pattern: /\.js$/, maxBytes: 150_000 },
  { name: "initial CSS", pattern: /\.css$/, maxBytes: 30_000 },
];

/**
 * Files that index.html loads at once: its scripts and styles, and what these import statically.
 * @param {string} directory @returns {string[]} absolute paths
 */
export function initialFiles(directory) {
  const html = readFileSync(join(directory, "index.html"), "utf8");
  /** @type {Set<string>} */
  const files = new Set();
  /** @param {string} path */
  const add = (path) => {
    if (files.has(path)) return;
    files.add(path);
    if (!path.endsWith(".js")) return;
    const code = readFileSync(path, "utf8");
    for (const match of code.matchAll(
      /(?:^|[;}\s])(?:import|export)\b[^"'`;()]*?["'](\.[^"']+\.js)["']/g,
    ))
      add(join(dirname(path), match[1] ?? ""));
  };
  for (const match of html.matchAll(/(?:src|href)="([^"]+\.(?:js|css))"/g))
    add(join(directory, (match[1] ?? "").replace(/^\.?\//, "")));
  return [...files];
}

/** @param {string} directory @returns {{ name: string, bytes: number, maxBytes: number }[]} */
export function measure(directory) {
  const files = initialFiles(directory);
  return BUDGETS.map(({ name, pattern, maxBytes }) => ({
    name,
    maxBytes,
    bytes: files
      .filter((path) => pattern.test(path))
      .reduce((sum, path) => sum + gzipSync(readFileSync(path), { level: 9 }).length, 0),
  }));
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  try {
    for (const { name, bytes, maxBytes } of measure(join(ROOT, "dist/app"))) {
      const within = bytes > 0 && bytes <= maxBytes;
      console.log(
        `${name}: ${(bytes / 1000).toFixed(1)} KB gzip of ${maxBytes / 1000} KB${within ? "" : " — over the budget"}`,
      );
      if (!within) process.exitCode = 1;
    }
  } catch (error) {
    fail(error);
  }
