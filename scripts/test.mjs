/**
 * `npm test`: the set-up, then every check and suite, their output streamed; the last line counts
 * them all: `N passed, N failed`. Each check counts as one, each test of a suite as one. A suite
 * that crashed or ran nothing counts as failed.
 *
 * `--only check,unit,browser` runs some of them; `npm run check` is `--only check,unit`.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fetchWeights } from "./fetch-weights.mjs";
import { ensureChromium } from "./find-chromium.mjs";
import { ROOT, StepError, binaryOf, run } from "./run.mjs";
import { setup } from "./setup.mjs";

const REPORTS = join(ROOT, "test-results");

/** @typedef {{ passed: number, failed: number, skipped: string[], problem?: string }} Count */

/** Checks that only have an exit code. The size budget needs the build. @returns {{ name: string, args: string[] }[]} */
function checks() {
  return [
    { name: "format", args: [binaryOf("prettier"), "--check", "--log-level", "warn", "."] },
    { name: "lint", args: [binaryOf("eslint"), "."] },
    { name: "types", args: [binaryOf("typescript", "tsc"), "--noEmit", "-p", "."] },
    { name: "components", args: [binaryOf("svelte-check"), "--threshold", "error"] },
    { name: "size budget", args: [join(ROOT, "scripts/check-size.mjs")] },
  ];
}

/** Counts of vitest's JSON report. @param {any} report @returns {Count} */
export function countVitest(report) {
  const tests = report.testResults.flatMap((/** @type {any} */ file) => file.assertionResults);
  // A file that could not even be loaded has no tests of its own.
  const crashed = report.testResults.filter(
    (/** @type {any} */ file) => file.status === "failed" && file.assertionResults.length === 0,
  );
  return {
    passed: tests.filter((/** @type {any} */ test) => test.status === "passed").length,
    failed:
      tests.filter((/** @type {any} */ test) => test.status === "failed").length + crashed.length,
    skipped: tests
      .filter((/** @type {any} */ test) =>
        ["skipped", "pending", "todo", "disabled"].includes(test.status),
      )
      .map((/** @type {any} */ test) => test.fullName),
  };
}

/** Counts of Playwright's JSON report; a test that passed on retry counts as passed. @param {any} report @returns {Count} */
export function countPlaywright(report) {
  const { expected, flaky, unexpected, skipped } = report.stats;
  /** @type {string[]} */
  const names = [];
  /** @param {any} suite */
  const visit = (suite) => {
    for (const spec of suite.specs ?? [])
      for (const test of spec.tests)
        if (test.status === "skipped") {
          const reason = test.annotations?.find((/** @type {any} */ note) => note.type === "skip");
          names.push(`${spec.title}${reason?.description ? `: ${reason.description}` : ""}`);
        }
    for (const child of suite.suites ?? []) visit(child);
  };
  for (const suite of report.suites ?? []) visit(suite);
  return {
    passed: expected + flaky,
    failed: unexpected + (report.errors?.length ?? 0),
    skipped: names.length > 0 ? names : Array.from({ length: skipped }, () => "(unnamed)"),
  };
}

/**
 * The count of a suite by its report; a missing report, no executed test, or a bad exit without a
 * failed test count as one failure.
 * @param {string} path @param {(report: any) => Count} count @param {number} code @returns {Count}
 */
export function judgeSuite(path, count, code) {
  /** @type {Count} */
  let result;
  try {
    result = count(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return { passed: 0, failed: 1, skipped: [], problem: `it ended (${code}) without a report` };
  }
  if (result.passed + result.failed === 0)
    return { ...result, failed: 1, problem: "it executed no test" };
  if (code !== 0 && result.failed === 0)
    return { ...result, failed: 1, problem: `it ended with ${code} although no test failed` };
  return result;
}

/** @param {string} name @param {string[]} args @returns {Promise<Count>} */
async function runCheck(name, args) {
  console.error(`\n— ${name}`);
  const code = await run(process.execPath, args);
  return code === 0
    ? { passed: 1, failed: 0, skipped: [] }
    : { passed: 0, failed: 1, skipped: [], problem: `it ended with ${code}` };
}

async function runUnit() {
  console.error("\n— unit, contract, architecture and CLI tests");
  const report = join(REPORTS, "vitest.json");
  // Test files run side by side: one thread each for the embedding model, or they wait for each other.
  const env = { LLM_COMPRESS_THREADS: "1", ...process.env };
  const args = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const code = await run(process.execPath, [binaryOf("vitest"), ...args], { env });
  return judgeSuite(report, countVitest, code);
}

/** What the workbench shrinks. Without it its tests with the real model are skipped, which the end says. */
async function fetchSourceWeights() {
  try {
    await fetchWeights({ model: "all-MiniLM-L6-v2" });
  } catch (error) {
    console.error(`The workbench's weights can't be had here: ${String(error)}`);
  }
}

async function runBrowser() {
  console.error("\n— browser tests");
  await fetchSourceWeights();
  const report = join(REPORTS, "playwright.json");
  const env = {
    ...process.env,
    CHROMIUM_PATH: await ensureChromium(),
    PLAYWRIGHT_JSON_OUTPUT_FILE: report,
  };
  const code = await run(
    process.execPath,
    // Its own folder for traces: Playwright empties that one.
    [
      binaryOf("@playwright/test", "playwright"),
      "test",
      "--reporter=list,json",
      `--output=${join(REPORTS, "browser")}`,
    ],
    { env },
  );
  return judgeSuite(report, countPlaywright, code);
}

async function main() {
  const index = process.argv.indexOf("--only");
  const only =
    index > 0 ? (process.argv[index + 1] ?? "").split(",") : ["check", "unit", "browser"];
  const unknown = only.find((name) => !["check", "unit", "browser"].includes(name));
  if (unknown !== undefined)
    throw new StepError(`There is no group "${unknown}"; --only takes check, unit, browser.`);

  await setup();
  rmSync(REPORTS, { recursive: true, force: true });
  mkdirSync(REPORTS, { recursive: true });

  /** @type {[string, Count][]} */
  const results = [];
  /** @param {string} name @param {() => Promise<Count>} work */
  const add = async (name, work) => {
    const started = Date.now();
    const count = await work().catch((error) => ({
      passed: 0,
      failed: 1,
      skipped: [],
      problem: String(error?.message ?? error),
    }));
    results.push([`${name} (${((Date.now() - started) / 1000).toFixed(0)} s)`, count]);
  };
  if (only.includes("check"))
    for (const { name, args } of checks()) await add(name, () => runCheck(name, args));
  if (only.includes("unit")) await add("unit and contract", runUnit);
  if (only.includes("browser")) await add("browser", runBrowser);

  console.log("");
  for (const [name, { passed, failed, skipped, problem }] of results) {
    const skips = skipped.length > 0 ? `, ${skipped.length} skipped` : "";
    console.log(
      `${name}: ${passed} passed, ${failed} failed${skips}${problem ? ` — ${problem}` : ""}`,
    );
    for (const test of skipped) console.log(`  skipped: ${test}`);
  }
  const total = (/** @type {"passed" | "failed"} */ key) =>
    results.reduce((sum, [, count]) => sum + count[key], 0);
  console.log(`${total("passed")} passed, ${total("failed")} failed`);
  process.exitCode = total("failed") > 0 || results.length === 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await main().catch((error) => {
    console.error(error instanceof StepError ? `\n${error.message}` : error);
    console.log("0 passed, 1 failed");
    process.exit(1);
  });
