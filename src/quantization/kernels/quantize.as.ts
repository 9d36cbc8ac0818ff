/**
 * The kernels of quantization in AssemblyScript with WebAssembly SIMD. `reference-kernels.ts` is their
 * specification: the same results bit for bit, products included, whose sums run in the same order.
 * Memory is the host's (`wasm-kernels.ts`); nothing is allocated here. Matrices are row-major, float32.
 */

/** Shares of the full range that the clip search tries (`affine-range.ts`). */
const CLIP_STEPS: i32 = 24;
const SMALLEST_SHARE: f64 = 0.35;
/** Scales below it count as 0. */
const MIN_SCALE: f64 = 2.3509887016445750159e-38;
/** The bits of 2^126, the largest weight. */
const MAX_WEIGHT_BITS: i32 = 0x7e80_0000;
/** 1.5 * 2^23: added to a float32 of small magnitude, it leaves the nearest integer in the low bits, ties to even. */
const ROUNDER: f32 = 12_582_912;
const ROUNDER_BITS: i32 = 0x4b40_0000;

// The range that was chosen last.
let scale: f32 = 0;
let zeroPoint: i32 = 0;

function setRange(low: f64, high: f64, bits: u32, symmetric: bool): void {
  const highest = <f64>((1 << bits) - 1);
  let wanted: f64;
  if (symmetric) {
    const middle = 1 << (bits - 1);
    wanted = max<f64>(-low, high) / <f64>(middle - 1);
    zeroPoint = middle;
    scale = wanted < MIN_SCALE ? 0 : <f32>wanted;
    return;
  }
  wanted = high / highest - low / highest;
  scale = wanted < MIN_SCALE ? 0 : <f32>wanted;
  const zero: f64 = scale == 0 ? 0 : nearest<f64>(-low / <f64>scale);
  zeroPoint = <i32>min<f64>(highest, max<f64>(0, zero));
}

function inverseOf(step: f32): f32 {
  return step == 0 ? 0 : <f32>(1.0 / <f64>step);
}

/** What a value becomes: its code minus the zero point. */
function encode(value: f32, inverse: f32, low: f32, high: f32): i32 {
  const clamped = min<f32>(max<f32>(value * inverse, low), high);
  return reinterpret<i32>(clamped + ROUNDER) - ROUNDER_BITS;
}

function sumOfLanes(lanes: v128): f32 {
  return (
    f32x4.extract_lane(lanes, 0) +
    f32x4.extract_lane(lanes, 1) +
    (f32x4.extract_lane(lanes, 2) + f32x4.extract_lane(lanes, 3))
  );
}

/** What rounding by a range loses, each column's square times its weight when `weights` isn't 0. */
function squaredError(
  values: usize,
  count: u32,
  weights: usize,
  by: f32,
  zero: i32,
  bits: u32,
  lowest: i32,
): f32 {
  const inverse = inverseOf(by);
  const low = <f32>(lowest - zero);
  const high = <f32>((1 << bits) - 1 - zero);
  const lows = f32x4.splat(low);
  const highs = f32x4.splat(high);
  const inverses = f32x4.splat(inverse);
  const scales = f32x4.splat(by);
  const rounder = f32x4.splat(ROUNDER);
  let sums = f32x4.splat(0);
  const whole = count & ~3;
  const end = values + ((<usize>whole) << 2);
  let weight = weights;
  for (let at = values; at < end; at += 16) {
    const value = v128.load(at);
    const clamped = f32x4.pmin(f32x4.pmax(f32x4.mul(value, inverses), lows), highs);
    const code = f32x4.sub(f32x4.add(clamped, rounder), rounder);
    const error = f32x4.sub(f32x4.mul(code, scales), value);
    let weighted = error;
    if (weights != 0) {
      weighted = f32x4.mul(v128.load(weight), error);
      weight += 16;
    }
    sums = f32x4.add(sums, f32x4.mul(weighted, error));
  }
  for (let i = whole; i < count; i++) {
    const value = load<f32>(values + ((<usize>i) << 2));
    const error = <f32>encode(value, inverse, low, high) * by - value;
    const weighted = weights == 0 ? error : load<f32>(weights + ((<usize>i) << 2)) * error;
    const square = weighted * error;
    // The lane that a whole group of four would put it in.
    const lane = i & 3;
    if (lane == 0) sums = f32x4.add(sums, f32x4(square, 0, 0, 0));
    else if (lane == 1) sums = f32x4.add(sums, f32x4(0, square, 0, 0));
    else sums = f32x4.add(sums, f32x4(0, 0, square, 0));
  }
  return sumOfLanes(sums);
}

