/**
 * The workers of a pool: started, fed, watched, ended. A question that its worker can't answer
 * rejects with `WorkerLostError`; the pool then answers it itself.
 */

import { EMBEDDING_DIMENSIONS } from "../model/vector.ts";
import type { ComputeWorker, ComputeWorkers } from "../ports/compute.ts";
import type { PoolReply, PoolRequest, ScanPart } from "./vector-pool-protocol.ts";
import type { Candidates, ScanPlan, SharedVectors, VectorHits } from "./vector-scanner.ts";

export class WorkerLostError extends Error {}

/** Queries of one message: they share its cost, but the last waits for all. */
const MAX_BATCH = 16;
/** Queries under way to one worker: it has the next at hand while this thread is busy with what others answered. */
const MAX_UNDER_WAY = 32;
/** A worker that is silent for this long with work at hand is taken for dead. */
const SILENCE_MS = 10_000;

interface Asked<T> {
  query: Float32Array;
  plan: ScanPlan;
  resolve: (answer: T) => void;
  reject: (error: Error) => void;
}
type Task =
  | (Asked<VectorHits> & { part: null })
  /** Of a query that several workers share. */
  | (Asked<Candidates> & { part: ScanPart });

export class VectorCrew {
  readonly #workers: ComputeWorkers;
  readonly #members: Member[] = [];
  #queue: Task[] = [];
  #flushing = false;
  #shared: SharedVectors | null = null;
  #wanted = 0;
  #lost = 0;
  #lastReason = "";

  constructor(workers: ComputeWorkers) {
    this.#workers = workers;
  }

  /** Workers that run now. */
  get size(): number {
    return this.#members.length;
  }

