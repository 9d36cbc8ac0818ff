/**
 * Products, GPTQ's columns and the factor of their statistics in AssemblyScript with WebAssembly SIMD.
 * `reference-kernels.ts` is the specification: float32 sums run in the same order and are the same bit for
 * bit. Memory is the host's (`wasm-kernels.ts`). Matrices are row-major, float32 where nothing else is said.
 *
 * More than 400 lines: half of them are unrolled steps of four loops.
 */

/** 1.5 * 2^23: added to a float32 of small magnitude and taken away again, it leaves the nearest integer, ties to even. */
const ROUNDER: f32 = 12_582_912;

function sumOfLanes(lanes: v128): f32 {
  return (
    f32x4.extract_lane(lanes, 0) +
    f32x4.extract_lane(lanes, 1) +
    (f32x4.extract_lane(lanes, 2) + f32x4.extract_lane(lanes, 3))
  );
}

/**
 * inputs [count, columns] times four rows of weights, transposed: products of input i at
 * `out + (i * outColumns) * 4`, four of them. Both are padded with zeros to `padded` columns, a multiple of 4.
 */
export function multiplyFour(
  inputs: usize,
  count: u32,
  padded: u32,
  weights: usize,
  out: usize,
  outColumns: u32,
): void {
  const rowBytes = (<usize>padded) << 2;
  for (let i: u32 = 0; i < count; i++) {
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    let c = f32x4.splat(0);
    let d = f32x4.splat(0);
    const end = inputs + rowBytes;
    let weight = weights;
    for (; inputs < end; inputs += 16) {
      const input = v128.load(inputs);
      a = f32x4.add(a, f32x4.mul(input, v128.load(weight)));
      b = f32x4.add(b, f32x4.mul(input, v128.load(weight + rowBytes)));
      c = f32x4.add(c, f32x4.mul(input, v128.load(weight + 2 * rowBytes)));
      d = f32x4.add(d, f32x4.mul(input, v128.load(weight + 3 * rowBytes)));
      weight += 16;
    }
    store<f32>(out, sumOfLanes(a));
    store<f32>(out, sumOfLanes(b), 4);
    store<f32>(out, sumOfLanes(c), 8);
    store<f32>(out, sumOfLanes(d), 12);
    out += (<usize>outColumns) << 2;
  }
}

/** Columns [first, first + 4 * panels) of a [k, columns] matrix as panels of four, each [k, 4]; beyond `columns`: zeros. */
export function packPanels(
  matrix: usize,
  k: u32,
  columns: u32,
  first: u32,
  panels: u32,
  out: usize,
): void {
  for (let panel: u32 = 0; panel < panels; panel++) {
    const column = first + 4 * panel;
    let at = matrix + ((<usize>column) << 2);
    if (column + 4 <= columns)
      for (let row: u32 = 0; row < k; row++) {
        v128.store(out, v128.load(at));
        at += (<usize>columns) << 2;
        out += 16;
      }
    else
      for (let row: u32 = 0; row < k; row++) {
        for (let part: u32 = 0; part < 4; part++) {
          const value = column + part < columns ? load<f32>(at + ((<usize>part) << 2)) : 0;
          store<f32>(out + ((<usize>part) << 2), value);
        }
        at += (<usize>columns) << 2;
        out += 16;
      }
  }
}

/**
 * sums[4 * leftPanels, 4 * rightPanels] += leftᵀ right, over panels of k rows; with `upperOnly` what lies
 * left of the diagonal is skipped. `sums` has `sumColumns` columns.
 */
