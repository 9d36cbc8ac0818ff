/**
 * Builds the command line once for all test files, into a folder of its own, and again only when a
 * source changed. Test files run in several processes: the first one builds, the others wait.
 */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const FOLDER = join(ROOT, ".cache/cli-test");
const LOCK = join(FOLDER, "lock");
const WAIT_MS = 100;
const MAX_WAIT_MS = 110_000;
/** Builds of older sources are kept this long: another run may still use them. */
const MAX_AGE_MS = 3_600_000;

/** Absolute path of the folder that holds cli.js, node.js and index.js. */
export async function buildOnce(): Promise<string> {
  const hash = hashSources();
  const output = join(FOLDER, hash);
  const stamp = join(output, "complete");
  mkdirSync(FOLDER, { recursive: true });
  for (let waited = 0; !existsSync(stamp); waited += WAIT_MS) {
    if (waited > MAX_WAIT_MS)
      throw new Error(`The build of another test process takes too long (${LOCK}).`);
    if (takeLock()) {
      try {
        if (!existsSync(stamp)) build(output);
        writeFileSync(stamp, "");
      } finally {
        rmSync(LOCK, { force: true });
      }
    } else await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  }
  return output;
}

function build(output: string): void {
  for (const old of readdirSync(FOLDER))
    if (old !== "lock" && Date.now() - statSync(join(FOLDER, old)).mtimeMs > MAX_AGE_MS)
      rmSync(join(FOLDER, old), { recursive: true });
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, "node_modules/vite/bin/vite.js"), "build", "--config", "vite.node.config.ts"],
    {
      cwd: ROOT,
      env: { ...process.env, NODE_ENV: "production", LLM_COMPRESS_DIST: output },
      encoding: "utf8",
    },
  );
  if (status !== 0) throw new Error(`The build failed:\n${stdout}\n${stderr}`);
}

/** True when this process holds the lock now; one whose process is gone is taken over. */
function takeLock(): boolean {
  try {
    writeFileSync(LOCK, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    try {
      process.kill(Number(readFileSync(LOCK, "utf8")), 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ESRCH") rmSync(LOCK, { force: true });
    }
    return false;
  }
}

function hashSources(): string {
  const hash = createHash("sha256");
  const add = (path: string): void => {
    const absolute = join(ROOT, path);
    if (statSync(absolute).isDirectory())
      for (const name of readdirSync(absolute).sort()) add(`${path}/${name}`);
    else hash.update(path).update("\0").update(readFileSync(absolute)).update("\0");
  };
  for (const path of [
    "src",
    "vite.node.config.ts",
    "scripts/vite-plugin-assemblyscript.ts",
    "package.json",
  ])
    add(path);
  return hash.digest("hex").slice(0, 16);
}
