import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { countPlaywright, countVitest, judgeSuite } from "../../../scripts/test.mjs";

const vitest = (...files: [status: string, ...tests: string[]][]) => ({
  testResults: files.map(([status, ...tests]) => ({
    status,
    assertionResults: tests.map((test, index) => ({ status: test, fullName: `test ${index}` })),
  })),
});

describe("counting a vitest report", () => {
  it("counts tests, and a file that could not be loaded as one failure", () => {
    const report = vitest(
      ["passed", "passed", "passed", "pending"],
      ["failed", "failed"],
      ["failed"],
    );
    expect(countVitest(report)).toEqual({ passed: 2, failed: 2, skipped: ["test 2"] });
  });
});

describe("counting a Playwright report", () => {
  it("counts flaky tests as passed, errors outside of tests as failed, and names skips with reasons", () => {
    const report = {
      stats: { expected: 3, flaky: 1, unexpected: 1, skipped: 1 },
      errors: [{ message: "the web server did not start" }],
      suites: [
        {
          suites: [
            {
              specs: [
                {
                  title: "installs",
                  tests: [
                    { status: "skipped", annotations: [{ type: "skip", description: "no GPU" }] },
                  ],
                },
              ],
            },
          ],
        },
      ],
    };
    expect(countPlaywright(report)).toEqual({
      passed: 4,
      failed: 2,
      skipped: ["installs: no GPU"],
    });
  });
});

describe("judging a suite", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "suite-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const judge = (report: unknown, code: number) => {
    const path = join(folder, "report.json");
    if (report !== undefined) writeFileSync(path, JSON.stringify(report));
    return judgeSuite(path, countVitest, code);
  };

  it("fails a suite that left no report, executed nothing, or ended badly without a failed test", () => {
    expect(judge(undefined, 1)).toMatchObject({ passed: 0, failed: 1 });
    expect(judge(vitest(), 0)).toMatchObject({ failed: 1, problem: "it executed no test" });
    expect(judge(vitest(["passed", "pending"]), 0)).toMatchObject({ failed: 1 });
    expect(judge(vitest(["passed", "passed"]), 1)).toMatchObject({ passed: 1, failed: 1 });
    expect(judge(vitest(["passed", "passed"]), 0)).toEqual({ passed: 1, failed: 0, skipped: [] });
  });
});