export function addCrossProduct(
  left: usize,
  leftPanels: u32,
  right: usize,
  rightPanels: u32,
  k: u32,
  sums: usize,
  sumColumns: u32,
  upperOnly: bool,
): void {
  const panelBytes = (<usize>k) << 4;
  const sumBytes = (<usize>sumColumns) << 2;
  for (let i: u32 = 0; i < leftPanels; i++) {
    const leftPanel = left + <usize>i * panelBytes;
    const leftEnd = leftPanel + panelBytes;
    for (let j: u32 = upperOnly ? i & ~1 : 0; j < rightPanels; j += 2) {
      const sum = sums + <usize>i * 4 * sumBytes + ((<usize>j) << 4);
      const isPair = j + 1 < rightPanels;
      let b = right + <usize>j * panelBytes;
      // A lone last panel is multiplied twice and stored once.
      let c = isPair ? b + panelBytes : b;
      const second: usize = isPair ? 16 : 0;
      let s00 = v128.load(sum);
      let s01 = v128.load(sum + second);
      let s10 = v128.load(sum + sumBytes);
      let s11 = v128.load(sum + sumBytes + second);
      let s20 = v128.load(sum + 2 * sumBytes);
      let s21 = v128.load(sum + 2 * sumBytes + second);
      let s30 = v128.load(sum + 3 * sumBytes);
      let s31 = v128.load(sum + 3 * sumBytes + second);
      for (let a = leftPanel; a < leftEnd; a += 16) {
        const r0 = v128.load(b);
        const r1 = v128.load(c);
        const l0 = v128.load32_splat(a);
        s00 = f32x4.add(s00, f32x4.mul(l0, r0));
        s01 = f32x4.add(s01, f32x4.mul(l0, r1));
        const l1 = v128.load32_splat(a, 4);
        s10 = f32x4.add(s10, f32x4.mul(l1, r0));
        s11 = f32x4.add(s11, f32x4.mul(l1, r1));
        const l2 = v128.load32_splat(a, 8);
        s20 = f32x4.add(s20, f32x4.mul(l2, r0));
        s21 = f32x4.add(s21, f32x4.mul(l2, r1));
        const l3 = v128.load32_splat(a, 12);
        s30 = f32x4.add(s30, f32x4.mul(l3, r0));
        s31 = f32x4.add(s31, f32x4.mul(l3, r1));
        b += 16;
        c += 16;
      }
      v128.store(sum, s00);
      v128.store(sum + second, s01);
      v128.store(sum + sumBytes, s10);
      v128.store(sum + sumBytes + second, s11);
      v128.store(sum + 2 * sumBytes, s20);
      v128.store(sum + 2 * sumBytes + second, s21);
      v128.store(sum + 3 * sumBytes, s30);
      v128.store(sum + 3 * sumBytes + second, s31);
    }
  }
}

/**
 * Rounds the columns [first, end) of GPTQ one after the other (`gptq.ts`), then takes their errors out of
 * all later ones. `open` is [columns, rows], columns in the order of rounding, rows padded to a multiple
 * of four; `factor` [columns, columns]; `groups` the group of each column, `scales`, `inverses` and
 * `zeroPoints` [groups, rows] in float32; `errors` [end - first, rows]; `codes` bytes, [columns, rows].
 */
export function roundColumns(
  open: usize,
  rows: u32,
  columns: u32,
  first: u32,
  end: u32,
  factor: usize,
  groups: usize,
  scales: usize,
  inverses: usize,
  zeroPoints: usize,
  lowest: f32,
  highest: f32,
  errors: usize,
  codes: usize,
): void {
  const rowBytes = (<usize>rows) << 2;
  const lows = f32x4.splat(lowest);
  const highs = f32x4.splat(highest);
  const rounder = f32x4.splat(ROUNDER);
  for (let i = first; i < end; i++) {
    const factors = factor + ((<usize>i * columns) << 2);
    const scaleError = f32x4.splat(<f32>(1.0 / <f64>load<f32>(factors + ((<usize>i) << 2))));
    const group = <usize>load<u32>(groups + ((<usize>i) << 2)) * rowBytes;
    const column = open + <usize>i * rowBytes;
    const error = errors + <usize>(i - first) * rowBytes;
    const code = codes + <usize>i * <usize>rows;
    for (let at: usize = 0; at < rowBytes; at += 16) {
      const value = v128.load(column + at);
      const by = v128.load(scales + group + at);
      const zero = v128.load(zeroPoints + group + at);
      const scaled = f32x4.mul(value, v128.load(inverses + group + at));
      const clamped = f32x4.pmin(f32x4.pmax(scaled, f32x4.sub(lows, zero)), f32x4.sub(highs, zero));
      const rounded = f32x4.sub(f32x4.add(clamped, rounder), rounder);
      const whole = i32x4.trunc_sat_f32x4_s(f32x4.add(rounded, zero));
      const narrow = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(whole, whole), i16x8.splat(0));
      store<u32>(code + (at >> 2), <u32>i32x4.extract_lane(narrow, 0));
      const lost = f32x4.sub(value, f32x4.mul(rounded, by));
      v128.store(error + at, f32x4.mul(lost, scaleError));
    }
    takeOut(open, rowBytes, error, 1, factors, columns, i + 1, end);
  }
  const firstFactors = factor + ((<usize>first * columns) << 2);
  takeOut(open, rowBytes, errors, end - first, firstFactors, columns, end, columns);
}

