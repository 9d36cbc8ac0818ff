/**
 * Work that is done at once when what it needs is in memory, and else waits for it: a generator that
 * yields what it waits for, or nothing where others may have a turn.
 */

export type Step = Promise<unknown> | undefined;
export type Steps<T> = Generator<Step, T, void>;

/** The value, waited for where it must be. */
export function* wait<T>(value: T | Promise<T>): Steps<T> {
  if (!(value instanceof Promise)) return value;
  let result: T | undefined;
  yield value.then((settled) => {
    result = settled;
  });
  return result as T;
}

/** Runs up to the end or to the first wait; from there it can be run on. */
export function runNow<T>(steps: Steps<T>): { value: T } | { waitsFor: Promise<unknown> } {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return { value: step.value };
    if (step.value !== undefined) return { waitsFor: step.value };
  }
}