/** Sets scale and zero point of a group; false when a value isn't a weight. */
function chooseRange(
  values: usize,
  count: u32,
  weights: usize,
  bits: u32,
  symmetric: bool,
  clip: bool,
): bool {
  const magnitude = i32x4.splat(0x7fff_ffff);
  // Two of each, so that one needn't wait for the other.
  let lows = f32x4.splat(0);
  let highs = lows;
  let sizes = i32x4.splat(0);
  let otherLows = lows;
  let otherHighs = lows;
  let otherSizes = sizes;
  const whole = count & ~3;
  const end = values + ((<usize>whole) << 2);
  let at = values;
  for (; at + 32 <= end; at += 32) {
    const value = v128.load(at);
    const other = v128.load(at, 16);
    lows = f32x4.pmin(lows, value);
    otherLows = f32x4.pmin(otherLows, other);
    highs = f32x4.pmax(highs, value);
    otherHighs = f32x4.pmax(otherHighs, other);
    sizes = i32x4.max_u(sizes, v128.and(value, magnitude));
    otherSizes = i32x4.max_u(otherSizes, v128.and(other, magnitude));
  }
  if (at < end) {
    const value = v128.load(at);
    lows = f32x4.pmin(lows, value);
    highs = f32x4.pmax(highs, value);
    sizes = i32x4.max_u(sizes, v128.and(value, magnitude));
  }
  lows = f32x4.pmin(lows, otherLows);
  lows = f32x4.pmin(lows, v128.shuffle<u32>(lows, lows, 2, 3, 0, 1));
  lows = f32x4.pmin(lows, v128.shuffle<u32>(lows, lows, 1, 0, 3, 2));
  highs = f32x4.pmax(highs, otherHighs);
  highs = f32x4.pmax(highs, v128.shuffle<u32>(highs, highs, 2, 3, 0, 1));
  highs = f32x4.pmax(highs, v128.shuffle<u32>(highs, highs, 1, 0, 3, 2));
  sizes = i32x4.max_u(sizes, otherSizes);
  sizes = i32x4.max_u(sizes, v128.shuffle<u32>(sizes, sizes, 2, 3, 0, 1));
  sizes = i32x4.max_u(sizes, v128.shuffle<u32>(sizes, sizes, 1, 0, 3, 2));
  let low = f32x4.extract_lane(lows, 0);
  let high = f32x4.extract_lane(highs, 0);
  let size = i32x4.extract_lane(sizes, 0);
  for (let i = whole; i < count; i++) {
    const value = load<f32>(values + ((<usize>i) << 2));
    if (value < low) low = value;
    if (value > high) high = value;
    size = max<i32>(size, reinterpret<i32>(value) & 0x7fff_ffff);
  }
  if (size > MAX_WEIGHT_BITS) return false;
  setRange(<f64>low, <f64>high, bits, symmetric);
  if (!clip || scale == 0) return true;

  const lowest = symmetric ? 1 : 0;
  let bestScale = scale;
  let bestZero = zeroPoint;
  let bestError: f32 = Infinity;
  for (let step = 0; step < CLIP_STEPS; step++) {
    const share: f64 = 1.0 - (<f64>step * (1.0 - SMALLEST_SHARE)) / <f64>(CLIP_STEPS - 1);
    setRange(<f64>low * share, <f64>high * share, bits, symmetric);
    if (scale == 0) break;
    const zero = zeroPoint;
    const error = squaredError(values, count, weights, scale, zero, bits, lowest);
    if (error < bestError) {
      bestError = error;
      bestScale = scale;
      bestZero = zero;
    }
    if (symmetric || bits > 4) continue;
    for (let other = zero - 1; other <= zero + 1; other += 2) {
      if (other < 0 || other >= 1 << bits) continue;
      const shifted = squaredError(values, count, weights, scale, other, bits, lowest);
      if (shifted < bestError) {
        bestError = shifted;
        bestScale = scale;
        bestZero = other;
      }
    }
  }
  scale = bestScale;
  zeroPoint = bestZero;
  return true;
}

/**
 * Scale and zero point of each group of `groupColumns` in a row, `scales` and `zeroPoints` (bytes) in
 * row-major order of the groups. Gives the first row with a value that isn't a weight, or -1.
 */
export function chooseRanges(
  values: usize,
  rows: u32,
  columns: u32,
  groupColumns: u32,
  weights: usize,
  bits: u32,
  symmetric: bool,
  clip: bool,
  scales: usize,
  zeroPoints: usize,
): i32 {
  for (let row: u32 = 0; row < rows; row++) {
    for (let start: u32 = 0; start < columns; start += groupColumns) {
      const count = min<u32>(groupColumns, columns - start);
      const weightsHere: usize = weights == 0 ? 0 : weights + ((<usize>start) << 2);
      const at = values + ((<usize>row * columns + start) << 2);
      if (!chooseRange(at, count, weightsHere, bits, symmetric, clip)) return <i32>row;
      store<f32>(scales, scale);
      store<u8>(zeroPoints, <u8>zeroPoint);
      scales += 4;
      zeroPoints++;
    }
  }
  return -1;
}

