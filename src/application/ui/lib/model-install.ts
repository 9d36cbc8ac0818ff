/** Installing the embedding model as a task: progress, pause (the download continues where it was cut), and then the vectors that are missing. */

import { formatPlural } from "./format.ts";
import { runPausable } from "./pausable.ts";
import { session } from "./session.svelte.ts";
import { tasks } from "./tasks.svelte.ts";

export function installModel(): void {
  if (tasks.find("model")) return;
  const { finished } = tasks.start({
    kind: "model",
    title: "Install the embedding model",
    run: async ({ control, report, conclude }) => {
      const engine = await session.engine();
      await runPausable(control, (signal) =>
        engine.models.install({
          signal,
          onProgress: ({ doneBytes, totalBytes }) =>
            report({
              stage: "Downloading",
              done: doneBytes,
              total: totalBytes,
              doneBytes,
              totalBytes,
            }),
        }),
      );
      conclude("Installed. Search by meaning works now.");
      await session.refresh();
    },
  });
  void finished.then(() => {
    session.refreshSoon();
    if ((session.status?.embeddings.pendingCount ?? 0) > 0 && session.hasModel) embedMissing();
  });
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
