/** The rule for paths inside a store, and the errors every file-store adapter gives. */

import { AppError } from "../errors.ts";

const PART = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

/** `invalid_input` unless `path` is "/"-separated parts of [A-Za-z0-9._-]; parts that begin with a dot are the adapter's own. */
export function checkStorePath(path: string): void {
  if (path.length > 200 || !path.split("/").every((part) => PART.test(part)))
    throw new AppError("invalid_input", `"${path.slice(0, 80)}" is not a path inside a store.`, {
      hint: 'Use letters, digits, ".", "_" and "-", with "/" between folders.',
    });
}

export function checkRange(offset: number, length: number | undefined): void {
  if (!Number.isSafeInteger(offset) || offset < 0 || (length !== undefined && !(length >= 0)))
    throw new AppError("invalid_input", `Bytes ${offset}+${length} are not a range of a file.`);
}

export function missingFile(path: string): AppError {
  return new AppError("not_found", `The store has no file "${path}".`);
}

export function closedStore(): AppError {
  return new AppError("closed", "The store was closed.", { hint: "Open it again." });
}

export function lockedStore(holder: string): AppError {
  return new AppError("store_locked", `The store is in use by ${holder}.`, {
    hint: "Close the other program or tab that uses this store, then try again.",
    retryable: true,
  });
}
