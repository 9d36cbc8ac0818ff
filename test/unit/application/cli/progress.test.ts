import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import {
  createProgressReporter,
  describeProgress,
} from "../../../../src/application/cli/progress.ts";

function stream(isTTY: boolean) {
  const sink = Object.assign(new PassThrough(), { isTTY, columns: 40 });
  return { sink, text: () => String(sink.read() ?? "") };
}

describe("progress", () => {
  it("is silent where stderr is no terminal, unless asked for", () => {
    const quiet = stream(false);
    createProgressReporter(quiet.sink, undefined).report({ stage: "Reading", done: 1, total: 1 });
    expect(quiet.text()).toBe("");
    const asked = stream(false);
    createProgressReporter(asked.sink, true).report({ stage: "Reading", done: 1, total: 1 });
    expect(asked.text()).toBe("Reading 1/1 (100 %), 0 ms\n");
  });

  it("redraws one line on a terminal, not wider than it, and takes it away", () => {
    const terminal = stream(true);
    const reporter = createProgressReporter(terminal.sink, undefined);
    reporter.report({ stage: "Reading a very long name of something", done: 1, total: null });
    const line = terminal.text();
    expect(line.startsWith("\r\u001b[2K")).toBe(true);
    expect(line.length - 5).toBeLessThan(40);
    reporter.clear();
    expect(terminal.text()).toBe("\r\u001b[2K");
    reporter.clear();
    expect(terminal.text()).toBe("");
  });

  it("is not written more often than a person can read", () => {
    let time = 0;
    const log = stream(false);
    const reporter = createProgressReporter(log.sink, true, () => time);
    for (let done = 0; done < 100; done++) {
      reporter.report({ stage: "Reading", done, total: null });
      time += 100;
    }
    expect(log.text().trim().split("\n")).toHaveLength(10);
  });

  it("says how much is left once that can be told", () => {
    expect(
      describeProgress(
        { stage: "Embedding", done: 50, total: 200, doneBytes: 1e6, totalBytes: 4e6 },
        10_000,
      ),
    ).toBe("Embedding 50/200 (25 %), 1.00 MB of 4.00 MB, 10.0 s, about 30.0 s left");
    expect(describeProgress({ stage: "Reading", done: 0, total: 0 }, 5)).toBe(
      "Reading 0/0 (100 %), 5 ms",
    );
  });
});
