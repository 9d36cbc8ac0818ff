/** Where weights are read from, by range: a file on disk, a `Blob` of the browser, bytes in memory. */

export interface ByteSource {
  /** For messages: a path, a file's name. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Bytes [offset, offset + length); the range lies inside the source. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    sizeBytes: bytes.length,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
  };
}

export function blobSource(name: string, blob: Blob): ByteSource {
  return {
    name,
    sizeBytes: blob.size,
    read: async (offset, length) =>
      new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
  };
}
