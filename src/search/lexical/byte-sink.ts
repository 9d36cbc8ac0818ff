/** A byte buffer that grows and is used again: what segments of the word index are written into. */

export class ByteSink {
  bytes: Uint8Array;
  size = 0;

  constructor(capacity = 1024) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Room for `count` more bytes; returns where they start. The caller writes them itself. */
  room(count: number): number {
    const at = this.size;
    if (at + count > this.bytes.length) {
      const grown = new Uint8Array(Math.max(at + count, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, at));
      this.bytes = grown;
    }
    this.size = at + count;
    return at;
  }

  u8(value: number): void {
    const at = this.room(1);
    this.bytes[at] = value;
  }

  u32(value: number): void {
    const at = this.room(4);
    putU32(this.bytes, at, value);
  }

  /** Unsigned LEB128, up to 2^53. */
  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest & 0x7f) | 0x80);
      rest = rest < 0x80000000 ? rest >>> 7 : Math.floor(rest / 0x80);
    }
    this.u8(rest);
  }

  raw(source: Uint8Array, from = 0, to = source.length): void {
    const at = this.room(to - from);
    // Short pieces: a view costs more than the bytes.
    if (to - from < 24) for (let i = from, o = at; i < to; i++, o++) this.bytes[o] = source[i]!;
    else this.bytes.set(source.subarray(from, to), at);
  }

  clear(): void {
    this.size = 0;
  }

  /** The written bytes, as a copy. */
  copy(): Uint8Array {
    return this.bytes.slice(0, this.size);
  }
}

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

export function getU32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}
