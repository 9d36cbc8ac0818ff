/**
 * The text model in plain TypeScript: the specification of `model.as.ts`, bit for bit, and what
 * codes where WebAssembly SIMD is absent. Rewinding puts back a log of old values, as there.
 *
 * The order of work for one byte: hash the contexts (`#hashContexts`); for each bit gather ten
 * histories and two matches as log odds, mix, correct, code (`#codeBit`), learn (`#learnBit`); then
 * follow the matches and remember where the text was (`#endByte`).
 */

import {
  CONTEXTS,
  INPUTS,
  bound,
  clamp,
  copySmall,
  emptySmall,
  hash,
  lengthClass,
  type SmallState,
} from "./reference-state.ts";
import { modelTables, type ModelTables } from "./tables.ts";
import { MATCH_BITS, MAX_PIECE_BYTES, type TextModel } from "./text-model.ts";

const MATCH_MASK = 2 ** MATCH_BITS - 1;
/** Mixer step: errors are scaled by this and shifted down by 18. */
const STEP = 28;

/** Text that ended like this one before, and how far it has been the same since. */
interface Match {
  at: number;
  length: number;
  misses: number;
}

export class ReferenceTextModel implements TextModel {
  readonly name = "reference";
  readonly #tables: ModelTables = modelTables();
  readonly #slots: Uint8Array;
  readonly #slotMask: number;
  readonly #matches = new Int32Array(2 * (MATCH_MASK + 1));
  readonly #correction = new Uint16Array(65536 * 33);
  readonly #history: Uint8Array;
  readonly #small = emptySmall();
  #backup: SmallState | null = null;
  #markedAt = 0;
  /** Old values since the mark, newest last. */
  #undo: { array: Uint8Array | Uint16Array | Int32Array; at: number; old: number }[] = [];
  readonly #oldSlots = new Map<number, Uint8Array>();

  #low = 0;
  #high = 0xffffffff;
  #code = 0;
  #output: number[] = [];
  #packed: Uint8Array = new Uint8Array(0);
  #packedAt = 0;

  #position = 0;
  #last4 = 0;
  #last8 = 0;
  #words: [number, number, number] = [0, 0, 0];
  readonly #long: Match = { at: 0, length: 0, misses: 0 };
  readonly #short: Match = { at: 0, length: 0, misses: 0 };

  readonly #hashes = new Uint32Array(CONTEXTS);
  readonly #inputs = new Int32Array(INPUTS);
  /** Slots of the current nibble, as offsets. */
  readonly #slotAt = new Int32Array(CONTEXTS);
  /** The histories that the current bit was predicted from: two contexts may share a slot. */
  readonly #histories = new Uint8Array(CONTEXTS + 2);