  /** Workers that ended by themselves since the crew was made, and what the last one said. */
  get losses(): { count: number; reason: string } {
    return { count: this.#lost, reason: this.#lastReason };
  }

  /** Questions asked and not answered yet. */
  get waiting(): number {
    return this.#members.reduce((sum, member) => sum + member.taskCount, this.#queue.length);
  }

  /** Has exactly `count` workers take part from now on; starts what is missing, ends what is too many. */
  resize(count: number): void {
    this.#wanted = count;
    while (this.#members.length > count) this.#members.pop()!.end("it was not needed");
    this.#startMissing();
    if (count === 0) this.#failQueue("the workers were ended");
    else this.#flush();
  }

  /** The hits in `shared`, from whichever worker has least to do. */
  ask(shared: SharedVectors, query: Float32Array, plan: ScanPlan): Promise<VectorHits> {
    return new Promise((resolve, reject) =>
      this.#enqueue(shared, { query, plan, part: null, resolve, reject }),
    );
  }

  /** The candidates of a part of the slots, to be joined with those of the others. */
  askPart(
    shared: SharedVectors,
    query: Float32Array,
    plan: ScanPlan,
    part: ScanPart,
  ): Promise<Candidates> {
    return new Promise((resolve, reject) =>
      this.#enqueue(shared, { query, plan, part, resolve, reject }),
    );
  }

  #enqueue(shared: SharedVectors, task: Task): void {
    this.#shared = shared;
    this.#queue.push(task);
    if (this.#flushing) return;
    this.#flushing = true;
    // Once the caller has asked all that it asks now, so that they go out together.
    queueMicrotask(() => {
      this.#flushing = false;
      if (this.#wanted === 0) this.#failQueue("the workers were ended");
      else this.#startMissing();
      this.#flush();
    });
  }

  #startMissing(): void {
    while (this.#members.length < this.#wanted) {
      // Scanner 0 is the owner's; an ended worker's place is free again.
      const taken = new Set(this.#members.map((member) => member.scanner));
      let scanner = 1;
      while (taken.has(scanner)) scanner++;
      let worker: ComputeWorker;
      try {
        worker = this.#workers.start();
      } catch (error) {
        // A platform that refuses at once; as if the worker had ended.
        this.#countLoss(error instanceof Error ? error.message : String(error));
        return;
      }
      const member: Member = new Member(worker, scanner, {
        answered: () => this.#flush(),
        lost: (reason) => this.#lose(member, reason),
      });
      this.#members.push(member);
    }
  }

  #lose(member: Member, reason: string): void {
    const at = this.#members.indexOf(member);
    // One that was ended on purpose left before.
    if (at < 0) return;
    this.#members.splice(at, 1);
    this.#countLoss(reason);
  }

  #countLoss(reason: string): void {
    this.#lost++;
    this.#lastReason = reason;
    // The next question starts another; those that wait for nobody are the asker's.
    if (this.#members.length === 0) this.#failQueue(reason);
    else this.#flush();
  }

  #failQueue(reason: string): void {
    const tasks = this.#queue;
    this.#queue = [];
    for (const task of tasks) task.reject(new WorkerLostError(reason));
  }

  #flush(): void {
    while (this.#queue.length > 0 && this.#shared !== null) {
      let free: Member | null = null;
      for (const member of this.#members)
        if (member.taskCount < MAX_UNDER_WAY && (!free || member.taskCount < free.taskCount))
          free = member;
      if (!free) return;
      free.give(this.#shared, this.#nextTasks());
    }
  }

  /** A part goes alone; whole queries together, but not more than each worker's share. */
  #nextTasks(): Task[] {
    const queue = this.#queue;
    const share = Math.min(MAX_BATCH, Math.ceil(queue.length / this.#members.length));
    let count = 1;
    if (queue[0]!.part === null) while (count < share && queue[count]!.part === null) count++;
    return queue.splice(0, count);
  }
}

class Member {
  readonly scanner: number;
  readonly #worker: ComputeWorker;
  readonly #events: { answered: () => void; lost: (reason: string) => void };
  readonly #batches = new Map<number, Task[]>();
  #attached: SharedVectors | null = null;
  #nextId = 0;
  #taskCount = 0;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  constructor(
    worker: ComputeWorker,
    scanner: number,
    events: { answered: () => void; lost: (reason: string) => void },
  ) {
    this.#worker = worker;
    this.scanner = scanner;
    this.#events = events;
    worker.onMessage((message) => this.#receive(message as PoolReply));
    worker.onEnd((reason) => this.end(reason));
    worker.setBusy(false);
  }

  get taskCount(): number {
    return this.#taskCount;
  }

  give(shared: SharedVectors, tasks: Task[]): void {
    if (this.#attached !== shared) {
      this.#attached = shared;
      this.#post({ type: "attach", shared, scanner: this.scanner });
    }
    const id = this.#nextId++;
    this.#batches.set(id, tasks);
    this.#taskCount += tasks.length;
    this.#watch();
    const { query, plan, part } = tasks[0]!;
    if (part) {
      this.#post({ type: "part", id, query, plan, part });
      return;
    }
    const queries = new Float32Array(tasks.length * EMBEDDING_DIMENSIONS);
    tasks.forEach((task, i) => queries.set(task.query, i * EMBEDDING_DIMENSIONS));
    const plans = tasks.map((task) => task.plan);
    this.#post({ type: "scan", id, queries, plans }, [queries.buffer]);
  }

  /** Also rejects what it was asked. */
  end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#silence);
    this.#worker.terminate();
    this.#events.lost(reason);
    for (const tasks of this.#batches.values())
      for (const task of tasks) task.reject(new WorkerLostError(reason));
    this.#batches.clear();
    this.#taskCount = 0;
  }

  #receive(reply: PoolReply): void {
    if (this.#ended) return;
    if (reply.type === "failed") {
      this.end(reply.reason);
      return;
    }
    const tasks = this.#batches.get(reply.id);
    if (!tasks) return;
    this.#batches.delete(reply.id);
    this.#taskCount -= tasks.length;
    this.#watch();
    // The next message is on its way before these answers are worked on.
    this.#events.answered();
    if (reply.type === "part") {
      const [task] = tasks;
      if (task!.part) task!.resolve(reply.candidates);
      return;
    }
    let at = 0;
    tasks.forEach((task, i) => {
      const count = reply.counts[i]!;
      const end = at + count;
      if (!task.part)
        task.resolve({
          ordinals: reply.ordinals.subarray(at, end),
          scores: reply.scores.subarray(at, end),
          count,
        });
      at = end;
    });
  }

  #watch(): void {
    clearTimeout(this.#silence);
    const busy = this.#batches.size > 0;
    this.#worker.setBusy(busy);
    if (busy)
      this.#silence = setTimeout(
        () => this.end(`it was silent for ${SILENCE_MS / 1000} s`),
        SILENCE_MS,
      );
  }

  #post(request: PoolRequest, transfer: ArrayBuffer[] = []): void {
    this.#worker.post(request, transfer);
  }
}