/** open[j] -= Σ errors[i] * factors[i, j] for j in [from, to), one i after the other. */
function takeOut(
  open: usize,
  rowBytes: usize,
  errors: usize,
  count: u32,
  factors: usize,
  columns: u32,
  from: u32,
  to: u32,
): void {
  const factorBytes = (<usize>columns) << 2;
  for (let j = from; j < to; j++) {
    const column = open + <usize>j * rowBytes;
    let at: usize = 0;
    for (; at + 64 <= rowBytes; at += 64) {
      let a = v128.load(column + at);
      let b = v128.load(column + at, 16);
      let c = v128.load(column + at, 32);
      let d = v128.load(column + at, 48);
      let factor = factors + ((<usize>j) << 2);
      let error = errors + at;
      for (let i: u32 = 0; i < count; i++) {
        const share = v128.load32_splat(factor);
        a = f32x4.sub(a, f32x4.mul(v128.load(error), share));
        b = f32x4.sub(b, f32x4.mul(v128.load(error, 16), share));
        c = f32x4.sub(c, f32x4.mul(v128.load(error, 32), share));
        d = f32x4.sub(d, f32x4.mul(v128.load(error, 48), share));
        factor += factorBytes;
        error += rowBytes;
      }
      v128.store(column + at, a);
      v128.store(column + at, b, 16);
      v128.store(column + at, c, 32);
      v128.store(column + at, d, 48);
    }
    for (; at < rowBytes; at += 16) {
      let a = v128.load(column + at);
      let factor = factors + ((<usize>j) << 2);
      let error = errors + at;
      for (let i: u32 = 0; i < count; i++) {
        a = f32x4.sub(a, f32x4.mul(v128.load(error), v128.load32_splat(factor)));
        factor += factorBytes;
        error += rowBytes;
      }
      v128.store(column + at, a);
    }
  }
}

/** Columns that are factored before what is right of them is brought up to date. */
const FACTOR_BLOCK: u32 = 32;

/**
 * L with A = L Lᵀ over the lower half of a [n, n] matrix of float64, in place (Cholesky, by blocks). False
 * when A isn't positive definite.
 */
export function factorLower(a: usize, n: u32): bool {
  const rowBytes = (<usize>n) << 3;
  for (let first: u32 = 0; first < n; first += FACTOR_BLOCK) {
    const end = min<u32>(n, first + FACTOR_BLOCK);
    for (let i = first; i < n; i++) {
      const rowI = a + <usize>i * rowBytes;
      const last = min<u32>(i, end - 1);
      for (let j = first; j <= last; j++) {
        const rowJ = a + <usize>j * rowBytes;
        const at = rowI + ((<usize>j) << 3);
        let sum = load<f64>(at);
        for (let k = first; k < j; k++) {
          const offset = (<usize>k) << 3;
          sum -= load<f64>(rowI + offset) * load<f64>(rowJ + offset);
        }
        if (i == j) {
          if (!(sum > 0)) return false;
          store<f64>(at, sqrt(sum));
        } else store<f64>(at, sum / load<f64>(rowJ + ((<usize>j) << 3)));
      }
    }
    takeOutBlock(a, n, first, end);
  }
  return true;
}