  /** @param capacityBytes what it may read before it is marked */
  constructor(slotBits: number, capacityBytes: number) {
    this.#slots = new Uint8Array(16 * 2 ** slotBits);
    this.#slotMask = 2 ** slotBits - 1;
    this.#history = new Uint8Array(capacityBytes + MAX_PIECE_BYTES);
    for (let map = 0; map < CONTEXTS + 2; map++)
      for (let history = 0; history < 256; history++)
        this.#small.maps[map * 256 + history] = this.#tables.first[history]! << 16;
    for (let i = 0; i < this.#correction.length; i++)
      this.#correction[i] = this.#squash(((i % 33) - 16) * 128);
  }

  get memoryBytes(): number {
    return this.#slots.length + this.#matches.byteLength + this.#correction.byteLength + this.#history.length; // prettier-ignore
  }

  encode(text: Uint8Array): Uint8Array {
    this.#checkRoom(text.length);
    this.#low = 0;
    this.#high = 0xffffffff;
    this.#output = [];
    for (const byte of text) this.#codeByte(byte);
    // One byte says which part of the range it is: the decoder reads zeros after it.
    if (this.#low !== 0) this.#output.push((this.#low >>> 24) + 1);
    return Uint8Array.from(this.#output);
  }

  decode(packed: Uint8Array, sizeBytes: number): Uint8Array {
    this.#checkRoom(sizeBytes);
    this.#low = 0;
    this.#high = 0xffffffff;
    this.#code = 0;
    this.#packed = packed;
    this.#packedAt = 0;
    for (let i = 0; i < 4; i++) this.#code = ((this.#code << 8) | this.#nextInput()) >>> 0;
    const start = this.#position;
    for (let i = 0; i < sizeBytes; i++) this.#codeByte(null);
    return this.#history.slice(start, start + sizeBytes);
  }

  mark(): void {
    this.#backup = emptySmall();
    copySmall(this.#small, this.#backup);
    this.#markedAt = this.#position;
    this.#startText();
  }

  rewind(): void {
    if (!this.#backup) return;
    for (const [slot, old] of this.#oldSlots) this.#slots.set(old, slot);
    this.#oldSlots.clear();
    for (const { array, at, old } of this.#undo.reverse()) array[at] = old;
    this.#undo = [];
    copySmall(this.#backup, this.#small);
    this.#position = this.#markedAt;
    this.#startText();
  }

  #checkRoom(size: number): void {
    if (size > MAX_PIECE_BYTES || this.#position + size > this.#history.length)
      throw new RangeError(`${size} bytes are too many for this model.`);
  }

  /** What comes next has nothing before it. */
  #startText(): void {
    this.#last4 = 0;
    this.#last8 = 0;
    this.#words = [0, 0, 0];
    for (const match of [this.#long, this.#short])
      Object.assign(match, { at: 0, length: 0, misses: 0 });
  }

  #nextInput(): number {
    return this.#packed[this.#packedAt++] ?? 0;
  }

  #stretch(p16: number): number {
    return this.#tables.stretch[p16 >> 4]!;
  }

  #squash(x: number): number {
    return this.#tables.squash[clamp(x) + 2048]!;
  }

  #log(array: Uint16Array | Int32Array, at: number): void {
    if (this.#backup) this.#undo.push({ array, at, old: array[at]! });
  }

  /** The slot of a context: found by its check among three, else the least used of them, emptied. */
  #findSlot(h: number): number {
    const check = h >>> 24 || 1;
    const first = (Math.imul(h, 0x9e3779b1) >>> 3) & this.#slotMask;
    const candidates = [first, first ^ 1, first ^ 2].map((slot) => slot * 16);
    let found = candidates.find((at) => this.#slots[at] === check);
    const isNew = found === undefined;
    if (found === undefined) {
      found = candidates[0]!;
      // Histories are numbered by how much they have seen.
      for (const at of candidates) if (this.#slots[at + 1]! < this.#slots[found + 1]!) found = at;
    }
    if (this.#backup && !this.#oldSlots.has(found))
      this.#oldSlots.set(found, this.#slots.slice(found, found + 16));
    if (isNew) {
      this.#slots.fill(0, found, found + 16);
      this.#slots[found] = check;
    }
    return found;
  }

  #hashContexts(): void {
    const { hashes, last4, last8 } = {
      hashes: this.#hashes,
      last4: this.#last4,
      last8: this.#last8,
    };
    const [word0, word1, word2] = this.#words;
    hashes[0] = hash(last4 & 0xffff, 2);
    hashes[1] = hash(last4 & 0xffffff, 3);
    hashes[2] = hash(last4, 4);
    hashes[3] = hash(Math.imul(last4, 0x2f0b4c47) + (last8 & 0xffff), 6);
    hashes[4] = hash(word0, 7);
    const pair = Math.imul(word0, 0x2f0b4c47) + word1;
    hashes[5] = hash(pair, 8);
    hashes[6] = hash(Math.imul(pair, 0x3c6ef372) + word2, 9);
    hashes[7] = hash(Math.imul(word0, 0x2f0b4c47) + word2, 10);
  }

  #findSlots(nibble: number): void {
    for (let i = 0; i < CONTEXTS; i++) {
      let h = this.#hashes[i]!;
      if (nibble) {
        h = Math.imul(h + Math.imul(nibble, 0x3d4d51cb), 0x9e3779b1);
        h ^= h >>> 15;
      }
      this.#slotAt[i] = this.#findSlot(h >>> 0);
    }
  }

  /** Moves a probability towards the bit: fast at first, then by 1/128 of the way. */
  #learn(maps: Uint32Array, at: number, bit: number): void {
    const count = maps[at]! & 0x3ff;
    const p = maps[at]! >>> 10;
    const delta = (bit ? 4194303 : 0) - p;
    const moved = p + (Math.imul(delta >> 4, this.#tables.rates[count]!) >> 9);
    maps[at] = ((moved << 10) | (count < 127 ? count + 1 : count)) >>> 0;
  }

  #dot(weights: Int32Array, set: number): number {
    let sum = 0;
    for (let i = 0; i < INPUTS; i++)
      sum = (sum + (Math.imul(this.#inputs[i]!, weights[set * INPUTS + i]!) >> 6)) | 0;
    return clamp(sum >> 10);
  }

  #train(weights: Int32Array, set: number, error: number): void {
    for (let i = 0; i < INPUTS; i++) {
      const step = (Math.imul(this.#inputs[i]!, error) + (1 << 17)) >> 18;
      weights[set * INPUTS + i] = bound(weights[set * INPUTS + i]! + step);
    }
  }

  /** Codes the bit with probability p / 65,536 that it is one; without one, decodes it. */
  #codeBit(p: number, known: number | null): number {
    const range = (this.#high - this.#low) >>> 0;
    const middle =
      (this.#low + Math.imul(range >>> 16, p) + (Math.imul(range & 0xffff, p) >>> 16)) >>> 0;
    const bit = known ?? (this.#code <= middle ? 1 : 0);
    if (bit) this.#high = middle;
    else this.#low = middle + 1;
    while (((this.#low ^ this.#high) & 0xff000000) === 0) {
      if (known !== null) this.#output.push(this.#high >>> 24);
      else this.#code = ((this.#code << 8) | this.#nextInput()) >>> 0;
      this.#low = (this.#low << 8) >>> 0;
      this.#high = ((this.#high << 8) | 255) >>> 0;
    }
    return bit;
  }

  #codeByte(known: number | null): void {
    this.#hashContexts();
    const small = this.#small;
    const previous = this.#last4 & 0xff;
    const expected = [this.#long, this.#short].map((match, i) => ({
      byte: match.length > 0 ? this.#history[match.at]! | 256 : 0,
      map: i * 128 + lengthClass(match.length) * 4 + Math.min(match.misses, 3),
    }));
    const long = lengthClass(this.#long.length);
    const reach = long < 1 ? 0 : long < 12 ? 2 : long < 20 ? 3 : long < 31 ? 4 : 5;

    let partial = 1; // the bits so far after a leading one
    for (let index = 0; index < 8; index++) {
      if (index === 0) this.#findSlots(0);
      if (index === 4) this.#findSlots(partial);
      const low4 = 1 << (index & 3);
      const node = index < 4 ? partial : low4 | (partial & (low4 - 1));

      const histories = this.#histories;
      for (let i = 0; i < CONTEXTS; i++) histories[i] = this.#slots[this.#slotAt[i]! + node]!;
      histories[CONTEXTS] = small.order0[partial]!;
      histories[CONTEXTS + 1] = small.order1[previous * 256 + partial]!;
      let seen = 0;
      for (let i = 0; i < CONTEXTS + 2; i++) {
        const history = histories[i]!;
        if (history > 0 && i < CONTEXTS) seen++;
        this.#inputs[i] = history ? this.#stretch(small.maps[i * 256 + history]! >>> 16) : 0;
      }
      const matches = expected.map(({ byte, map }, i) => {
        const holds = byte !== 0 && byte >> (8 - index) === partial;
        const bit = (byte >> (7 - index)) & 1;
        const strength = holds ? this.#stretch(small.matchMaps[map]! >>> 16) : 0;
        this.#inputs[CONTEXTS + 2 + i] = bit ? strength : -strength;
        return { holds, bit, map };
      });
      this.#inputs[12] = 256;

      const following = matches[0]!.holds ? reach : matches[1]!.holds ? 1 : 0;
      const seenSet = (following * 9 + seen) * 8 + index;
      const dByte = this.#dot(small.byByte, previous);
      const dSeen = this.#dot(small.bySeen, seenSet);
      const [wByte, wSeen] = [small.final[partial * 2]!, small.final[partial * 2 + 1]!];
      const dFinal = clamp(((Math.imul(dByte, wByte) >> 6) + (Math.imul(dSeen, wSeen) >> 6)) >> 10);
      const mixed = this.#squash(dFinal);

      const bucket = (dFinal + 2048) >> 7;
      const weight = (dFinal + 2048) & 127;
      const at = (partial | (previous << 8)) * 33 + bucket;
      const corrected =
        (this.#correction[at]! * (128 - weight) + this.#correction[at + 1]! * weight) >> 7;
      const p = Math.min(65520, Math.max(16, (mixed + corrected + 1) >> 1));

      const bit = this.#codeBit(p, known === null ? null : (known >> (7 - index)) & 1);

      const target = bit ? 4095 : 0;
      this.#train(small.byByte, previous, (target - (this.#squash(dByte) >> 4)) * STEP);
      this.#train(small.bySeen, seenSet, (target - (this.#squash(dSeen) >> 4)) * STEP);
      const error = (target - (mixed >> 4)) * STEP;
      const half = 1 << 17;
      small.final[partial * 2] = bound(wByte + ((Math.imul(dByte, error) + half) >> 18));
      small.final[partial * 2 + 1] = bound(wSeen + ((Math.imul(dSeen, error) + half) >> 18));
      const nearer = at + (weight >= 64 ? 1 : 0);
      this.#log(this.#correction, nearer);
      this.#correction[nearer]! += ((bit ? 65535 : 0) - this.#correction[nearer]!) >> 6;
      for (let i = 0; i < CONTEXTS + 2; i++) this.#learn(small.maps, i * 256 + histories[i]!, bit);
      const next = (i: number) => this.#tables.next[histories[i]! * 2 + bit]!;
      for (let i = 0; i < CONTEXTS; i++) this.#slots[this.#slotAt[i]! + node] = next(i);
      small.order0[partial] = next(CONTEXTS);
      small.order1[previous * 256 + partial] = next(CONTEXTS + 1);
      for (const match of matches)
        if (match.holds) this.#learn(small.matchMaps, match.map, match.bit === bit ? 1 : 0);
      partial = (partial << 1) | bit;
    }
    this.#endByte(partial & 0xff);
  }

  #endByte(byte: number): void {
    for (const match of [this.#long, this.#short]) {
      if (match.length === 0) continue;
      if (this.#history[match.at] === byte) {
        match.length = Math.min(400, match.length + 1);
        match.at++;
        if (match.length === 16) match.misses = 0;
      } else {
        match.length = 0;
        match.misses++;
      }
    }
    this.#history[this.#position++] = byte;
    this.#last8 = ((this.#last8 << 8) | (this.#last4 >>> 24)) >>> 0;
    this.#last4 = ((this.#last4 << 8) | byte) >>> 0;
    const folded = byte >= 65 && byte <= 90 ? byte + 32 : byte;
    const inWord =
      (folded >= 97 && folded <= 122) || byte >= 128 || byte === 39 || (byte >= 48 && byte <= 57);
    const [word0, word1] = this.#words;
    if (inWord) this.#words[0] = Math.imul(word0 + folded + 1, 0x2f0b4c47) >>> 0;
    else if (word0 !== 0) this.#words = [0, word0, word1];

    if (this.#position >= 5) {
      const h = hash(Math.imul(this.#last4, 0x2f0b4c47) + (this.#last8 & 0xff), 21);
      this.#remember(this.#short, h & MATCH_MASK, { most: 32, least: 5 });
    }
    if (this.#position >= 12) {
      const start = this.#position - 12;
      const [a, b, c, d] = this.#history.subarray(start, start + 4) as unknown as number[];
      const before = a! | (b! << 8) | (c! << 16) | (d! << 24);
      const inner = hash(Math.imul(this.#last4, 0x2f0b4c47) + this.#last8, 22);
      const h = hash((inner ^ before) >>> 0, 23);
      const from = this.#long.length;
      this.#remember(this.#long, MATCH_MASK + 1 + (h & MATCH_MASK), { most: 64, least: 10 });
      if (from === 0 && this.#long.length > 0) this.#long.misses = 0;
    }
  }

  /** Takes up a match where there is none, and notes that the text was here. */
  #remember(match: Match, at: number, bounds: { most: number; least: number }): void {
    if (match.length === 0) {
      const found = this.#matches[at]!;
      const limit = Math.min(bounds.most, found);
      let length = 0;
      while (
        length < limit &&
        this.#history[found - 1 - length] === this.#history[this.#position - 1 - length]
      )
        length++;
      if (length >= bounds.least) Object.assign(match, { at: found, length });
    }
    this.#log(this.#matches, at);
    this.#matches[at] = this.#position;
  }
}
