/**
 * Retention as its page shows it: the policy that is set, what it would move, applying it, and
 * taking that back while the store still can.
 */

import type { RetentionPolicy, RetentionPreview, RetentionReport } from "../../../model/episode.ts";
import { formatBytes, formatPlural } from "./format.ts";
import { session } from "./session.svelte.ts";
import { tasks } from "./tasks.svelte.ts";

class RetentionState {
  policy = $state.raw<RetentionPolicy | null>(null);
  preview = $state.raw<RetentionPreview | null>(null);
  /** The policy that `preview` belongs to. */
  previewed = $state.raw<RetentionPolicy | null>(null);
  previewing = $state(false);
  /** Of the last applying in this visit. */
  report = $state.raw<RetentionReport | null>(null);
  #turn = 0;

  async load(): Promise<RetentionPolicy> {
    const { retention } = await session.engine();
    this.policy = await retention.policy();
    return this.policy;
  }

  async save(policy: RetentionPolicy): Promise<void> {
    const { retention } = await session.engine();
    this.policy = await retention.setPolicy(policy);
  }

  /** What would move under a policy; the latest question wins. */
  async look(policy: RetentionPolicy): Promise<void> {
    const turn = ++this.#turn;
    this.previewing = true;
    try {
      const { retention } = await session.engine();
      const preview = await retention.preview(policy);
      if (turn !== this.#turn) return;
      this.preview = preview;
      this.previewed = policy;
    } finally {
      if (turn === this.#turn) this.previewing = false;
    }
  }

  forgetPreview(): void {
    this.#turn++;
    this.previewing = false;
    this.preview = null;
    this.previewed = null;
  }

  /** Moves what the set policy says, as a task. */
  async apply(): Promise<void> {
    if (tasks.find("retention")) return;
    const { finished } = tasks.start({
      kind: "retention",
      title: "Let old detail fade",
      run: async ({ control, signal, report, conclude }) => {
        const { retention } = await session.engine();
        this.report = await retention.apply({ control, signal, onProgress: report });
        conclude(describeRetention(this.report));
      },
    });
    await finished;
    this.forgetPreview();
    await session.refresh();
  }

  /** Takes back what moved; 0 when nothing could be. */
  async undo(): Promise<number> {
    const { retention } = await session.engine();
    const count = await retention.undo();
    this.report = null;
    this.forgetPreview();
    await session.refresh();
    return count;
  }
}

export const retentionState = new RetentionState();

export function describeRetention(report: RetentionReport): string {
  const held = report.held.reduce((sum, { count }) => sum + count, 0);
  const moved = `${formatPlural(report.moved, "memory", "memories")} moved, ${formatBytes(report.beforeBytes)} → ${formatBytes(report.afterBytes)}`;
  return held > 0
    ? `${moved}; ${formatPlural(held, "memory stays", "memories stay")} as before.`
    : `${moved}.`;
}
