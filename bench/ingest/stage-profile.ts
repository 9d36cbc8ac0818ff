/**
 * Where the main thread's time goes, by stage of the ingest: V8's sampling profiler, each sample
 * given to the innermost frame of this project's own sources (so a library's time belongs to
 * whoever called it). Inference in WASM blocks the main thread, so its time is seen here too.
 */

import { Session, type Profiler } from "node:inspector";

export const STAGES = [
  "embed",
  "parse",
  "analyse",
  "entities",
  "summarise",
  "store",
  "index",
  "engine",
  "garbage collection",
  "other",
  "idle",
] as const;
export type Stage = (typeof STAGES)[number];

/** First match wins; paths below `src/`. */
const STAGE_OF: readonly [RegExp, Stage][] = [
  [/^processing\/embedding\/cache/, "engine"],
  [/^(processing\/embedding|platform\/node\/ort)/, "embed"],
  [/^processing\/content\/(formats|import-files|decoding|recognize|html|json|blob|crc32)/, "parse"],
  [/^processing\/content\/(quoted-text|dates)/, "parse"],
  [/^processing\/content\//, "analyse"],
  [/^processing\/compression\/(entit|facts)/, "entities"],
  [/^processing\/compression\//, "summarise"],
  [/^(storage|platform)\//, "store"],
  [/^(search|cognitive)\//, "index"],
  [/^(engine|create-engine)/, "engine"],
];

/** Frames that lost their caller: callbacks of libraries. */
const STAGE_OF_LIBRARY: readonly [RegExp, Stage][] = [
  [/onnxruntime/, "embed"],
  [/postal-mime|htmlparser2|entities|domhandler/, "parse"],
  [/compromise|wink/, "entities"],
  [/hyparquet|zstd|apache-arrow/, "store"],
  [/sqlite/, "index"],
];

const SAMPLE_MICROSECONDS = 2000;

export interface Measured<T> {
  result: T;
  seconds: number;
  /** Of all threads of the process. */
  cpuSeconds: number;
}

export interface StageTimes {
  /** Milliseconds by stage. */
  stages: Record<Stage, number>;
  /** Own functions (with what they call in libraries) by milliseconds, most first; without "embed". */
  hot: { where: string; ms: number }[];
}

export class StageProfile {
  readonly #session = new Session();
  readonly #stages = new Map<Stage, number>();
  readonly #hot = new Map<string, number>();

  constructor() {
    this.#session.connect();
  }

  async #post(method: string, params?: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#session.post(method, params, (error, result) =>
        error ? reject(error) : resolve(result),
      );
    });
  }

  /** Runs the work under the profiler and adds its samples to the sums; starting it isn't timed. */
  async measure<T>(work: () => Promise<T>): Promise<Measured<T>> {
    await this.#post("Profiler.enable");
    await this.#post("Profiler.setSamplingInterval", { interval: SAMPLE_MICROSECONDS });
    await this.#post("Profiler.start");
    const cpuFrom = process.cpuUsage();
    const from = performance.now();
    const result = await work();
    const seconds = (performance.now() - from) / 1000;
    const { user, system } = process.cpuUsage(cpuFrom);
    const { profile } = (await this.#post("Profiler.stop")) as { profile: Profiler.Profile };
    await this.#post("Profiler.disable");
    this.#add(profile);
    return { result, seconds, cpuSeconds: (user + system) / 1e6 };
  }

  #add(profile: Profiler.Profile): void {
    const parents = new Map<number, Profiler.ProfileNode>();
    const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
    for (const node of profile.nodes)
      for (const child of node.children ?? []) parents.set(child, node);
    const places = new Map<number, Place>();
    const placeOf = (id: number): Place => {
      const known = places.get(id);
      if (known) return known;
      const node = nodes.get(id)!;
      const parent = parents.get(id);
      const caller =
        parent && parent.callFrame.functionName !== "(root)" ? placeOf(parent.id) : null;
      const place =
        ownPlace(node) ??
        (caller?.isOwn ? caller : (libraryPlace(node) ?? caller ?? noPlace(node)));
      places.set(id, place);
      return place;
    };
    profile.samples?.forEach((id, i) => {
      const ms = (profile.timeDeltas?.[i] ?? 0) / 1000;
      const { stage, where } = placeOf(id);
      if (/\bbench\/ingest\//.test(where)) return; // the profiler's own start and end
      this.#stages.set(stage, (this.#stages.get(stage) ?? 0) + ms);
      if (stage !== "embed" && stage !== "idle")
        this.#hot.set(where, (this.#hot.get(where) ?? 0) + ms);
    });
  }

  get times(): StageTimes {
    return {
      stages: Object.fromEntries(
        STAGES.map((stage) => [stage, this.#stages.get(stage) ?? 0]),
      ) as Record<Stage, number>,
      hot: [...this.#hot].map(([where, ms]) => ({ where, ms })).sort((a, b) => b.ms - a.ms),
    };
  }
}

/** Where a frame's time is counted. */
interface Place {
  stage: Stage;
  where: string;
  /** From a frame of this project's sources, not guessed from a library's name. */
  isOwn: boolean;
}

function ownPlace({ callFrame }: Profiler.ProfileNode): Place | null {
  const path = /(?<!node_modules.*)\/src\/(.+)$/.exec(callFrame.url)?.[1];
  const stage = path && STAGE_OF.find(([pattern]) => pattern.test(path))?.[1];
  if (!stage) return null;
  const name = callFrame.functionName || "(anonymous)";
  return { stage, where: `src/${path}:${callFrame.lineNumber + 1} ${name}`, isOwn: true };
}

function libraryPlace({ callFrame }: Profiler.ProfileNode): Place | null {
  const stage = STAGE_OF_LIBRARY.find(([pattern]) => pattern.test(callFrame.url))?.[1];
  return stage ? { stage, where: describe(callFrame), isOwn: false } : null;
}

function noPlace({ callFrame }: Profiler.ProfileNode): Place {
  const stage =
    callFrame.functionName === "(garbage collector)"
      ? "garbage collection"
      : callFrame.functionName === "(idle)"
        ? "idle"
        : "other";
  return { stage, where: describe(callFrame), isOwn: false };
}

function describe({ url, functionName }: Profiler.ProfileNode["callFrame"]): string {
  return `${url.replace(/^.*\/node_modules\//, "")} ${functionName}`.trim();
}
