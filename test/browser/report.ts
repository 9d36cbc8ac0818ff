/** A few plain checks for cases that run in a worker of a real browser, without a test runner. */

export interface Report {
  passed: string[];
  failed: { name: string; error: string }[];
}

export function createReport() {
  const report: Report = { passed: [], failed: [] };
  return {
    report,
    async check(name: string, work: () => Promise<void>): Promise<void> {
      try {
        await work();
        report.passed.push(name);
      } catch (error) {
        const shown = error instanceof Error ? error.message : String(error);
        report.failed.push({ name, error: shown });
      }
    },
    equal(actual: unknown, expected: unknown): void {
      const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
      if (a !== b) throw new Error(`${a} instead of ${b}`);
    },
    holds(condition: boolean, what: string): void {
      if (!condition) throw new Error(`it doesn't hold: ${what}`);
    },
  };
}
