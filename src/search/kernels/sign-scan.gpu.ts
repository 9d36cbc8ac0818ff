/**
 * Hosts `sign-scan.wgsl`: keeps a copy of the index's sign bits on the device (48 bytes a vector),
 * scans them for many queries at once and reads the candidates back, as a scanner on another thread
 * gives them.
 */

import code from "./sign-scan.wgsl?raw";
import type { Candidates, PreparedQuery } from "./kernel.ts";
import { BLOCK_SLOTS, SIGN_BYTES } from "./layout.ts";

const TILE = 4;
const THREADS = 128;
const BINS = 385;
const PLANES = 3;
const QUERY_BYTES = (1 + PLANES) * SIGN_BYTES;
const PARAM_BYTES = 32;
const BLOCK_BYTES = BLOCK_SLOTS * SIGN_BYTES;

type Stage = "count" | "limit" | "gather";

interface Chunk {
  buffer: GPUBuffer;
  blocks: number;
}

export class SignScanGpu {
  readonly #device: GPUDevice;
  readonly #groupLayout: GPUBindGroupLayout;
  readonly #stages: Record<Stage, GPUComputePipeline>;
  readonly #chunkBlocks: number;
  readonly #chunks: Chunk[] = [];

  private constructor(
    device: GPUDevice,
    groupLayout: GPUBindGroupLayout,
    stages: Record<Stage, GPUComputePipeline>,
    maxChunkBytes: number,
  ) {
    this.#device = device;
    this.#groupLayout = groupLayout;
    this.#stages = stages;
    const { limits } = device;
    const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize, maxChunkBytes);
    this.#chunkBlocks = Math.max(
      1,
      Math.min(Math.floor(most / BLOCK_BYTES), limits.maxComputeWorkgroupsPerDimension),
    );
  }

  /**
   * Compiles the shader; rejects when the device can't.
   * @param maxChunkBytes largest buffer of sign bits; larger indexes take several
   */
  static async create(
    device: GPUDevice,
    { maxChunkBytes = Infinity }: { maxChunkBytes?: number } = {},
  ): Promise<SignScanGpu> {
    const types: GPUBufferBindingType[] = [
      "uniform",
      "read-only-storage",
      "read-only-storage",
      "storage",
      "storage",
      "storage",
    ];
    const groupLayout = device.createBindGroupLayout({
      entries: types.map((type, binding) => ({
        binding,
        visibility: VISIBLE_TO_COMPUTE,
        buffer: { type },
      })),
    });
    const module = device.createShaderModule({ code });
    const layout = device.createPipelineLayout({ bindGroupLayouts: [groupLayout] });
    const compile = (entryPoint: Stage): Promise<GPUComputePipeline> =>
      device.createComputePipelineAsync({ layout, compute: { module, entryPoint } });
    const [count, limit, gather] = await Promise.all([
      compile("count"),
      compile("limit"),
      compile("gather"),
    ]);
    return new SignScanGpu(device, groupLayout, { count, limit, gather }, maxChunkBytes);
  }

  /** Bytes held on the device. */
  get deviceBytes(): number {
    return this.#chunks.reduce((sum, { blocks }) => sum + blocks * BLOCK_BYTES, 0);
  }

  /** Copies the sign bits of blocks [from, to); those before stay as they are. */
  upload(signsOfBlock: (block: number) => Uint8Array, from: number, to: number): void {
    for (let block = from; block < to; block++) {
      const chunk = this.#chunkOf(block, to);
      const at = (block % this.#chunkBlocks) * BLOCK_BYTES;
      this.#device.queue.writeBuffer(
        chunk.buffer,
        at,
        signsOfBlock(block) as Uint8Array<ArrayBuffer>,
      );
    }
  }

  /**
   * The candidates of each query among slots [0, slotLimit): all up to the least distance with
   * `wanted` at or below it. Null for a query with more of them than there is room for. Rejects when
   * the device is lost.
   */
  async scan(
    prepared: readonly Pick<PreparedQuery, "signs" | "planes">[],
    slotLimit: number,
    wanted: number,
    ordinalOf: (slot: number) => number,
  ): Promise<(Candidates | null)[]> {
    const device = this.#device;
    const queryCount = prepared.length;
    const packed = new Uint8Array(queryCount * QUERY_BYTES);
    prepared.forEach(({ signs, planes }, i) => {
      packed.set(signs, i * QUERY_BYTES);
      packed.set(planes, i * QUERY_BYTES + SIGN_BYTES);
    });
    const tiles = Math.ceil(queryCount / TILE);
    // Twice, and room for the many ties of small distances.
    const capacity = 2 * wanted + BLOCK_SLOTS;
    const made: GPUBuffer[] = [];
    const create = (size: number, usage: number): GPUBuffer => {
      const buffer = device.createBuffer({ size, usage });
      made.push(buffer);
      return buffer;
    };
    try {
      const queries = create(packed.byteLength, STORAGE | COPY_DST);
      device.queue.writeBuffer(queries, 0, packed);
      // New buffers are zeroed.
      const histogram = create(tiles * TILE * BINS * 4, STORAGE | COPY_SRC);
      const found = create(tiles * TILE * 8, STORAGE | COPY_SRC);
      const nearest = create(queryCount * capacity * 8, STORAGE | COPY_SRC);
      const readFound = create(found.size, MAP_READ | COPY_DST);
      const readNearest = create(nearest.size, MAP_READ | COPY_DST);
      const readHistogram = create(histogram.size, MAP_READ | COPY_DST);

      const groups = this.#chunks.map(({ buffer }, i) => {
        const firstSlot = i * this.#chunkBlocks * BLOCK_SLOTS;
        const params = create(PARAM_BYTES, UNIFORM | COPY_DST);
        const values = [firstSlot, slotLimit, queryCount, wanted, capacity, 0, 0, 0];
        device.queue.writeBuffer(params, 0, Uint32Array.from(values));
        const entries = [params, buffer, queries, histogram, found, nearest];
        return {
          bind: device.createBindGroup({
            layout: this.#groupLayout,
            entries: entries.map((entry, binding) => ({ binding, resource: { buffer: entry } })),
          }),
          blocks: Math.min(
            this.#chunkBlocks,
            Math.max(0, Math.ceil((slotLimit - firstSlot) / BLOCK_SLOTS)),
          ),
        };
      });

      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      const overBlocks = (stage: Stage): void => {
        pass.setPipeline(this.#stages[stage]);
        for (const { bind, blocks } of groups) {
          if (blocks === 0) continue;
          pass.setBindGroup(0, bind);
          pass.dispatchWorkgroups(blocks, tiles);
        }
      };
      overBlocks("count");
      pass.setPipeline(this.#stages.limit);
      pass.dispatchWorkgroups(Math.ceil(queryCount / THREADS));
      overBlocks("gather");
      pass.end();
      encoder.copyBufferToBuffer(found, 0, readFound, 0, found.size);
      encoder.copyBufferToBuffer(nearest, 0, readNearest, 0, nearest.size);
      encoder.copyBufferToBuffer(histogram, 0, readHistogram, 0, histogram.size);
      device.queue.submit([encoder.finish()]);

      const read = [readFound, readNearest, readHistogram];
      await Promise.all(read.map((buffer) => buffer.mapAsync(MODE_READ)));
      const [counts, pairs, histograms] = read.map(
        (buffer) => new Uint32Array(buffer.getMappedRange()),
      ) as [Uint32Array, Uint32Array, Uint32Array];
      return prepared.map((_, query) => {
        const count = counts[2 * query]!;
        if (count > capacity) return null;
        const at = 2 * query * capacity;
        const found = toCandidates(pairs.subarray(at, at + 2 * count), ordinalOf);
        return { ...found, counts: histograms.slice(query * BINS, (query + 1) * BINS) };
      });
    } finally {
      for (const buffer of made) buffer.destroy();
    }
  }

  /** Gives the device's memory back. */
  release(): void {
    for (const { buffer } of this.#chunks) buffer.destroy();
    this.#chunks.length = 0;
  }

  /** The chunk of a block, with room for what it has of `blocks` in all; a grown one keeps its content. */
  #chunkOf(block: number, blocks: number): Chunk {
    const at = Math.floor(block / this.#chunkBlocks);
    const needed = Math.min(this.#chunkBlocks, blocks - at * this.#chunkBlocks);
    const chunk = this.#chunks[at];
    if (chunk && chunk.blocks >= needed) return chunk;
    // Whole steps of an eighth, so that a growing index isn't copied with every block.
    const grown = Math.min(this.#chunkBlocks, Math.max(needed, needed + (needed >>> 3)));
    const buffer = this.#device.createBuffer({
      size: grown * BLOCK_BYTES,
      usage: STORAGE | COPY_DST | COPY_SRC,
    });
    if (chunk) {
      const encoder = this.#device.createCommandEncoder();
      encoder.copyBufferToBuffer(chunk.buffer, 0, buffer, 0, chunk.blocks * BLOCK_BYTES);
      this.#device.queue.submit([encoder.finish()]);
      chunk.buffer.destroy();
    }
    return (this.#chunks[at] = { buffer, blocks: grown });
  }
}

/** Slots and their distances as the keys of `Candidates`: weighted << 52 | ordinal << 23 | slot. */
function toCandidates(
  pairs: Uint32Array,
  ordinalOf: (slot: number) => number,
): Pick<Candidates, "keys" | "distances"> {
  const count = pairs.length / 2;
  const keys = new BigUint64Array(count);
  const distances = new Uint16Array(count);
  // Little-endian halves: a BigInt for each would take longer than all the rest.
  const halves = new Uint32Array(keys.buffer);
  for (let i = 0; i < count; i++) {
    const slot = pairs[2 * i]!;
    const both = pairs[2 * i + 1]!;
    const ordinal = ordinalOf(slot);
    distances[i] = both & 0xffff;
    halves[2 * i] = (ordinal << 23) | slot;
    halves[2 * i + 1] = ((both >>> 16) << 20) | (ordinal >>> 9);
  }
  return { keys, distances };
}

// Flags by their numbers: their names are globals of browsers alone.
const MAP_READ = 0x1;
const MODE_READ = 0x1;
const COPY_SRC = 0x4;
const COPY_DST = 0x8;
const UNIFORM = 0x40;
const STORAGE = 0x80;
const VISIBLE_TO_COMPUTE = 0x4;