/** a[i, j] -= Σ a[i, k] a[j, k] over k in [first, end), for end ≤ j ≤ i. */
function takeOutBlock(a: usize, n: u32, first: u32, end: u32): void {
  const rowBytes = (<usize>n) << 3;
  const width = (<usize>(end - first)) << 3;
  const whole = width & ~15;
  for (let i = end; i < n; i += 2) {
    const isPair = i + 1 < n;
    const x0 = a + <usize>i * rowBytes + ((<usize>first) << 3);
    const x1 = isPair ? x0 + rowBytes : x0;
    // Both rows up to the second one's diagonal: the value right of the first one's is never read.
    const last = isPair ? i + 1 : i;
    for (let j = end; j <= last; j += 4) {
      const y0 = a + <usize>j * rowBytes + ((<usize>first) << 3);
      const y1 = j + 1 <= last ? y0 + rowBytes : y0;
      const y2 = j + 2 <= last ? y0 + 2 * rowBytes : y0;
      const y3 = j + 3 <= last ? y0 + 3 * rowBytes : y0;
      let s00 = f64x2.splat(0);
      let s01 = s00;
      let s02 = s00;
      let s03 = s00;
      let s10 = s00;
      let s11 = s00;
      let s12 = s00;
      let s13 = s00;
      for (let at: usize = 0; at < whole; at += 16) {
        const v0 = v128.load(x0 + at);
        const v1 = v128.load(x1 + at);
        const w0 = v128.load(y0 + at);
        s00 = f64x2.add(s00, f64x2.mul(v0, w0));
        s10 = f64x2.add(s10, f64x2.mul(v1, w0));
        const w1 = v128.load(y1 + at);
        s01 = f64x2.add(s01, f64x2.mul(v0, w1));
        s11 = f64x2.add(s11, f64x2.mul(v1, w1));
        const w2 = v128.load(y2 + at);
        s02 = f64x2.add(s02, f64x2.mul(v0, w2));
        s12 = f64x2.add(s12, f64x2.mul(v1, w2));
        const w3 = v128.load(y3 + at);
        s03 = f64x2.add(s03, f64x2.mul(v0, w3));
        s13 = f64x2.add(s13, f64x2.mul(v1, w3));
      }
      const to = a + <usize>i * rowBytes + ((<usize>j) << 3);
      takeOutFour(to, last - j, x0, y0, y1, y2, y3, whole, width, s00, s01, s02, s03);
      if (isPair)
        takeOutFour(to + rowBytes, last - j, x1, y0, y1, y2, y3, whole, width, s10, s11, s12, s13);
    }
  }
}

function takeOutFour(
  to: usize,
  others: u32,
  x: usize,
  y0: usize,
  y1: usize,
  y2: usize,
  y3: usize,
  whole: usize,
  width: usize,
  s0: v128,
  s1: v128,
  s2: v128,
  s3: v128,
): void {
  store<f64>(to, load<f64>(to) - pairSum(s0) - lone(x, y0, whole, width));
  if (others >= 1) store<f64>(to, load<f64>(to, 8) - pairSum(s1) - lone(x, y1, whole, width), 8);
  if (others >= 2) store<f64>(to, load<f64>(to, 16) - pairSum(s2) - lone(x, y2, whole, width), 16);
  if (others >= 3) store<f64>(to, load<f64>(to, 24) - pairSum(s3) - lone(x, y3, whole, width), 24);
}

function pairSum(lanes: v128): f64 {
  return f64x2.extract_lane(lanes, 0) + f64x2.extract_lane(lanes, 1);
}

/** The product of the last column of a block with an odd number of them. */
function lone(x: usize, y: usize, whole: usize, width: usize): f64 {
  return whole == width ? 0 : load<f64>(x + whole) * load<f64>(y + whole);
}

