/**
 * The comparison that its page shows: asked for as a task (a language model may take minutes), with
 * the text that was handed over from Remember.
 */

import type { Comparison, Evaluation } from "../../../model/comparison.ts";
import type { CompressionMode } from "../../../model/memory.ts";
import { session } from "./session.svelte.ts";
import { tasks, type Task } from "./tasks.svelte.ts";

export type CompareTarget = { id: string } | { text: string };

export interface CompareOptions {
  mode: CompressionMode;
  /** "" for what the settings say. */
  model: string;
}

class CompareState {
  /** Text to compare that is no memory; survives leaving the page. */
  draft = $state("");
  comparison = $state.raw<Comparison | null>(null);
  evaluation = $state.raw<Evaluation | null>(null);
  task = $state.raw<Task | null>(null);
  #latest: Task | null = null;

  /** Makes candidates for a text or memory; an earlier question that still runs is cancelled. */
  async compare(target: CompareTarget, { mode, model }: CompareOptions): Promise<void> {
    this.comparison = null;
    await this.#run("Compare summaries", async (signal) => {
      const engine = await session.engine();
      const comparison = await engine.compare(target, {
        mode,
        keep: "summary",
        ...(model === "" ? {} : { model }),
        signal,
      });
      if (!signal.aborted) this.comparison = comparison;
    });
  }

  /** Judges a summary that someone wrote. */
  async evaluate(original: string, summary: string, mode: CompressionMode): Promise<void> {
    this.evaluation = null;
    await this.#run("Judge a summary", async (signal) => {
      const engine = await session.engine();
      const evaluation = await engine.evaluate({ original, summary, mode }, { signal });
      if (!signal.aborted) this.evaluation = evaluation;
    });
  }

  clear(): void {
    this.#latest?.cancel();
    this.#latest = null;
    this.task = null;
    this.comparison = null;
    this.evaluation = null;
  }

  async #run(title: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#latest?.cancel();
    const { task, finished } = tasks.start({
      kind: "compare",
      title,
      pausable: false,
      run: async ({ signal }) => {
        await work(signal);
        signal.throwIfAborted();
      },
    });
    this.#latest = task;
    this.task = task;
    await finished;
    // The page shows what came of it; the tray is for what still runs.
    if (task.state !== "failed") tasks.dismiss(task);
    if (this.#latest === task) this.#latest = null;
  }
}

export const compareState = new CompareState();
