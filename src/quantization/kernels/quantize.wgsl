// The kernels of quantization on a graphics processor. `reference-kernels.ts` is the specification:
// codes, packed bytes and dequantized values are the same bit for bit. `gpu-kernels.ts` puts the lines
// before this that the device allows: EXTREMES_IN_SUBGROUPS and the type `Whole` of small whole numbers.

struct Params {
  rows: u32,
  columns: u32,
  groupColumns: u32,
  // Groups of a row, and what a row adds to the index of its first group: 0 where all share one.
  rowGroups: u32,
  groupStep: u32,
  bits: u32,
  // Lowest code; 1 when column factors are there.
  lowest: u32,
  hasFactors: u32,
  // Rows of inputs; of products the inner size.
  count: u32,
}

const THREADS = 64u;

@group(0) @binding(0) var<uniform> params: Params;
// float32, read as bits where NaN matters.
@group(0) @binding(1) var<storage, read> inputs: array<u32>;
@group(0) @binding(2) var<storage, read> packed: array<u32>;
// Of each group: for rounding 1 / scale and the zero point, else scale and zero point.
@group(0) @binding(3) var<storage, read> ranges: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> factors: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<u32>;

fn indexOf(group: vec3<u32>, groups: vec3<u32>) -> u32 {
  return group.y * groups.x + group.x;
}

fn rowBytes() -> u32 {
  return (params.columns * params.bits + 7u) / 8u;
}

fn byteAt(at: u32) -> u32 {
  return (packed[at >> 2u] >> ((at & 3u) * 8u)) & 0xffu;
}

// ---- extremes: of each group the lowest and highest value and the greatest magnitude's bits.

// Floats as integers of the same order.
var<workgroup> low: atomic<u32>;
var<workgroup> high: atomic<u32>;
var<workgroup> magnitude: atomic<u32>;

fn ordered(bits: u32) -> u32 {
  return select(bits | 0x80000000u, ~bits, bits >> 31u == 1u);
}

fn plain(order: u32) -> u32 {
  return select(~order, order & 0x7fffffffu, order >> 31u == 1u);
}

@compute @workgroup_size(THREADS)
fn extremes(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  // Zero is always inside.
  if (thread == 0u) {
    atomicStore(&low, 0x80000000u);
    atomicStore(&high, 0x80000000u);
    atomicStore(&magnitude, 0u);
  }
  workgroupBarrier();
  let index = indexOf(group, groups);
  let isInside = index < params.rows * params.rowGroups;
  let row = index / params.rowGroups;
  let start = (index % params.rowGroups) * params.groupColumns;
  let end = min(params.columns, start + params.groupColumns);
  var least = 0x80000000u;
  var most = 0x80000000u;
  var size = 0u;
  if (isInside) {
    for (var column = start + thread; column < end; column += THREADS) {
      let bits = inputs[row * params.columns + column];
      let order = ordered(bits);
      least = min(least, order);
      most = max(most, order);
      size = max(size, bits & 0x7fffffffu);
    }
  }
  reduceExtremes(least, most, size);
  workgroupBarrier();
  if (thread == 0u && isInside) {
    result[index * 3u] = plain(atomicLoad(&low));
    result[index * 3u + 1u] = plain(atomicLoad(&high));
    result[index * 3u + 2u] = atomicLoad(&magnitude);
  }
}

// ---- encode: rounds and packs; pack: packs codes, a byte each, in `inputs`. A word of four packed bytes
// a thread; words may span rows.

fn codeOf(row: u32, column: u32) -> u32 {
  let range = ranges[row * params.groupStep + column / params.groupColumns];
  let lowest = f32(params.lowest) - range.y;
  let highest = f32((1u << params.bits) - 1u) - range.y;
  let value = bitcast<f32>(inputs[row * params.columns + column]);
  return u32(clamp(round(value * range.x), lowest, highest) + range.y);
}

fn givenCode(row: u32, column: u32) -> u32 {
  let at = row * params.columns + column;
  return (inputs[at >> 2u] >> ((at & 3u) * 8u)) & 0xffu;
}

fn putWord(index: u32, areCodes: bool) {
  if (index >= arrayLength(&result)) {
    return;
  }
  let perByte = 8u / params.bits;
  var word = 0u;
  for (var byte = 0u; byte < 4u; byte++) {
    let at = index * 4u + byte;
    let row = at / rowBytes();
    let first = (at % rowBytes()) * perByte;
    for (var part = 0u; part < perByte; part++) {
      let column = first + part;
      if (row < params.rows && column < params.columns) {
        var code: u32;
        if (areCodes) {
          code = givenCode(row, column);
        } else {
          code = codeOf(row, column);
        }
        word |= code << (byte * 8u + part * params.bits);
      }
    }
  }
  result[index] = word;
}

@compute @workgroup_size(THREADS)
fn encode(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  putWord(indexOf(group, groups) * THREADS + thread, false);
}

@compute @workgroup_size(THREADS)
fn pack(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  putWord(indexOf(group, groups) * THREADS + thread, true);
}

// ---- dequantize: a value a thread.

