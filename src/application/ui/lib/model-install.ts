/** Installing the embedding model as a task: progress, pause (the download continues where it was cut), and then the vectors that are missing. */

import { isAbortError } from "../../../errors.ts";
import type { TaskControl } from "../../../model/task-control.ts";
import { formatPlural } from "./format.ts";
import { session } from "./session.svelte.ts";
import { tasks } from "./tasks.svelte.ts";

/** How often a paused or cancelled state is looked at while the download runs. */
const POLL_MS = 150;

export function installModel(): void {
  if (tasks.find("model")) return;
  const { finished } = tasks.start({
    kind: "model",
    title: "Install the embedding model",
    run: async ({ control, signal, report, conclude }) => {
      const engine = await session.engine();
      for (;;) {
        await control.checkpoint();
        const step = new AbortController();
        const stopWatching = abortWhenHeld(control, signal, step);
        try {
          await engine.models.install({
            signal: step.signal,
            onProgress: ({ doneBytes, totalBytes }) =>
              report({
                stage: "Downloading",
                done: doneBytes,
                total: totalBytes,
                doneBytes,
                totalBytes,
              }),
          });
          break;
        } catch (error) {
          // A pause cuts the request; the bytes that arrived stay and the next round continues.
          if (!isAbortError(error) || signal.aborted || !control.paused) throw error;
        } finally {
          stopWatching();
        }
      }
      conclude("Installed. Search by meaning works now.");
      await session.refresh();
    },
  });
  void finished.then(() => {
    session.refreshSoon();
    if ((session.status?.embeddings.pendingCount ?? 0) > 0 && session.hasModel) embedMissing();
  });
}

function abortWhenHeld(
  control: TaskControl,
  signal: AbortSignal,
  step: AbortController,
): () => void {
  const timer = setInterval(() => {
    if (control.paused) step.abort();
  }, POLL_MS);
  const cancel = (): void => step.abort();
  signal.addEventListener("abort", cancel, { once: true });
  return () => {
    clearInterval(timer);
    signal.removeEventListener("abort", cancel);
  };
}

/** Makes the vectors of memories that were stored while no model was there. */
export function embedMissing(): void {
  if (tasks.find("embed")) return;
  const { finished } = tasks.start({
    kind: "embed",
    title: "Read memories for meaning",
    run: async ({ control, signal, report, conclude }) => {
      const engine = await session.engine();
      const count = await engine.embedMissing({ control, signal, onProgress: report });
      conclude(`${formatPlural(count, "memory", "memories")} can now be found by meaning.`);
    },
  });
  void finished.then(() => session.refreshSoon());
}
