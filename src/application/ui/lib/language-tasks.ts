/** Long work with language models, as tasks: installing one, writing summaries again, building episodes. */

import type { Receipt } from "../../../engine.ts";
import type { LanguageModelInfo } from "../../../model/language-model.ts";
import type { CompressionMode } from "../../../model/memory.ts";
import { episodeNews } from "./episodes.svelte.ts";
import { formatBytes, formatPlural } from "./format.ts";
import { languageState } from "./language.svelte.ts";
import { runPausable } from "./pausable.ts";
import { session } from "./session.svelte.ts";
import { tasks, type Task } from "./tasks.svelte.ts";

/** The task that installs this model, while it runs or after it failed. */
export function installTask(id: string): Task | undefined {
  return tasks.list.find((task) => task.spec.kind === "language-model" && task.spec.subject === id);
}

export function installLanguageModel(model: LanguageModelInfo): void {
  const before = installTask(model.id);
  if (before?.active) return;
  if (before) tasks.dismiss(before);
  const { finished } = tasks.start({
    kind: "language-model",
    subject: model.id,
    title: `Install ${model.title}`,
    run: async ({ control, report, conclude }) => {
      const engine = await session.engine();
      await runPausable(control, (signal) =>
        engine.language.install(model.id, { signal, onProgress: report }),
      );
      conclude(`Installed${model.sizeBytes ? `, ${formatBytes(model.sizeBytes)}` : ""}.`);
    },
  });
  void finished.then(() => languageState.load());
}

/** What came of writing summaries again, in one sentence. */
export function describeRewrite(receipts: readonly Receipt[]): string {
  const failed = receipts.filter((receipt) => receipt.status === "failed").length;
  const written = receipts.length - failed;
  const parts = [`${formatPlural(written, "summary", "summaries")} looked at again`];
  if (failed > 0) parts.push(`${failed} failed`);
  const reason = receipts.find((receipt) => receipt.modelReason ?? receipt.keepReason);
  const why = reason?.modelReason ?? reason?.keepReason;
  return `${parts.join(", ")}.${why === undefined ? "" : ` ${why}`}`;
}

export interface Rewrite {
  ids: string[];
  mode: CompressionMode;
  model?: string | undefined;
}

/** Writes the summaries of memories again; resolves with the receipts, or null when it ended before. */
export async function rewriteSummaries({ ids, mode, model }: Rewrite): Promise<Receipt[] | null> {
  let receipts: Receipt[] | null = null;
  const { finished } = tasks.start({
    kind: "summaries",
    title: `Write ${formatPlural(ids.length, "summary", "summaries")} again`,
    run: async ({ control, signal, report, conclude }) => {
      const engine = await session.engine();
      receipts = await engine.resummarize(
        { ids },
        {
          mode,
          ...(model ? { model } : {}),
          control,
          signal,
          onProgress: report,
        },
      );
      conclude(describeRewrite(receipts));
    },
  });
  await finished;
  session.refreshSoon();
  return receipts;
}

/** Groups memories into episodes; with `rebuild` all of them anew. */
export function buildEpisodes(mode: CompressionMode, rebuild: boolean): Promise<void> {
  if (tasks.find("episodes")) return Promise.resolve();
  const { finished } = tasks.start({
    kind: "episodes",
    title: rebuild ? "Build all episodes again" : "Build episodes",
    run: async ({ control, signal, report, conclude }) => {
      const engine = await session.engine();
      const made = await engine.episodes.build({
        mode,
        rebuild,
        control,
        signal,
        onProgress: report,
      });
      episodeNews.refused = made.refused;
      const parts = [`${formatPlural(made.created, "episode")} made`];
      if (made.updated > 0) parts.push(`${made.updated} brought up to date`);
      if (made.refused.length > 0) parts.push(`${made.refused.length} without a gist that passes`);
      conclude(
        `${parts.join(", ")}; ${formatPlural(made.memberCount, "memory belongs", "memories belong")} to one now.`,
      );
    },
  });
  return finished.then(() => session.refreshSoon());
}