// The code minus its zero point.
fn wholeAt(row: u32, column: u32, zeroPoint: f32) -> f32 {
  let bit = column * params.bits;
  let byte = byteAt(row * rowBytes() + (bit >> 3u));
  return f32((byte >> (bit & 7u)) & ((1u << params.bits) - 1u)) - zeroPoint;
}

@compute @workgroup_size(THREADS)
fn dequantize(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let index = indexOf(group, groups) * THREADS + thread;
  if (index >= params.rows * params.columns) {
    return;
  }
  let row = index / params.columns;
  let column = index % params.columns;
  let range = ranges[row * params.groupStep + column / params.groupColumns];
  var value = wholeAt(row, column, range.y) * range.x;
  if (params.hasFactors == 1u) {
    value *= factors[column];
  }
  result[index] = bitcast<u32>(value);
}

// ---- products: tiles of 64 x 64 results, 4 x 4 a thread, 16 of the inner size at a time.

const TILE = 64u;
const INNER = 16u;
const STEP = 16u;

var<workgroup> leftTile: array<f32, 1024>;
var<workgroup> rightTile: array<f32, 1024>;
var<workgroup> wholeTile: array<Whole, 1024>;
var<workgroup> scaleTile: array<f32, 1024>;

fn addTile(sums: ptr<function, array<f32, 16>>, x: u32, y: u32) {
  for (var inner = 0u; inner < INNER; inner++) {
    for (var i = 0u; i < 4u; i++) {
      let value = leftTile[inner * TILE + y + i * STEP];
      for (var j = 0u; j < 4u; j++) {
        (*sums)[i * 4u + j] += value * rightTile[inner * TILE + x + j * STEP];
      }
    }
  }
}

// inputs [count, columns] times the weights transposed: [count, rows].
@compute @workgroup_size(16, 16)
fn multiply(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let firstRow = group.x * TILE;
  let firstInput = group.y * TILE;
  var sums: array<f32, 16>;
  for (var start = 0u; start < params.columns; start += INNER) {
    for (var at = thread; at < TILE * INNER; at += 256u) {
      // Neighbours in a row are read by neighbouring threads.
      let column = start + at % INNER;
      let other = at / INNER;
      let to = (at % INNER) * TILE + other;
      leftTile[to] = 0;
      wholeTile[to] = Whole(0);
      scaleTile[to] = 0;
      if (column < params.columns) {
        let input = firstInput + other;
        if (input < params.count) {
          leftTile[to] = bitcast<f32>(inputs[input * params.columns + column]);
        }
        let row = firstRow + other;
        if (row < params.rows) {
          let range = ranges[row * params.groupStep + column / params.groupColumns];
          wholeTile[to] = Whole(wholeAt(row, column, range.y));
          scaleTile[to] = range.x;
          if (params.hasFactors == 1u) {
            scaleTile[to] *= factors[column];
          }
        }
      }
    }
    workgroupBarrier();
    for (var inner = 0u; inner < INNER; inner++) {
      for (var j = 0u; j < 4u; j++) {
        let place = inner * TILE + local.x + j * STEP;
        let weight = f32(wholeTile[place]) * scaleTile[place];
        for (var i = 0u; i < 4u; i++) {
          sums[i * 4u + j] += leftTile[inner * TILE + local.y + i * STEP] * weight;
        }
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let input = firstInput + local.y + i * STEP;
    for (var j = 0u; j < 4u; j++) {
      let row = firstRow + local.x + j * STEP;
      if (input < params.count && row < params.rows) {
        result[input * params.rows + row] = bitcast<u32>(sums[i * 4u + j]);
      }
    }
  }
}

// leftᵀ right, [count, rows] in `inputs` and [count, columns] in `packed`: [rows, columns]. With
// `hasFactors` both are the same, and tiles below the diagonal are left out.
@compute @workgroup_size(16, 16)
fn crossProduct(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  if (params.hasFactors == 1u && group.x < group.y) {
    return;
  }
  let firstColumn = group.x * TILE;
  let firstRow = group.y * TILE;
  var sums: array<f32, 16>;
  for (var start = 0u; start < params.count; start += INNER) {
    for (var at = thread; at < TILE * INNER; at += 256u) {
      let inner = start + at / TILE;
      let row = firstRow + at % TILE;
      let column = firstColumn + at % TILE;
      leftTile[at] = 0;
      rightTile[at] = 0;
      if (inner < params.count) {
        if (row < params.rows) {
          leftTile[at] = bitcast<f32>(inputs[inner * params.rows + row]);
        }
        if (column < params.columns) {
          rightTile[at] = bitcast<f32>(packed[inner * params.columns + column]);
        }
      }
    }
    workgroupBarrier();
    addTile(&sums, local.x, local.y);
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let row = firstRow + local.y + i * STEP;
    for (var j = 0u; j < 4u; j++) {
      let column = firstColumn + local.x + j * STEP;
      if (row < params.rows && column < params.columns) {
        result[row * params.columns + column] = bitcast<u32>(sums[i * 4u + j]);
      }
    }
  }
}
