/**
 * The models that are open: lent for the time of a call, shared by calls side by side, closed after
 * a while without any. One that failed for good is opened anew next time.
 */

import { AppError, createAbortError, throwIfAborted, type ErrorCode } from "../errors.ts";
import type { LanguageModel, InstallProgress } from "../ports/language-model.ts";

const IDLE_MS = 5 * 60_000;

/** After these the open model is of no use any more. */
const LOST: ReadonlySet<ErrorCode> = new Set([
  "model_missing",
  "worker_lost",
  "closed",
  "unauthorized",
]);

interface Open {
  model: Promise<LanguageModel>;
  users: number;
  timer: ReturnType<typeof setTimeout> | null;
}

export type OpenModel = (
  id: string,
  onProgress: ((progress: InstallProgress) => void) | undefined,
) => Promise<LanguageModel>;

export class OpenModels {
  readonly #open = new Map<string, Open>();
  readonly #openModel: OpenModel;

  constructor(openModel: OpenModel) {
    this.#openModel = openModel;
  }

  /** Opens where needed and lends the model to `work`. Abandoning the wait leaves others waiting. */
  async lend<T>(
    id: string,
    signal: AbortSignal | undefined,
    work: (model: LanguageModel) => Promise<T>,
    onProgress?: (progress: InstallProgress) => void,
  ): Promise<T> {
    throwIfAborted(signal);
    const entry = this.#entry(id, onProgress);
    entry.users++;
    if (entry.timer !== null) clearTimeout(entry.timer);
    entry.timer = null;
    try {
      const model = await unlessAborted(entry.model, signal);
      return await work(model);
    } catch (error) {
      if (error instanceof AppError && LOST.has(error.code)) this.#forget(id, entry);
      throw error;
    } finally {
      entry.users--;
      if (entry.users === 0) this.#closeLater(id, entry);
    }
  }

  /** Closes one now; calls under way end as its source ends them. */
  async close(id: string): Promise<void> {
    const entry = this.#open.get(id);
    if (entry) await this.#forget(id, entry);
  }

  /** Closes the models whose id begins so. */
  async closeAll(prefix = ""): Promise<void> {
    await Promise.all(
      [...this.#open]
        .filter(([id]) => id.startsWith(prefix))
        .map(([id, entry]) => this.#forget(id, entry)),
    );
  }

  #entry(id: string, onProgress: ((progress: InstallProgress) => void) | undefined): Open {
    const known = this.#open.get(id);
    if (known) return known;
    const entry: Open = { model: this.#openModel(id, onProgress), users: 0, timer: null };
    this.#open.set(id, entry);
    // One that can't be opened is tried again by the next call.
    entry.model.catch(() => {
      if (this.#open.get(id) === entry) this.#open.delete(id);
    });
    return entry;
  }

  #closeLater(id: string, entry: Open): void {
    if (this.#open.get(id) !== entry) return;
    entry.timer = setTimeout(() => void this.#forget(id, entry), IDLE_MS);
    (entry.timer as { unref?: () => void }).unref?.();
  }

  async #forget(id: string, entry: Open): Promise<void> {
    if (this.#open.get(id) === entry) this.#open.delete(id);
    if (entry.timer !== null) clearTimeout(entry.timer);
    await entry.model.then((model) => model.close()).catch(() => undefined);
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(createAbortError());
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
