/** A run of writes with everything in it, and what the store must hold after each: for tests that let files fail. */

import { expect } from "vitest";
import {
  MemoryFileStore,
  type MemoryVolume,
} from "../../../src/platform/memory/memory-file-store.ts";
import { ArrowStorage } from "../../../src/storage/arrow-storage.ts";
import type { NewMemory } from "../../../src/storage/memory-store.ts";
import { makeMemories, makeMemory, sampleVector } from "./sample-memories.ts";

export const OPTIONS = {
  level: 1,
  backgroundLevel: 1,
  compactAtRows: 0,
  compactAtBytes: 0,
  catalogCopyFromRows: 1,
};

/** What a store must hold: text and title by id, forgotten ones apart. */
export interface Model {
  live: Map<string, { content: string | null; title: string | undefined; embedded: boolean }>;
  forgotten: Set<string>;
}

export const copy = (model: Model): Model => ({
  live: new Map([...model.live].map(([id, state]) => [id, { ...state }])),
  forgotten: new Set(model.forgotten),
});

export interface Step {
  name: string;
  run(store: ArrowStorage): Promise<unknown>;
  apply(model: Model): void;
}

export async function script(): Promise<Step[]> {
  const memories = await makeMemories([
    "The boat leaves at six.",
    "Rent is 900 a month.",
    "Anna moved to Lyon.",
    "Water the plants.",
    "The key is under the mat.",
  ]);
  const late = [
    await makeMemory("Second batch, first.", 7, { previousId: memories[0]!.id }),
    await makeMemory("Second batch, second.", 8),
  ];
  const [a, b, c, d, e] = memories as [NewMemory, NewMemory, NewMemory, NewMemory, NewMemory];
  const append = (name: string, batch: NewMemory[]): Step => ({
    name,
    run: (store) => store.append(batch),
    apply: (model) => {
      for (const memory of batch)
        model.live.set(memory.id, {
          content: memory.content,
          title: memory.metadata.title,
          embedded: false,
        });
    },
  });
  const compact: Step = {
    name: "compact",
    run: (store) => store.compact(),
    apply: (model) => model.forgotten.clear(),
  };
  const remove = (name: string, ids: string[], erase: boolean): Step => ({
    name,
    run: (store) => store.forget(ids, { erase }),
    apply: (model) => {
      for (const id of ids) {
        model.live.delete(id);
        if (!erase) model.forgotten.add(id);
      }
    },
  });
  const patch = (id: string): Step => ({
    name: "patch",
    run: (store) => store.patch(id, { metadata: { title: `title of ${id}` } }),
    apply: (model) => (model.live.get(id)!.title = `title of ${id}`),
  });
  const embed = (ids: string[]): Step => ({
    name: "embed",
    run: (store) =>
      store.setEmbeddings(
        ids.map((id, i) => ({ id, embedding: sampleVector(i) })),
        "m",
      ),
    apply: (model) => ids.forEach((id) => (model.live.get(id)!.embedded = true)),
  });
  return [
    append("append", memories),
    patch(a.id),
    compact,
    append("append late", late),
    embed([b.id, late[0]!.id]),
    remove("forget", [c.id], false),
    patch(b.id),
    compact,
    remove("erase", [d.id, late[1]!.id], true),
    patch(e.id),
    remove("forget last", [a.id], false),
  ];
}

/** Reads everything and checks that it is one of the given states. */
export async function check(
  volume: MemoryVolume,
  allowed: Model[],
  where: string,
): Promise<ArrowStorage> {
  const store = await ArrowStorage.open(new MemoryFileStore(volume), OPTIONS);
  const seen = new Map<string, unknown>();
  for await (const batch of store.scanMemories())
    for (const memory of batch) {
      const embedded = memory.embedding !== null;
      expect(embedded).toBe(store.catalog.byId(memory.id)!.embedded);
      seen.set(memory.id, { content: memory.content, title: memory.metadata.title, embedded });
    }
  const shown = (model: Pick<Model, "live">) => JSON.stringify([...model.live].sort());
  const matching = allowed.filter((model) => shown(model) === shown({ live: seen as never }));
  expect(matching.length, `${where}: ${[...seen.keys()].length} memories`).toBeGreaterThan(0);
  // Restorable while no compaction was acknowledged.
  if (allowed.length === 1) expect(store.forgottenCount(), where).toBe(allowed[0]!.forgotten.size);
  return store;
}
