/**
 * The Chromium that the browser tests use, in this order: `$CHROMIUM_PATH`, a system Chromium or
 * Chrome, Playwright's own; `ensureChromium` else installs one (Playwright's download, else apt when
 * root). Run alone it prints the path: `node scripts/find-chromium.mjs [--install]`.
 */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { StepError, binaryOf, capture, fail, run } from "./run.mjs";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const PLACES = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
  "C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe",
];

/** Path of a Chromium, or null. Throws a `StepError` when `$CHROMIUM_PATH` names none. @param {NodeJS.ProcessEnv} [env] @returns {Promise<string | null>} */
export async function findChromium(env = process.env) {
  const named = env["CHROMIUM_PATH"];
  if (named) {
    if (existsSync(named)) return named;
    throw new StepError(`CHROMIUM_PATH is "${named}", and there is no such file.`);
  }
  for (const folder of (env["PATH"] ?? "").split(delimiter))
    for (const name of NAMES)
      if (folder && existsSync(join(folder, name))) return join(folder, name);
  const place = PLACES.find((path) => existsSync(path));
  if (place) return place;
  return findPlaywrightChromium();
}

async function findPlaywrightChromium() {
  try {
    const { chromium } = await import("@playwright/test");
    const path = chromium.executablePath();
    return path && existsSync(path) ? path : null;
  } catch {
    return null;
  }
}

/** Path of a Chromium, installed when there is none. @param {(line: string) => void} [log] @returns {Promise<string>} */
export async function ensureChromium(log = (line) => console.error(line)) {
  const found = await findChromium();
  if (found) return found;
  log("Chromium: none found, installing Playwright's");
  const isRoot = process.getuid?.() === 0;
  const playwright = binaryOf("@playwright/test", "playwright");
  await run(process.execPath, [
    playwright,
    "install",
    ...(isRoot ? ["--with-deps"] : []),
    "chromium",
  ]);
  let path = await findPlaywrightChromium();
  if (path) return path;
  if (isRoot && (await capture("apt-get", ["--version"])).code === 0) {
    log("Chromium: that was not possible, installing the system's");
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    await run("apt-get", ["update"], { env });
    await run("apt-get", ["install", "-y", "--no-install-recommends", "chromium"], { env });
    path = await findChromium();
    if (path) return path;
  }
  throw new StepError(
    "The browser tests need Chromium and it could not be installed.\n" +
      "Install Chromium or Chrome by hand, or set CHROMIUM_PATH to one, and run the same command again.",
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await (process.argv.includes("--install") ? ensureChromium() : findChromium())
    .then((path) => {
      if (path) console.log(path);
      else throw new StepError("No Chromium was found. `--install` installs one.");
    })
    .catch(fail);
