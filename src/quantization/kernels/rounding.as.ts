/**
 * Rounding, packing and their inverses in AssemblyScript with WebAssembly SIMD. `reference-kernels.ts` is
 * the specification: the same results bit for bit. Memory is the host's (`wasm-kernels.ts`); nothing is
 * allocated here. Matrices are row-major, float32.
 *
 * More than 400 lines: its steps share the range of one group in variables that other modules could only read.
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
