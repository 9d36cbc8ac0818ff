/**
 * Every long task of the page: what runs, how far, how fast, how long, with pause, cancel and
 * retry. Shown by the activity tray; a page that started one may show it too.
 */

import { isAbortError } from "../../../errors.ts";
import { TaskControl, type Progress } from "../../../model/task-control.ts";
import { RateMeter, shareOf } from "./rate.ts";

export type TaskKind =
  | "import"
  | "model"
  | "embed"
  | "export"
  | "compact"
  | "erase"
  | "language-model"
  | "compare"
  | "summaries"
  | "episodes"
  | "retention"
  | "weights"
  | "quantize";
export type TaskState = "running" | "paused" | "done" | "failed" | "cancelled";

export interface TaskContext {
  control: TaskControl;
  signal: AbortSignal;
  report: (progress: Progress) => void;
  /** One sentence about the outcome, for the tray. */
  conclude: (text: string) => void;
}

export interface TaskSpec {
  kind: TaskKind;
  title: string;
  /** What it is about, where several of a kind may run: a model's id. */
  subject?: string;
  /** False where the work has no step at which it could wait. Default true. */
  pausable?: boolean;
  cancellable?: boolean;
  run: (context: TaskContext) => Promise<void>;
}

/** Progress reaches the page up to hundreds of times a second; it is drawn at most this often. */
const DRAW_MS = 100;

export class Task {
  readonly id: number;
  readonly spec: TaskSpec;
  state = $state<TaskState>("running");
  progress = $state.raw<Progress | null>(null);
  perSecond = $state<number | null>(null);
  remainingMs = $state<number | null>(null);
  /** Since the start, pauses included; counted in seconds while it runs. */
  elapsedMs = $state(0);
  outcome = $state("");
  error = $state.raw<unknown>(null);
  #control = new TaskControl();
  #meter = new RateMeter();
  #shareMeter = new RateMeter();
  #latest: Progress | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(id: number, spec: TaskSpec) {
    this.id = id;
    this.spec = spec;
  }

  get active(): boolean {
    return this.state === "running" || this.state === "paused";
  }

  /** 0–1, or null while it can't be told: by items once their number is known, by bytes read before. */
  get share(): number | null {
    return this.progress && shareOf(this.progress);
  }

  /** Whether speed and progress are told in bytes, not in items. */
  get countsBytes(): boolean {
    return ["model", "export", "language-model", "weights"].includes(this.spec.kind);
  }

  async run(): Promise<void> {
    this.state = "running";
    this.error = null;
    this.outcome = "";
    this.#control = new TaskControl();
    this.#resetMeters();
    this.elapsedMs = 0;
    const startedAtMs = performance.now();
    const clock = setInterval(() => (this.elapsedMs = performance.now() - startedAtMs), 1000);
    try {
      await this.spec.run({
        control: this.#control,
        signal: this.#control.signal,
        report: (progress) => this.#report(progress),
        conclude: (text) => (this.outcome = text),
      });
      this.state = this.#control.signal.aborted ? "cancelled" : "done";
    } catch (error) {
      if (isAbortError(error)) this.state = "cancelled";
      else {
        this.error = error;
        this.state = "failed";
      }
    } finally {
      clearInterval(clock);
      this.#draw();
    }
  }

  pause(): void {
    if (this.state !== "running") return;
    this.#control.pause();
    this.state = "paused";
  }

  resume(): void {
    if (this.state !== "paused") return;
    this.#resetMeters();
    this.state = "running";
    this.#control.resume();
  }

  cancel(): void {
    this.#control.cancel();
  }

  #report(progress: Progress): void {
    this.#latest = progress;
    this.#timer ??= setTimeout(() => this.#draw(), DRAW_MS);
  }

  #draw(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const progress = this.#latest;
    if (!progress) return;
    if (progress.stage !== this.progress?.stage) this.#resetMeters();
    const nowMs = performance.now();
    this.#meter.add(this.countsBytes ? (progress.doneBytes ?? 0) : progress.done, nowMs);
    const share = shareOf(progress);
    if (share !== null) this.#shareMeter.add(share, nowMs);
    this.progress = progress;
    this.perSecond = this.#meter.perSecond;
    this.remainingMs = share === null ? null : this.#shareMeter.remainingMs(1);
  }

  #resetMeters(): void {
    this.#meter.reset();
    this.#shareMeter.reset();
  }
}

class Tasks {
  list = $state.raw<Task[]>([]);
  #nextId = 1;

  get active(): Task[] {
    return this.list.filter((task) => task.active);
  }

  /** Starts at once; the task's own state carries failures, so the promise never rejects. */
  start(spec: TaskSpec): { task: Task; finished: Promise<void> } {
    const task = new Task(this.#nextId++, spec);
    this.list = [task, ...this.list].slice(0, 20);
    return { task, finished: task.run() };
  }

  find(kind: TaskKind): Task | undefined {
    return this.list.find((task) => task.spec.kind === kind && task.active);
  }

  clearFinished(): void {
    this.list = this.active;
  }

  dismiss(task: Task): void {
    this.list = this.list.filter((other) => other !== task);
  }
}

export const tasks = new Tasks();
