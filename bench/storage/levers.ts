/**
 * What the layout of a segment is worth for text: the bodies of a store compressed again by page
 * size, order of rows and level. Each page is one ZSTD frame, as the writer makes them.
 */

import { loadZstd, type Zstd } from "../../src/storage/zstd.ts";

export interface Body {
  bytes: Uint8Array;
  timestamp: number;
  /** Key of the mail thread, or the subject. */
  thread: string;
}

export interface LeverRow {
  order: string;
  pageBytes: number;
  level: number;
  ratio: number;
  seconds: number;
}

const MB = 1024 * 1024;

/** All bodies in one frame: the figure to compare with. */
export async function solidRatio(bodies: readonly Body[], level: number): Promise<number> {
  const zstd = await loadZstd();
  const all = concat(bodies);
  return all.length / zstd.compress(all, level).length;
}

export async function measureLevers(
  bodies: readonly Body[],
  settings: readonly { order: string; pageBytes: number; level: number }[],
): Promise<LeverRow[]> {
  const zstd = await loadZstd();
  return settings.map((setting) => {
    const ordered = ORDERS[setting.order]!(bodies);
    const from = performance.now();
    const ratio = pagedRatio(zstd, ordered, setting.pageBytes, setting.level);
    return { ...setting, ratio, seconds: (performance.now() - from) / 1000 };
  });
}

/** One lever at a time, from the writer's own settings. */
export const LEVERS = [
  ...[0.5, 1, 2, 4, 8].map((size) => ({ order: "time", pageBytes: size * MB, level: 19 })),
  ...[2, 4, 8].map((size) => ({ order: "thread", pageBytes: size * MB, level: 19 })),
  ...[12, 22].map((level) => ({ order: "time", pageBytes: 2 * MB, level })),
];

const byTime = (a: Body, b: Body): number => a.timestamp - b.timestamp;

const ORDERS: Record<string, (bodies: readonly Body[]) => Body[]> = {
  time: (bodies) => [...bodies].sort(byTime),
  /** Threads by their first mail, whole; a quote then stands near what it quotes. */
  thread: (bodies) => {
    const threads = new Map<string, Body[]>();
    for (const body of [...bodies].sort(byTime)) {
      const own = threads.get(body.thread);
      if (own) own.push(body);
      else threads.set(body.thread, [body]);
    }
    return [...threads.values()].flat();
  },
};

function pagedRatio(zstd: Zstd, bodies: readonly Body[], pageBytes: number, level: number): number {
  let packed = 0;
  let total = 0;
  let page: Body[] = [];
  let size = 0;
  const flush = (): void => {
    if (page.length > 0) packed += zstd.compress(concat(page), level).length;
    [page, size] = [[], 0];
  };
  for (const body of bodies) {
    page.push(body);
    size += body.bytes.length;
    total += body.bytes.length;
    if (size >= pageBytes) flush();
  }
  flush();
  return total / packed;
}

function concat(bodies: readonly Body[]): Uint8Array {
  const all = new Uint8Array(bodies.reduce((sum, body) => sum + body.bytes.length, 0));
  let at = 0;
  for (const { bytes } of bodies) {
    all.set(bytes, at);
    at += bytes.length;
  }
  return all;
}
