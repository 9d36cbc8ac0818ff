/**
 * The constant tables of the text model, made with integers only: a table computed with `Math.exp`
 * might differ between engines, and one differing bit would make stored text unreadable.
 */

/**
 * Logistic function times 65,536 at (i − 32) / 4: the only numbers that come from outside; between
 * them the tables are straight lines.
 */
const LOGISTIC = [
  22, 28, 36, 47, 60, 77, 98, 126, 162, 208, 267, 342, 439, 562, 720, 922, 1179, 1506, 1921, 2446,
  3108, 3938, 4971, 6249, 7812, 9702, 11955, 14595, 17625, 21025, 24743, 28693, 32768, 36843, 40793,
  44511, 47911, 50941, 53581, 55834, 57724, 59287, 60565, 61598, 62428, 63090, 63615, 64030, 64357,
  64614, 64816, 64974, 65097, 65194, 65269, 65328, 65374, 65410, 65438, 65459, 65476, 65489, 65500,
  65508, 65514,
] as const;

export interface ModelTables {
  /** By 2 × history + bit: the history after that bit. */
  next: Uint8Array;
  /** By history: the probability (of 65,536) of a one before anything is learned. */
  first: Uint16Array;
  /** By log odds × 256 + 2,048: probability × 65,536. */
  squash: Uint16Array;
  /** By probability × 4,096: log odds × 256, the inverse of `squash`. */
  stretch: Int16Array;
  /** By observations so far: how far a probability moves, × 8,192. */
  rates: Uint32Array;
}

/**
 * A bit history is (zeros, ones, last bit), numbered by how much it has seen; 0 has seen nothing.
 * By the smaller count: the most that the larger one may be.
 */
const MOST_BY_FEWER = [30, 16, 10, 7, 6, 6] as const;

function isHistory(zeros: number, ones: number): boolean {
  const most = MOST_BY_FEWER[Math.min(zeros, ones)];
  return most !== undefined && Math.max(zeros, ones) <= most;
}

/** A bit makes many of the other kind count for less: what was seen last matters most. */
function discount(count: number): number {
  if (count < 4) return count;
  if (count < 6) return 3;
  if (count < 9) return 4;
  return count < 17 ? 5 : 6;
}

function histories(): Pick<ModelTables, "next" | "first"> {
  const list: [zeros: number, ones: number, last: number][] = [];
  for (let total = 0; total <= 30; total++)
    for (let zeros = 0; zeros <= total; zeros++) {
      const ones = total - zeros;
      if (!isHistory(zeros, ones)) continue;
      if (zeros === 0 || ones === 0) list.push([zeros, ones, ones > 0 ? 1 : 0]);
      else list.push([zeros, ones, 0], [zeros, ones, 1]);
    }
  const numbers = new Map(list.map((history, i) => [history.join(), i]));
  const next = new Uint8Array(512);
  const first = new Uint16Array(256).fill(32768);
  list.forEach(([zeros, ones], i) => {
    for (const bit of [0, 1] as const) {
      let same = (bit ? ones : zeros) + 1;
      const other = discount(bit ? zeros : ones);
      while (!isHistory(same, other)) same--;
      const [newZeros, newOnes] = bit ? [other, same] : [same, other];
      const last = newZeros > 0 && newOnes > 0 ? bit : newOnes > 0 ? 1 : 0;
      next[i * 2 + bit] = numbers.get([newZeros, newOnes, last].join())!;
    }
    const share = Math.floor(((ones * 2 + 1) * 65536) / ((zeros + ones) * 2 + 2));
    first[i] = Math.min(65000, share);
  });
  return { next, first };
}

export function modelTables(): ModelTables {
  const squash = new Uint16Array(4096);
  for (let i = 0; i < 4096; i++) {
    const at = i >> 6;
    squash[i] = (LOGISTIC[at]! * (64 - (i & 63)) + LOGISTIC[at + 1]! * (i & 63)) >> 6;
  }
  const stretch = new Int16Array(4096);
  let x = 0;
  for (let p = 0; p < 4096; p++) {
    while (x < 4095 && squash[x]! < p * 16 + 8) x++;
    stretch[p] = Math.max(-2047, Math.min(2047, x - 2048));
  }
  const rates = Uint32Array.from({ length: 1024 }, (_, n) => Math.floor(16384 / (2 * n + 3)));
  return { ...histories(), squash, stretch, rates };
}
