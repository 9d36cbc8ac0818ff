/**
 * Reads that fail, give fewer bytes than there are, or a wrong bit, once: the call may fail, the
 * next one must not; nothing wrong is ever answered, and nothing is lost on disk by it.
 */

import { describe, expect, it } from "vitest";
import { FaultyFileStore, type Fault } from "../../../src/platform/memory/faulty-file-store.ts";
import { MemoryFileStore, MemoryVolume } from "../../../src/platform/memory/memory-file-store.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import { OPTIONS, check, copy, script, type Model, type Step } from "./fault-script.ts";

const CODES = /corrupt_data|storage_full|storage_unavailable|internal/;

async function isRefused(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    () => false,
    (error: { code?: string }) => {
      if (!error.code || !CODES.test(error.code)) throw error;
      return true;
    },
  );
}

/** Everything that can be asked, against what must be answered. */
async function read(store: ArrowStorage, model: Model): Promise<void> {
  const entries = [...store.catalog.entries()];
  const contents = await store.getContents(entries.map(({ ordinal }) => ordinal));
  entries.forEach(({ id }, i) => {
    const expected = model.live.get(id);
    if (expected) expect(contents[i]).toBe(expected.content);
  });
  for (const { id } of entries) {
    const expected = model.live.get(id);
    if (expected) expect((await store.get(id)).content).toBe(expected.content);
  }
}

/** Runs the script over a store that is opened again before each step. Returns the calls of `read`. */
async function runWithFault(steps: readonly Step[], fault: Fault | null): Promise<number> {
  const volume = new MemoryVolume();
  const where = fault ? `${fault.kind} at read ${fault.atCall}` : "no fault";
  let model: Model = { live: new Map(), forgotten: new Set() };
  let reads = 0;
  const open = async (): Promise<[ArrowStorage, FaultyFileStore]> => {
    volume.opened = false;
    const left = fault === null ? null : { ...fault, atCall: fault.atCall - reads };
    const files = new FaultyFileStore(new MemoryFileStore(volume), left);
    try {
      return [await ArrowStorage.open(files, OPTIONS), files];
    } catch (error) {
      reads += files.reads;
      if (!CODES.test((error as { code?: string }).code ?? "")) throw error;
      // Once only: the same call succeeds now.
      return open();
    }
  };
  for (const step of steps) {
    const [store, files] = await open();
    const next = copy(model);
    step.apply(next);
    const again = await isRefused(step.run(store));
    if (again)
      await step.run(store).catch((error: { code?: string }) => {
        // Damage that was met once keeps an erasure from being sure until the store is opened again.
        if (error.code !== "not_found" && error.code !== "corrupt_data") throw error;
      });
    model = next;
    await isRefused(read(store, model));
    await store.close();
    reads += files.reads;
  }
  volume.opened = false;
  const whole = await check(volume, [model], where);
  await read(whole, model);
  expect(whole.recovered.join(), where).not.toMatch(/are lost|is lost/);
  await whole.close();
  return reads;
}

describe("a store whose reads go wrong once", () => {
  for (const kind of ["read-error", "short-read", "flipped-read"] as const)
    it(`loses nothing and answers nothing wrong: ${kind} at every read`, async () => {
      const steps = await script();
      const reads = await runWithFault(steps, null);
      expect(reads).toBeGreaterThan(50);
      for (let atCall = 1; atCall <= reads; atCall++)
        await runWithFault(steps, { atCall, kind, code: "storage_unavailable" });
    }, 600_000);
});
