/** The networks that can make vectors, as the Models page shows and changes them. */

import type { EmbedderOption } from "../../../engine.ts";
import { embedMissing } from "./model-install.ts";
import { session } from "./session.svelte.ts";
import { tasks } from "./tasks.svelte.ts";

class EmbeddersState {
  options = $state.raw<EmbedderOption[] | null>(null);
  /** Name of the one that something is done with; null for the fetched one, undefined while nothing is. */
  busy = $state<string | null | undefined>(undefined);
  error = $state.raw<unknown>(null);

  async load(): Promise<void> {
    try {
      const engine = await session.engine();
      this.options = await engine.embedders.list();
    } catch (error) {
      this.error = error;
    }
  }

  /** Changes the network and begins to make the vectors again. */
  use(name: string | null): Promise<void> {
    return this.#run(name, async () => {
      const engine = await session.engine();
      // Vectors that are under way are made by the network before.
      const running = tasks.find("embed");
      running?.cancel();
      while (running?.active) await new Promise((resolve) => setTimeout(resolve, 50));
      await engine.embedders.use(name);
      await session.refresh();
      if (session.hasModel && (session.status?.embeddings.pendingCount ?? 0) > 0) embedMissing();
    });
  }

  remove(name: string): Promise<void> {
    return this.#run(name, async () => (await session.engine()).embedders.remove(name));
  }

  /** Measures the one in use. */
  measure(name: string | null): Promise<void> {
    return this.#run(name, async () => {
      await (await session.engine()).embedders.measure();
    });
  }

  async #run(name: string | null, work: () => Promise<unknown>): Promise<void> {
    if (this.busy !== undefined) return;
    this.busy = name;
    this.error = null;
    try {
      await work();
    } catch (error) {
      this.error = error;
    } finally {
      this.busy = undefined;
      session.refreshSoon();
      await this.load();
    }
  }
}

export const embedders = new EmbeddersState();
