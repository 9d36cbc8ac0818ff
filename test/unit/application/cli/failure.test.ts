import { CommanderError } from "commander";
import { describe, expect, it } from "vitest";
import {
  describeFailure,
  exitCodeOf,
  fileFailure,
} from "../../../../src/application/cli/failure.ts";
import { AppError, createAbortError, EXIT_CODE } from "../../../../src/errors.ts";

describe("exit codes", () => {
  it("follow the error's code", () => {
    for (const [code, exit] of Object.entries(EXIT_CODE))
      expect(exitCodeOf(new AppError(code as keyof typeof EXIT_CODE, "x"))).toBe(exit);
  });

  it("are 130 for a cancellation, 141 for a broken pipe, 2 for wrong usage, 1 for a defect", () => {
    expect(exitCodeOf(createAbortError())).toBe(130);
    expect(exitCodeOf(Object.assign(new Error(), { code: "EPIPE" }))).toBe(141);
    expect(exitCodeOf(new CommanderError(1, "commander.unknownOption", "x"))).toBe(2);
    expect(exitCodeOf(new CommanderError(0, "commander.help", "x"))).toBe(0);
    expect(exitCodeOf(new Error("x"))).toBe(1);
  });
});

describe("the line of a failure", () => {
  it("says what, where and what to do, on one line", () => {
    const error = new AppError("not_found", "There is no such file: a\nb.txt", {
      hint: "Check it.",
    });
    expect(describeFailure(error)).toBe("llm-compress: There is no such file: a b.txt. Check it.");
  });

  it("doesn't let a name steer the terminal", () => {
    expect(describeFailure({ message: "x\u001b[2J" })).toBe("llm-compress: x\ufffd[2J.");
  });
});

describe("failures of the file system", () => {
  it.each([
    ["ENOENT", "not_found"],
    ["EISDIR", "invalid_input"],
    ["EACCES", "storage_unavailable"],
    ["ENOSPC", "storage_full"],
    ["EIO", "storage_unavailable"],
  ])("%s is %s and names the path", (code, expected) => {
    const error = fileFailure(Object.assign(new Error(`${code}: oh`), { code }), "/a/b");
    expect(error).toMatchObject({ code: expected });
    if (code !== "ENOSPC") expect((error as Error).message).toContain("/a/b");
  });

  it("leave other errors as they are", () => {
    const app = new AppError("too_large", "x");
    expect(fileFailure(app, "/a")).toBe(app);
    expect(fileFailure(createAbortError(), "/a")).toMatchObject({ name: "AbortError" });
  });
});
