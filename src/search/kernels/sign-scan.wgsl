// The sign scan and the weighted distances (kernel.ts, stages 1 and 2) for many queries at once, in
// integers alone: `count` makes the histogram of Hamming distances of each query, `limit` the least
// distance with `wanted` slots at or below it, `gather` the slots within it. reference.ts is the
// specification.

struct Params {
  // Slots before this chunk; slots that take part, in all chunks.
  firstSlot: u32,
  slotLimit: u32,
  queryCount: u32,
  wanted: u32,
  // Slots of a query that there is room for.
  capacity: u32,
}

const THREADS = 128u;
// Slots of one workgroup: so many that emptying its histogram costs little.
const GROUP_SLOTS = 1024u;
// Queries of one workgroup: a slot's signs are read once for all of them.
const TILE = 4u;
// 384 sign bits in 32-bit words; distances 0…384.
const WORDS = 12u;
// Bit planes of the weights; a query is its signs and these.
const PLANES = 3u;
const QUERY_WORDS = 48u;
const BINS = 385u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> signs: array<u32>;
@group(0) @binding(2) var<storage, read> queries: array<u32>;
// BINS of each query.
@group(0) @binding(3) var<storage, read_write> histogram: array<atomic<u32>>;
// Of each query: slots found, their greatest distance.
@group(0) @binding(4) var<storage, read_write> found: array<atomic<u32>>;
// Of each query: `capacity` slots, each with its weighted distance << 16 | Hamming distance.
@group(0) @binding(5) var<storage, read_write> nearest: array<vec2<u32>>;

var<workgroup> bins: array<atomic<u32>, TILE * BINS>;

fn load(slotInChunk: u32) -> array<u32, WORDS> {
  var words: array<u32, WORDS>;
  for (var i = 0u; i < WORDS; i++) {
    words[i] = signs[slotInChunk * WORDS + i];
  }
  return words;
}

fn distanceOf(query: u32, words: ptr<function, array<u32, WORDS>>) -> u32 {
  var sum = 0u;
  for (var i = 0u; i < WORDS; i++) {
    sum += countOneBits(queries[query * QUERY_WORDS + i] ^ (*words)[i]);
  }
  return sum;
}

fn weightedDistanceOf(query: u32, words: ptr<function, array<u32, WORDS>>) -> u32 {
  var sum = 0u;
  for (var i = 0u; i < WORDS; i++) {
    let differing = queries[query * QUERY_WORDS + i] ^ (*words)[i];
    for (var plane = 0u; plane < PLANES; plane++) {
      let weights = queries[query * QUERY_WORDS + (plane + 1u) * WORDS + i];
      sum += countOneBits(differing & weights) << plane;
    }
  }
  return sum;
}

@compute @workgroup_size(THREADS)
fn count(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  for (var i = thread; i < TILE * BINS; i += THREADS) {
    atomicStore(&bins[i], 0u);
  }
  workgroupBarrier();
  for (var i = thread; i < GROUP_SLOTS; i += THREADS) {
    let slotInChunk = group.x * GROUP_SLOTS + i;
    if (params.firstSlot + slotInChunk < params.slotLimit) {
      var words = load(slotInChunk);
      for (var t = 0u; t < TILE; t++) {
        let query = group.y * TILE + t;
        if (query < params.queryCount) {
          atomicAdd(&bins[t * BINS + distanceOf(query, &words)], 1u);
        }
      }
    }
  }
  workgroupBarrier();
  for (var i = thread; i < TILE * BINS; i += THREADS) {
    let slots = atomicLoad(&bins[i]);
    if (slots > 0u) {
      atomicAdd(&histogram[group.y * TILE * BINS + i], slots);
    }
  }
}

@compute @workgroup_size(THREADS)
fn limit(@builtin(global_invocation_id) id: vec3<u32>) {
  let query = id.x;
  if (query < params.queryCount) {
    var distance = 0u;
    var sum = atomicLoad(&histogram[query * BINS]);
    while (sum < params.wanted && distance < BINS - 1u) {
      distance++;
      sum += atomicLoad(&histogram[query * BINS + distance]);
    }
    atomicStore(&found[query * 2u + 1u], distance);
  }
}

@compute @workgroup_size(THREADS)
fn gather(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  for (var i = thread; i < GROUP_SLOTS; i += THREADS) {
    let slotInChunk = group.x * GROUP_SLOTS + i;
    let slot = params.firstSlot + slotInChunk;
    if (slot < params.slotLimit) {
      var words = load(slotInChunk);
      for (var t = 0u; t < TILE; t++) {
        let query = group.y * TILE + t;
        if (query < params.queryCount) {
          let distance = distanceOf(query, &words);
          if (distance <= atomicLoad(&found[query * 2u + 1u])) {
            let place = atomicAdd(&found[query * 2u], 1u);
            if (place < params.capacity) {
              let weighted = weightedDistanceOf(query, &words);
              nearest[query * params.capacity + place] = vec2<u32>(slot, (weighted << 16u) | distance);
            }
          }
        }
      }
    }
  }
}