/** Codes of all rows, packed. `groupStep` is 0 where all rows share one scale. `codes` holds a row of bytes. */
export function encodeRows(
  values: usize,
  rows: u32,
  columns: u32,
  groupColumns: u32,
  groupStep: u32,
  bits: u32,
  lowest: i32,
  scales: usize,
  zeroPoints: usize,
  codes: usize,
  packed: usize,
): void {
  const rowBytes = (<usize>columns * bits + 7) >> 3;
  const highest = (1 << bits) - 1;
  for (let row: u32 = 0; row < rows; row++) {
    let group = row * groupStep;
    const target = bits == 8 ? packed : codes;
    for (let start: u32 = 0; start < columns; start += groupColumns) {
      const count = min<u32>(groupColumns, columns - start);
      encodeGroup(
        values + ((<usize>start) << 2),
        count,
        inverseOf(load<f32>(scales + ((<usize>group) << 2))),
        <i32>load<u8>(zeroPoints + <usize>group),
        lowest,
        highest,
        target + start,
      );
      group++;
    }
    if (bits != 8) packCodes(codes, columns, bits, packed);
    values += (<usize>columns) << 2;
    packed += rowBytes;
  }
}

function encodeGroup(
  values: usize,
  count: u32,
  inverse: f32,
  zero: i32,
  lowest: i32,
  highest: i32,
  codes: usize,
): void {
  const low = <f32>(lowest - zero);
  const high = <f32>(highest - zero);
  const lows = f32x4.splat(low);
  const highs = f32x4.splat(high);
  const inverses = f32x4.splat(inverse);
  const rounder = f32x4.splat(ROUNDER);
  const offset = i32x4.splat(ROUNDER_BITS - zero);
  const whole = count & ~15;
  for (let i: u32 = 0; i < whole; i += 16) {
    const at = values + ((<usize>i) << 2);
    const a = quarter(v128.load(at), inverses, lows, highs, rounder, offset);
    const b = quarter(v128.load(at, 16), inverses, lows, highs, rounder, offset);
    const c = quarter(v128.load(at, 32), inverses, lows, highs, rounder, offset);
    const d = quarter(v128.load(at, 48), inverses, lows, highs, rounder, offset);
    const front = i16x8.narrow_i32x4_s(a, b);
    const back = i16x8.narrow_i32x4_s(c, d);
    v128.store(codes + <usize>i, i8x16.narrow_i16x8_u(front, back));
  }
  for (let i = whole; i < count; i++) {
    const value = load<f32>(values + ((<usize>i) << 2));
    store<u8>(codes + <usize>i, <u8>(encode(value, inverse, low, high) + zero));
  }
}

function quarter(
  value: v128,
  inverses: v128,
  lows: v128,
  highs: v128,
  rounder: v128,
  offset: v128,
): v128 {
  const clamped = f32x4.pmin(f32x4.pmax(f32x4.mul(value, inverses), lows), highs);
  return i32x4.sub(f32x4.add(clamped, rounder), offset);
}

/** Bytes to `bits` each, the first code in the lowest bits. */
export function packCodes(codes: usize, count: u32, bits: u32, packed: usize): void {
  const lowBytes = i16x8.splat(0xff);
  let i: u32 = 0;
  if (bits == 8) {
    memory.copy(packed, codes, <usize>count);
    return;
  }
  if (bits == 4) {
    for (; i + 32 <= count; i += 32) {
      const a = v128.load(codes + <usize>i);
      const b = v128.load(codes + <usize>i, 16);
      const front = v128.and(v128.or(a, i16x8.shr_u(a, 4)), lowBytes);
      const back = v128.and(v128.or(b, i16x8.shr_u(b, 4)), lowBytes);
      v128.store(packed + <usize>(i >> 1), i8x16.narrow_i16x8_u(front, back));
    }
  } else {
    const lowNibbles = i16x8.splat(0x0f);
    for (; i + 64 <= count; i += 64) {
      const from = codes + <usize>i;
      const a = pairs(v128.load(from), lowNibbles);
      const b = pairs(v128.load(from, 16), lowNibbles);
      const c = pairs(v128.load(from, 32), lowNibbles);
      const d = pairs(v128.load(from, 48), lowNibbles);
      let front = i8x16.narrow_i16x8_u(a, b);
      let back = i8x16.narrow_i16x8_u(c, d);
      front = v128.and(v128.or(front, i16x8.shr_u(front, 4)), lowBytes);
      back = v128.and(v128.or(back, i16x8.shr_u(back, 4)), lowBytes);
      v128.store(packed + <usize>(i >> 2), i8x16.narrow_i16x8_u(front, back));
    }
  }
  const perByte: u32 = 8 / bits;
  while (i < count) {
    let value: u32 = 0;
    for (let part: u32 = 0; part < perByte && i < count; part++, i++)
      value |= (<u32>load<u8>(codes + <usize>i)) << (part * bits);
    store<u8>(packed + <usize>((i - 1) / perByte), <u8>value);
  }
}

