/** The primes of an open store: their headers at hand, their models brought up when first needed. */

import { AppError } from "../../errors.ts";
import type { FileStore } from "../../ports/file-store.ts";
import { crc32c } from "../bytes.ts";
import { Pace } from "./pace.ts";
import { makeParity, repair } from "./prime-parity.ts";
import { TextCodec, type PrimeHeader } from "./text-codec.ts";

export interface PrimeInfo {
  number: number;
  sizeBytes: number;
  crc: number;
}

/** Models are tens of megabytes: an old and a new one during a compaction are enough. */
const MOST_MODELS = 2;
/** Opening a large store's indexes goes first, and the first questions, after which `wanted` is called. */
const WARM_AFTER_MS = 4_000;

export function primePath(number: number): string {
  return `prime-${number}`;
}

/** What repairs it, see `prime-parity.ts`. */
function parityPath(number: number): string {
  return `${primePath(number)}.parity`;
}

/** All files of a prime. */
export function primePaths(number: number): string[] {
  return [primePath(number), parityPath(number)];
}

/** Which prime a file belongs to; null for other files. */
export function primeOfPath(path: string): number | null {
  const found = /^prime-(\d+)(\.parity)?$/.exec(path);
  return found ? Number(found[1]) : null;
}

interface Model {
  codec: Promise<TextCodec>;
  pace: Pace;
  isRead: boolean;
}

export class PrimeStore {
  readonly #files: FileStore;
  readonly #known = new Map<number, { info: PrimeInfo; header: PrimeHeader }>();
  readonly #models = new Map<number, Model>();
  #closed = false;

  constructor(files: FileStore) {
    this.#files = files;
  }

  get infos(): PrimeInfo[] {
    return [...this.#known.values()].map(({ info }) => info);
  }

  header(number: number): PrimeHeader | null {
    return this.#known.get(number)?.header ?? null;
  }

  /** The file as it was written; repaired when a part of it is damaged. */
  async #read({
    number,
    sizeBytes,
    crc,
  }: PrimeInfo): Promise<{ file: Uint8Array; mended: boolean }> {
    const path = primePath(number);
    const corrupt = (why: string) =>
      new AppError("corrupt_data", `"${path}" is damaged: ${why}.`, {
        hint: "The texts coded with it can't be read; restore it from a copy. Everything else can be used.",
      });
    if (!(await this.#files.stat(path))) throw corrupt("the file is missing");
    const file = await this.#files.read(path);
    if (file.length === sizeBytes && crc32c(file) === crc) return { file, mended: false };
    const parity = await this.#parity(number);
    const repaired = parity && repair(file, sizeBytes, parity);
    if (!repaired || crc32c(repaired) !== crc) throw corrupt("it fails its check");
    return { file: repaired, mended: true };
  }

  async #parity(number: number): Promise<Uint8Array | null> {
    const path = parityPath(number);
    return (await this.#files.stat(path)) ? this.#files.read(path) : null;
  }

  /** `corrupt_data` when the prime's file is not what was written. */
  async check(number: number): Promise<void> {
    const known = this.#known.get(number);
    if (known) await this.#read(known.info);
    else throw this.#missing(number);
  }

  #missing(number: number): AppError {
    return new AppError("corrupt_data", `"${primePath(number)}" is damaged or missing.`, {
      hint: "The texts coded with it can't be read; restore it from a copy.",
    });
  }

  /**
   * Takes note of a prime that the manifest names; writes it, or its parity, again where one was
   * damaged and could be repaired. Resolves to whether that was so. `corrupt_data`,
   * `unsupported_version`.
   */
  async open(info: PrimeInfo): Promise<boolean> {
    const { file, mended } = await this.#read(info);
    const header = TextCodec.readHeader(file, primePath(info.number));
    this.#known.set(info.number, { info, header });
    // It can be read without being written again, for example on a full disk.
    const write = (path: string, bytes: Uint8Array) =>
      this.#files.write(path, bytes).catch(() => undefined);
    if (mended) await write(primePath(info.number), file);
    const parity = makeParity(file);
    const found = await this.#parity(info.number);
    const same = found?.length === parity.length && parity.every((byte, i) => byte === found[i]);
    if (!same) await write(parityPath(info.number), parity);
    return mended || !same;
  }

  /** Writes a new prime. It counts once the manifest names it. */
  async add(number: number, codec: TextCodec, file: Uint8Array): Promise<void> {
    try {
      await this.#files.write(primePath(number), file);
      await this.#files.write(parityPath(number), makeParity(file));
    } catch (error) {
      for (const path of primePaths(number)) await this.#files.remove(path).catch(() => undefined);
      throw error;
    }
    const info = { number, sizeBytes: file.length, crc: crc32c(file) };
    this.#known.set(number, { info, header: codec.header });
    this.#keep(number, { codec: Promise.resolve(codec), pace: new Pace(true), isRead: true });
  }

  forget(number: number): void {
    this.#known.delete(number);
    this.#drop(number);
  }

  /**
   * Reads the newest prime while nobody waits for it, in steps of a few milliseconds with rests
   * between them, and not at once. A call of `codec` speeds it up, `close` ends it.
   */
  warm(): void {
    const number = Math.max(-1, ...this.#known.keys());
    if (number >= 0 && !this.#models.has(number))
      this.#load(number, new Pace(false), WARM_AFTER_MS);
  }

  /** Someone went without a text: the newest prime is read from now on, while nobody waits for it. */
  wanted(): void {
    this.warm();
    for (const { pace } of this.#models.values()) pace.wake();
  }

  /** Ends what is being read; there is no codec any more. */
  close(): void {
    this.#closed = true;
    for (const number of [...this.#models.keys()]) this.#drop(number);
  }

  /** Whether `codec` has it at once. */
  isRead(number: number): boolean {
    return this.#models.get(number)?.isRead ?? false;
  }

  /** The codec of a prime; the first call reads the prime, about two seconds per megabyte of it. */
  codec(number: number): Promise<TextCodec> {
    if (this.#closed) return Promise.reject(closed());
    const loaded = this.#models.get(number);
    if (loaded) {
      loaded.pace.hurry();
      this.#keep(number, loaded);
      return loaded.codec;
    }
    if (!this.#known.has(number)) return Promise.reject(this.#missing(number));
    return this.#load(number, new Pace(true));
  }

  #load(number: number, pace: Pace, delayMs = 0): Promise<TextCodec> {
    const read = async () => {
      if (delayMs > 0) await pace.sleep(delayMs);
      const { file } = await this.#read(this.#known.get(number)!.info);
      return TextCodec.open(file, primePath(number), pace);
    };
    const loading: Model = { codec: read(), pace, isRead: false };
    loading.codec.then(
      () => (loading.isRead = true),
      () => undefined,
    );
    // Who waits is told; the next call tries again.
    loading.codec.catch(() => {
      if (this.#models.get(number) === loading) this.#models.delete(number);
    });
    this.#keep(number, loading);
    return loading.codec;
  }

  #keep(number: number, model: Model): void {
    this.#models.delete(number);
    this.#models.set(number, model);
    if (this.#models.size > MOST_MODELS) this.#drop(this.#models.keys().next().value!);
  }

  #drop(number: number): void {
    this.#models.get(number)?.pace.stop(closed());
    this.#models.delete(number);
  }
}

function closed(): AppError {
  return new AppError("closed", "The model of the owner's text was put away.", {
    hint: "Open the store again, or read the memory again.",
    retryable: true,
  });
}