/** The inverse of a lower triangular [n, n] matrix of float64; `inverse` comes as zeros. */
export function invertLower(l: usize, n: u32, inverse: usize): void {
  const rowBytes = (<usize>n) << 3;
  // Two rows at a time: what they need of those above is read once.
  for (let i: u32 = 0; i < n; i += 2) {
    const row = l + <usize>i * rowBytes;
    const out = inverse + <usize>i * rowBytes;
    const isPair = i + 1 < n;
    const next = isPair ? row + rowBytes : row;
    const nextOut = out + rowBytes;
    const diagonal = (<usize>i) << 3;
    const pivot = 1.0 / load<f64>(row + diagonal);
    const between = isPair ? load<f64>(next + diagonal) : 0;
    const nextPivot = isPair ? 1.0 / load<f64>(next + diagonal, 8) : 0;
    let j: u32 = 0;
    // Rows k ≥ j alone have values at the columns from j on; those right of a row's diagonal are zeros.
    for (; j + 8 <= i; j += 8) {
      let s0 = f64x2.splat(0);
      let s1 = s0;
      let s2 = s0;
      let s3 = s0;
      let t0 = s0;
      let t1 = s0;
      let t2 = s0;
      let t3 = s0;
      let from = inverse + <usize>j * rowBytes + ((<usize>j) << 3);
      for (let at = (<usize>j) << 3; at < diagonal; at += 8) {
        const share = v128.load64_splat(row + at);
        const nextShare = v128.load64_splat(next + at);
        const v0 = v128.load(from);
        s0 = f64x2.add(s0, f64x2.mul(share, v0));
        t0 = f64x2.add(t0, f64x2.mul(nextShare, v0));
        const v1 = v128.load(from, 16);
        s1 = f64x2.add(s1, f64x2.mul(share, v1));
        t1 = f64x2.add(t1, f64x2.mul(nextShare, v1));
        const v2 = v128.load(from, 32);
        s2 = f64x2.add(s2, f64x2.mul(share, v2));
        t2 = f64x2.add(t2, f64x2.mul(nextShare, v2));
        const v3 = v128.load(from, 48);
        s3 = f64x2.add(s3, f64x2.mul(share, v3));
        t3 = f64x2.add(t3, f64x2.mul(nextShare, v3));
        from += rowBytes;
      }
      const to = (<usize>j) << 3;
      storePair(out + to, nextOut + to, isPair, s0, t0, pivot, between, nextPivot);
      storePair(out + to + 16, nextOut + to + 16, isPair, s1, t1, pivot, between, nextPivot);
      storePair(out + to + 32, nextOut + to + 32, isPair, s2, t2, pivot, between, nextPivot);
      storePair(out + to + 48, nextOut + to + 48, isPair, s3, t3, pivot, between, nextPivot);
    }
    for (; j < i; j++) {
      let sum: f64 = 0;
      let nextSum: f64 = 0;
      let from = inverse + <usize>j * rowBytes + ((<usize>j) << 3);
      for (let at = (<usize>j) << 3; at < diagonal; at += 8) {
        const value = load<f64>(from);
        sum += load<f64>(row + at) * value;
        nextSum += load<f64>(next + at) * value;
        from += rowBytes;
      }
      const to = (<usize>j) << 3;
      const value = -sum * pivot;
      store<f64>(out + to, value);
      if (isPair) store<f64>(nextOut + to, -(nextSum + between * value) * nextPivot);
    }
    store<f64>(out + diagonal, pivot);
    if (!isPair) return;
    store<f64>(nextOut + diagonal, -between * pivot * nextPivot);
    store<f64>(nextOut + diagonal, nextPivot, 8);
  }
}

function storePair(
  to: usize,
  nextTo: usize,
  isPair: bool,
  sums: v128,
  nextSums: v128,
  pivot: f64,
  between: f64,
  nextPivot: f64,
): void {
  const values = f64x2.mul(sums, f64x2.splat(-pivot));
  v128.store(to, values);
  if (!isPair) return;
  const all = f64x2.add(nextSums, f64x2.mul(f64x2.splat(between), values));
  v128.store(nextTo, f64x2.mul(all, f64x2.splat(-nextPivot)));
}
