/**
 * Any failure as one line for a person and one exit code for a program:
 * `llm-compress: what went wrong: where. What to do about it.`
 */

import { CommanderError } from "commander";
import { AppError, EXIT_CODE, isAbortError, toError } from "../../errors.ts";
import { printable } from "./output.ts";

export const EXIT_OK = 0;
export const EXIT_USAGE = EXIT_CODE.invalid_input;
/** The command ran to its end, but some of its items failed; each was reported. */
export const EXIT_PARTIAL = 10;
/** 128 + SIGINT. */
export const EXIT_INTERRUPTED = 130;
/** 128 + SIGPIPE: the reader of our output went away. */
export const EXIT_BROKEN_PIPE = 141;

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
  if (isAbortError(error)) return EXIT_INTERRUPTED;
  if (isBrokenPipe(error)) return EXIT_BROKEN_PIPE;
  return EXIT_CODE[(toError(error) as AppError).code];
}

export function isBrokenPipe(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === "EPIPE" || code === "ERR_STREAM_DESTROYED";
}

/** The one line, without its newline. */
export function describeFailure(error: { message: string; hint?: string | undefined }): string {
  const message = error.message.trim();
  const sentence = /[.!?…]$/u.test(message) ? message : `${message}.`;
  return printable(`llm-compress: ${sentence}${error.hint ? ` ${error.hint.trim()}` : ""}`);
}

const FILE_ERRORS: Record<string, { code: AppError["code"]; what: string; hint: string }> = {
  ENOENT: { code: "not_found", what: "There is no such file", hint: "Check the path." },
  ENOTDIR: {
    code: "not_found",
    what: "A part of the path is not a folder",
    hint: "Check the path.",
  },
  EISDIR: {
    code: "invalid_input",
    what: "This is a folder, not a file",
    hint: "Name a file, or use `batch --input-dir` for a folder.",
  },
  EACCES: {
    code: "storage_unavailable",
    what: "Permission denied",
    hint: "Check who owns the file and its permissions.",
  },
  EPERM: {
    code: "storage_unavailable",
    what: "Operation not permitted",
    hint: "Check who owns the file and its permissions.",
  },
  EROFS: {
    code: "storage_unavailable",
    what: "The file system is read-only",
    hint: "Choose another folder.",
  },
  EEXIST: {
    code: "invalid_input",
    what: "A file of this name is in the way",
    hint: "Choose another path, or move the file.",
  },
  ENAMETOOLONG: { code: "invalid_input", what: "The path is too long", hint: "Choose another." },
  ELOOP: {
    code: "invalid_input",
    what: "The symbolic links of this path lead in a circle",
    hint: "Check the path.",
  },
  EMFILE: {
    code: "storage_unavailable",
    what: "Too many files are open",
    hint: "Close other programs or raise the limit (`ulimit -n`).",
  },
};

/** A failure of the file system at `path` as an `AppError`; others pass unchanged. */
export function fileFailure(error: unknown, path: string): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  const known = typeof code === "string" ? FILE_ERRORS[code] : undefined;
  if (known)
    return new AppError(known.code, `${known.what}: ${path}`, { hint: known.hint, cause: error });
  const app = toError(error);
  if (!(app instanceof AppError) || app.code !== "internal") return app;
  return typeof code === "string"
    ? new AppError("storage_unavailable", `${path}: ${app.message}`, { cause: error })
    : app;
}