function pairs(codes: v128, lowNibbles: v128): v128 {
  return v128.and(v128.or(codes, i16x8.shr_u(codes, 6)), lowNibbles);
}

/** The inverse of `packCodes`. */
export function unpackCodes(packed: usize, bits: u32, count: u32, codes: usize): void {
  if (bits == 8) {
    memory.copy(codes, packed, <usize>count);
    return;
  }
  let i: u32 = 0;
  if (bits == 4) {
    const low = i8x16.splat(0x0f);
    for (; i + 32 <= count; i += 32) {
      const both = v128.load(packed + <usize>(i >> 1));
      const first = v128.and(both, low);
      const second = i8x16.shr_u(both, 4);
      v128.store(codes + <usize>i, interleaveLow(first, second));
      v128.store(codes + <usize>i, interleaveHigh(first, second), 16);
    }
  } else {
    const low = i8x16.splat(3);
    for (; i + 64 <= count; i += 64) {
      const four = v128.load(packed + <usize>(i >> 2));
      const first = v128.and(four, low);
      const second = v128.and(i8x16.shr_u(four, 2), low);
      const third = v128.and(i8x16.shr_u(four, 4), low);
      const fourth = i8x16.shr_u(four, 6);
      const frontOdd = interleaveLow(first, second);
      const frontEven = interleaveLow(third, fourth);
      const backOdd = interleaveHigh(first, second);
      const backEven = interleaveHigh(third, fourth);
      const to = codes + <usize>i;
      v128.store(to, interleaveLow16(frontOdd, frontEven));
      v128.store(to, interleaveHigh16(frontOdd, frontEven), 16);
      v128.store(to, interleaveLow16(backOdd, backEven), 32);
      v128.store(to, interleaveHigh16(backOdd, backEven), 48);
    }
  }
  const perByte: u32 = 8 / bits;
  const mask: u32 = (1 << bits) - 1;
  for (; i < count; i++) {
    const byte = <u32>load<u8>(packed + <usize>(i / perByte));
    store<u8>(codes + <usize>i, <u8>((byte >> ((i % perByte) * bits)) & mask));
  }
}

function interleaveLow(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

function interleaveHigh(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

function interleaveLow16(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

function interleaveHigh16(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

/** The values that the codes stand for; `factors` has one per column or is 0. `codes` holds a row of bytes. */
export function dequantizeRows(
  packed: usize,
  rows: u32,
  columns: u32,
  groupColumns: u32,
  groupStep: u32,
  bits: u32,
  scales: usize,
  zeroPoints: usize,
  factors: usize,
  codes: usize,
  values: usize,
): void {
  const rowBytes = (<usize>columns * bits + 7) >> 3;
  for (let row: u32 = 0; row < rows; row++) {
    let group = row * groupStep;
    const from = bits == 8 ? packed : codes;
    if (bits != 8) unpackCodes(packed, bits, columns, codes);
    for (let start: u32 = 0; start < columns; start += groupColumns) {
      const count = min<u32>(groupColumns, columns - start);
      decodeGroup(
        from + start,
        count,
        load<f32>(scales + ((<usize>group) << 2)),
        <i32>load<u8>(zeroPoints + <usize>group),
        values + ((<usize>start) << 2),
      );
      group++;
    }
    if (factors != 0)
      for (let i: u32 = 0; i < columns; i++) {
        const at = values + ((<usize>i) << 2);
        store<f32>(at, load<f32>(at) * load<f32>(factors + ((<usize>i) << 2)));
      }
    values += (<usize>columns) << 2;
    packed += rowBytes;
  }
}

function decodeGroup(codes: usize, count: u32, by: f32, zero: i32, values: usize): void {
  const scales = f32x4.splat(by);
  const zeros = i16x8.splat(<i16>zero);
  const whole = count & ~15;
  for (let i: u32 = 0; i < whole; i += 16) {
    const bytes = v128.load(codes + <usize>i);
    const front = i16x8.sub(i16x8.extend_low_i8x16_u(bytes), zeros);
    const back = i16x8.sub(i16x8.extend_high_i8x16_u(bytes), zeros);
    const at = values + ((<usize>i) << 2);
    v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(front)), scales));
    v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(front)), scales), 16);
    v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(back)), scales), 32);
    v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(back)), scales), 48);
  }
  for (let i = whole; i < count; i++)
    store<f32>(values + ((<usize>i) << 2), <f32>(<i32>load<u8>(codes + <usize>i) - zero) * by);
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
