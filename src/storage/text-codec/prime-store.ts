/** The primes of an open store: their headers at hand, their models brought up when first needed. */

import { AppError } from "../../errors.ts";
import type { FileStore } from "../../ports/file-store.ts";
import { crc32c } from "../bytes.ts";
import { TextCodec, type PrimeHeader } from "./text-codec.ts";

export interface PrimeInfo {
  number: number;
  sizeBytes: number;
  crc: number;
}

/** Models are tens of megabytes: an old and a new one during a compaction are enough. */
const MOST_MODELS = 2;

export function primePath(number: number): string {
  return `prime-${number}`;
}

export class PrimeStore {
  readonly #files: FileStore;
  readonly #known = new Map<number, { info: PrimeInfo; header: PrimeHeader }>();
  readonly #models = new Map<number, Promise<TextCodec>>();

  constructor(files: FileStore) {
    this.#files = files;
  }

  get infos(): PrimeInfo[] {
    return [...this.#known.values()].map(({ info }) => info);
  }

  header(number: number): PrimeHeader | null {
    return this.#known.get(number)?.header ?? null;
  }

  async #read({ number, sizeBytes, crc }: PrimeInfo): Promise<Uint8Array> {
    const path = primePath(number);
    const corrupt = (why: string) =>
      new AppError("corrupt_data", `"${path}" is damaged: ${why}.`, {
        hint: "The texts coded with it can't be read; restore it from a copy. Everything else can be used.",
      });
    if (!(await this.#files.stat(path))) throw corrupt("the file is missing");
    const file = await this.#files.read(path);
    if (file.length !== sizeBytes || crc32c(file) !== crc) throw corrupt("it fails its check");
    return file;
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

  /** Takes note of a prime that the manifest names. `corrupt_data`, `unsupported_version`. */
  async open(info: PrimeInfo): Promise<void> {
    const header = TextCodec.readHeader(await this.#read(info), primePath(info.number));
    this.#known.set(info.number, { info, header });
  }

  /** Writes a new prime. It counts once the manifest names it. */
  async add(number: number, codec: TextCodec, file: Uint8Array): Promise<void> {
    await this.#files.write(primePath(number), file);
    const info = { number, sizeBytes: file.length, crc: crc32c(file) };
    this.#known.set(number, { info, header: codec.header });
    this.#keep(number, Promise.resolve(codec));
  }

  forget(number: number): void {
    this.#known.delete(number);
    this.#models.delete(number);
  }

  /** The codec of a prime; the first call reads the prime, about a second per megabyte of it. */
  codec(number: number): Promise<TextCodec> {
    const loaded = this.#models.get(number);
    if (loaded) {
      this.#keep(number, loaded);
      return loaded;
    }
    const known = this.#known.get(number);
    if (!known) return Promise.reject(this.#missing(number));
    const loading = this.#read(known.info).then((file) => TextCodec.open(file, primePath(number)));
    loading.catch(() => this.#models.delete(number));
    this.#keep(number, loading);
    return loading;
  }

  #keep(number: number, model: Promise<TextCodec>): void {
    this.#models.delete(number);
    this.#models.set(number, model);
    if (this.#models.size > MOST_MODELS) this.#models.delete(this.#models.keys().next().value!);
  }
}
