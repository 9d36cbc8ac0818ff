/** A download that knows only "abort" and "call again", driven by a task that can pause. */

import { isAbortError } from "../../../errors.ts";
import type { TaskControl } from "../../../model/task-control.ts";

/**
 * Runs `step` until it ends by itself. A pause aborts the step (what arrived stays) and, once
 * resumed, calls it again; a cancel ends in `AbortError`.
 */
export async function runPausable(
  control: TaskControl,
  step: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  for (;;) {
    await control.checkpoint();
    const abort = new AbortController();
    const cancel = (): void => abort.abort();
    const stopWatching = control.onPauseChange((paused) => {
      if (paused) abort.abort();
    });
    control.signal.addEventListener("abort", cancel, { once: true });
    try {
      await step(abort.signal);
      return;
    } catch (error) {
      if (!isAbortError(error) || control.signal.aborted || !control.paused) throw error;
    } finally {
      stopWatching();
      control.signal.removeEventListener("abort", cancel);
    }
  }
}
