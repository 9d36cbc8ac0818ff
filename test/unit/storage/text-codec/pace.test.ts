import { describe, expect, it } from "vitest";
import {
  MemoryFileStore,
  MemoryVolume,
} from "../../../../src/platform/memory/memory-file-store.ts";
import { Pace } from "../../../../src/storage/text-codec/pace.ts";
import { PrimeStore } from "../../../../src/storage/text-codec/prime-store.ts";
import { TextCodec } from "../../../../src/storage/text-codec/text-codec.ts";
import { mailBodies } from "../sample-memories.ts";

const LONG_MS = 3_600_000;

describe("a pace", () => {
  it("ends a rest when someone waits for the work", async () => {
    const pace = new Pace(false);
    const resting = pace.sleep(LONG_MS);
    pace.hurry();
    await resting;
    await pace.rest();
  });

  it("rejects with the reason when it is stopped, at rest or later", async () => {
    const pace = new Pace(false);
    const resting = pace.sleep(LONG_MS);
    const reason = new Error("Closed.");
    pace.stop(reason);
    await expect(resting).rejects.toBe(reason);
    await expect(pace.rest()).rejects.toBe(reason);
    await expect(pace.sleep(LONG_MS)).rejects.toBe(reason);
  });
});

describe("primes that warm themselves", () => {
  const text = new TextEncoder().encode(mailBodies(30).join("\0")).slice(0, 40_000);

  async function openPrimes(): Promise<PrimeStore> {
    const files = new MemoryFileStore(new MemoryVolume());
    const { codec, file } = await TextCodec.create(text, { ordinals: [1], coveredBytes: 1 });
    const first = new PrimeStore(files);
    await first.add(3, codec, file);
    const primes = new PrimeStore(files);
    for (const info of first.infos) await primes.open(info);
    return primes;
  }

  it("are the ones that a read gets, at once", async () => {
    const primes = await openPrimes();
    primes.warm();
    const [one, two] = [primes.codec(3), primes.codec(3)];
    expect(two).toBe(one);
    const codec = await one;
    const block = text.slice(0, 3000);
    expect(codec.decodeBlock(codec.encodeBlock(block)!, block.length)).toEqual(block);
    primes.close();
  });

  it("stop when they are closed: who waits is told, and so is who comes later", async () => {
    const primes = await openPrimes();
    primes.warm();
    const waiting = primes.codec(3);
    primes.close();
    await expect(waiting).rejects.toMatchObject({ code: "closed" });
    await expect(primes.codec(3)).rejects.toMatchObject({ code: "closed" });
  });
});
