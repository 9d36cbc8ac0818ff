/**
 * When the store compacts: by itself when the journal has grown, on request, to erase, and to finish
 * what was interrupted. One compaction at a time; how one is done is `compaction.ts`.
 */

import { AppError } from "../errors.ts";
import type { TaskOptions } from "../model/task-control.ts";
import { nextTurn } from "../next-turn.ts";
import { compactStore, type CompactionOptions } from "./compaction.ts";
import { isInDamagedSegment, listDamaged } from "./damage.ts";
import type { StoreChange } from "./memory-store.ts";
import { removeLeftovers, type StoreCore } from "./store-core.ts";
import type { ArrowStorageOptions } from "./store-options.ts";
import type { MemoryRecord } from "./store-state.ts";

/** While more is written, the journal grows to so many times its threshold before it is folded. */
const BUSY = { rows: 32, bytes: 12 };
/** Writers wait for compaction when the journal is so many times over its threshold. */
const BACKPRESSURE = { rows: 64, bytes: 24 };
/** Without a write for so long nobody waits for what a compaction takes. */
const QUIET_MS = 2_000;
/** Who wrote so recently goes on writing; a compaction beside that looks again after `PAUSE_MS`. */
const WRITING_MS = 1_000;
const PAUSE_MS = 20;
/** What one compaction waits for writers in all. */
const PATIENCE_MS = 30_000;

type Options = Required<Omit<ArrowStorageOptions, "cacheBytes" | "catalogCopyFromRows">>;

export class Compactions {
  readonly #core: StoreCore;
  readonly #options: Options;
  readonly #emit: (change: StoreChange) => void;
  /** Compactions run one after another. */
  #compacting: Promise<unknown> = Promise.resolve();
  #background: Promise<void> | null = null;
  #quiet: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  #lastWriteMs = -Infinity;
  /** Who waits for a compaction to end. */
  #waiting = 0;

  constructor(core: StoreCore, options: Options, emit: (change: StoreChange) => void) {
    this.#core = core;
    this.#options = options;
    this.#emit = emit;
  }

  /** No further one starts by itself; resolves when none runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#quiet);
    await this.idle();
  }

  /** Resolves when those begun so far have ended. */
  async idle(): Promise<void> {
    await this.#awaited(this.#compacting);
  }

  /** One that runs meanwhile doesn't give way to writers. */
  async #awaited<T>(compaction: Promise<T>): Promise<T> {
    this.#waiting++;
    try {
      return await compaction;
    } finally {
      this.#waiting--;
    }
  }

  /** The owner's: packs well, and carries out what can be undone until then. */
  async compact(options: TaskOptions = {}): Promise<void> {
    const run = this.#run({
      ...options,
      drop: "forgotten",
      level: this.#options.level,
      repack: true,
      codeTextsFromBytes: this.#options.codeTextsFromBytes || null,
    });
    await this.#awaited(run);
  }

  /** Folds the journal into segments; what was forgotten stays restorable. */
  fold(): Promise<boolean> {
    return this.#quick("none");
  }

  /** Finishes what was interrupted: an erasure, or leaving a damaged journal behind. */
  async settle(damagedJournal: boolean): Promise<void> {
    const erasing = this.#erasable().length;
    if (erasing > 0) {
      await this.#quick("erased");
      this.#core.recovered.push(`An interrupted erasure of ${erasing} memories was completed.`);
    } else if (damagedJournal)
      // The intact part is written out, so that the damage isn't met again; a failure changes nothing.
      await this.#quick("none").catch(() => undefined);
  }

  #erasable(): MemoryRecord[] {
    return [...this.#core.state.forgotten.values()]
      .filter(({ erase, record }) => erase && !isInDamagedSegment(this.#core, record))
      .map(({ record }) => record);
  }

  /**
   * Carries erasures out, also those that left files behind, and rejects while such are there;
   * `corrupt_data` when damaged files may still hold what was erased.
   */
  async erase(): Promise<void> {
    const { state, leftovers } = this.#core;
    if (leftovers.paths.size > 0 || [...state.forgotten.values()].some((found) => found.erase))
      await this.#quick("erased");
    const left = [...state.forgotten.values()].some((found) => found.erase);
    const damaged = await listDamaged(this.#core);
    if (left || damaged.length > 0)
      throw new AppError(
        "corrupt_data",
        "Everything that can be read was erased, but damaged files are left that may hold more.",
        {
          hint: `Restore them from a copy and erase again, or discard them: ${damaged.join(", ")}.`,
        },
      );
  }

  /** Without packing well or coding texts: those are for a compaction that was asked for. */
  #quick(drop: "erased" | "none"): Promise<boolean> {
    return this.#awaited(this.#run(this.#quickly(drop)));
  }

  #quickly(drop: "erased" | "none"): CompactionOptions {
    const level = this.#options.backgroundLevel;
    return { drop, level, repack: false, codeTextsFromBytes: null };
  }

  #run(options: CompactionOptions): Promise<boolean> {
    const run = this.#compacting.then(async () => {
      // Makes room on a full disk; what can't go now is tried again, and told, at the end.
      await removeLeftovers(this.#core).catch(() => undefined);
      const changed = await compactStore(this.#core, options);
      try {
        await removeLeftovers(this.#core);
      } catch (error) {
        // Folding promises nothing of old files; who erases or compacts must know.
        if (options.drop !== "none") throw error;
      } finally {
        if (changed) this.#emit({ type: "compacted" });
      }
      return changed;
    });
    this.#compacting = run.catch(() => undefined);
    return run;
  }

  #overThreshold(times = { rows: 1, bytes: 1 }): boolean {
    const { compactAtBytes, compactAtRows } = this.#options;
    const { journalPayloadBytes, journalRows } = this.#core;
    return (
      (compactAtBytes > 0 && journalPayloadBytes >= compactAtBytes * times.bytes) ||
      (compactAtRows > 0 && journalRows >= compactAtRows * times.rows)
    );
  }

  /**
   * Starts one when the journal is over its threshold and the writers are quiet, or beside them when
   * it is far over: many rows are folded in one go rather than in many, each rewriting the one before.
   */
  maybeStart(): void {
    clearTimeout(this.#quiet);
    this.#lastWriteMs = performance.now();
    if (this.#background || this.#stopped || !this.#overThreshold()) return;
    if (this.#overThreshold(BUSY)) return this.#startFold();
    this.#quiet = setTimeout(() => this.#startFold(), QUIET_MS);
    // A process that is done needn't wait for it.
    (this.#quiet as { unref?: () => void }).unref?.();
  }

  #startFold(): void {
    if (this.#background || this.#stopped) return;
    this.#background = this.#run({ ...this.#quickly("none"), turn: this.#turns() })
      // What failed here fails, and is told, at the next explicit call; nothing is lost meanwhile.
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => (this.#background = null));
  }

  /** Turns of a compaction beside writers: they go first, unless somebody waits for it or they wait themselves. */
  #turns(): () => Promise<void> {
    let patienceMs = PATIENCE_MS;
    const isBeside = () =>
      patienceMs > 0 &&
      !this.#stopped &&
      this.#waiting === 0 &&
      performance.now() - this.#lastWriteMs < WRITING_MS &&
      !this.#overThreshold(BACKPRESSURE);
    return async () => {
      await nextTurn();
      for (; isBeside(); patienceMs -= PAUSE_MS)
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    };
  }

  /** Writers wait here while the journal is far over its threshold. */
  async backpressure(): Promise<void> {
    if (this.#background && this.#overThreshold(BACKPRESSURE)) await this.#background;
  }
}
