/**
 * The page's hold on the engine: opens it once, keeps its status, facets and model state fresh
 * while things change, and tells why when it can't be opened. All pages read from here.
 */

import type { Engine, EngineStatus } from "../../../engine.ts";
import type { Facets } from "../../../model/query.ts";
import type { ModelState } from "../../../ports/embedder.ts";
import { openBrowserEngine, type BrowserEngine } from "../compose.ts";

/** Status is asked for at most this often while a long import changes the store. */
const REFRESH_MS = 700;
const FACETS_MS = 3_000;

class Session {
  phase = $state<"opening" | "ready" | "failed">("opening");
  error = $state.raw<unknown>(null);
  status = $state.raw<EngineStatus | null>(null);
  facets = $state.raw<Facets | null>(null);
  model = $state.raw<ModelState | null>(null);
  /** Grows whenever the store changed; pages that show its content depend on it. */
  generation = $state(0);
  /** Grows whenever a language model, a provider or what is known of them changed. */
  languageGeneration = $state(0);
  role = $state<"leader" | "follower">("leader");

  #opening: Promise<BrowserEngine> | null = null;
  #statusTimer: ReturnType<typeof setTimeout> | null = null;
  #facetsAtMs = 0;
  #facetsTimer: ReturnType<typeof setTimeout> | null = null;

  /** True where the browser gives no lasting storage: everything goes with the page. */
  get isFleeting(): boolean {
    return this.status?.store.kind === "memory";
  }

  /** True while a model could answer by meaning. */
  get hasModel(): boolean {
    return this.model?.state === "installed" || this.model?.state === "loaded";
  }

  /** The engine, opened on first use. */
  engine(): Promise<BrowserEngine> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /** Opens the engine and loads what the shell shows; never throws. */
  async start(): Promise<void> {
    this.phase = "opening";
    this.error = null;
    try {
      const engine = await this.engine();
      await this.refresh();
      this.role = engine.role();
      this.phase = "ready";
    } catch (error) {
      // The next attempt opens another engine, and must not wait for this one to let go.
      void this.#opening?.then((engine) => engine.close()).catch(() => undefined);
      this.#opening = null;
      this.error = error;
      this.phase = "failed";
    }
  }

  async #open(): Promise<BrowserEngine> {
    const engine = await openBrowserEngine();
    engine.subscribe((event) => {
      if (event.type === "changed") this.generation++;
      if (event.type === "language") this.languageGeneration++;
      this.refreshSoon();
    });
    return engine;
  }

  /** Reads status and model state now. */
  async refresh(): Promise<void> {
    const engine = await this.engine();
    const [status, model] = await Promise.all([engine.status(), engine.models.state()]);
    this.status = status;
    this.model = model;
    this.role = engine.role();
  }

  refreshSoon(): void {
    if (this.facets !== null) this.#facetsSoon();
    if (this.#statusTimer !== null) return;
    this.#statusTimer = setTimeout(() => {
      this.#statusTimer = null;
      // A failed refresh shows the state before it; the next call reports the failure itself.
      this.refresh().catch(() => undefined);
    }, REFRESH_MS);
  }

  #facetsSoon(): void {
    if (this.#facetsTimer !== null) return;
    this.#facetsTimer = setTimeout(
      () => {
        this.#facetsTimer = null;
        this.#facetsAtMs = 0;
        this.loadFacets().catch(() => undefined);
      },
      Math.max(0, this.#facetsAtMs + FACETS_MS - Date.now()),
    );
  }

  /** Counts for filters and statistics; kept fresh from the first call on. */
  async loadFacets(): Promise<Facets> {
    const engine = await this.engine();
    if (this.facets !== null && Date.now() - this.#facetsAtMs < FACETS_MS) return this.facets;
    this.facets = await engine.facets();
    this.#facetsAtMs = Date.now();
    return this.facets;
  }
}

export const session = new Session();

/** Shorthand for the pages. */
export function useEngine(): Promise<Engine> {
  return session.engine();
}
