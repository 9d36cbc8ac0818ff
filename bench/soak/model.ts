/**
 * What a store must hold. Of each memory the model knows the states that it may be in: one once a
 * change was acknowledged, those before and after it while one was cut off. What is seen in the
 * store after a kill must be one of them, and is from then on the only one.
 */

import type { KeepLevel } from "../../src/model/memory.ts";

export type Presence =
  /** Never acknowledged. */
  | "absent"
  | "live"
  /** Out of every result, and can be restored. */
  | "forgotten"
  /** Erased, or forgotten before a compaction. */
  | "gone";

export interface Slot {
  readonly serial: number;
  /** A word that no other text has. */
  readonly word: string;
  readonly text: string;
  /** Unique, too: what tells a memory whose id was never told. */
  readonly source: string;
  readonly timestamp: number;
  /** Whether it was handed in with a vector made of its serial. */
  readonly hasVector: boolean;
  id: string | null;
  presence: Set<Presence>;
  title: Set<string | null>;
  keep: Set<KeepLevel>;
  /** The level to which an undo leads back. */
  detail: Set<KeepLevel>;
}

/** A broken promise of the store. */
export class Violation extends Error {
  override readonly name = "Violation";
}

export function assert(holds: boolean, what: () => string): asserts holds {
  if (!holds) throw new Violation(what());
}

export class Model {
  readonly slots: Slot[] = [];
  readonly bySource = new Map<string, Slot>();
  /** Changes of several memories that were cut off: all of them happened, or none. */
  readonly together: { what: string; slots: { slot: Slot; before: string }[] }[] = [];
  /** Being changed by a request that has no answer yet. */
  readonly busy = new Set<Slot>();

  add(slot: Omit<Slot, "presence" | "title" | "keep" | "detail" | "id">, id: string | null): Slot {
    const full: Slot = {
      ...slot,
      id,
      presence: new Set(["absent", "live"]),
      title: new Set([null]),
      keep: new Set(["exact"]),
      detail: new Set(["exact"]),
    };
    this.slots.push(full);
    this.bySource.set(full.source, full);
    return full;
  }

  /** Those that are surely in this state and that nothing is changing. */
  surely(presence: Presence): Slot[] {
    return this.slots.filter(
      (slot) => slot.presence.size === 1 && slot.presence.has(presence) && !this.busy.has(slot),
    );
  }

  count(presence: Presence): number {
    return this.slots.filter((slot) => slot.presence.has(presence)).length;
  }

  /** A cut-off change: each may be as before or after it, all alike. */
  maybe(what: string, slots: readonly Slot[], after: Presence): void {
    const known = slots.map((slot) => ({ slot, before: [...slot.presence].join() }));
    if (slots.length > 1) this.together.push({ what, slots: known });
    for (const slot of slots) slot.presence.add(after);
  }

  /** A compaction carries out what could be undone; `acknowledged` or cut off. */
  compacted(acknowledged: boolean): void {
    const forgotten = this.slots.filter(({ presence }) => presence.has("forgotten"));
    for (const { presence } of forgotten) {
      if (acknowledged) presence.delete("forgotten");
      presence.add("gone");
    }
    for (const slot of this.slots) {
      if (acknowledged) slot.detail = new Set(slot.keep);
      else for (const keep of slot.keep) slot.detail.add(keep);
    }
  }

  undone(acknowledged: boolean): void {
    for (const slot of this.slots) {
      if (acknowledged) slot.keep = new Set(slot.detail);
      else for (const detail of slot.detail) slot.keep.add(detail);
    }
  }

  /** Takes over what was seen of every memory; each state seen was one of those it may be in. */
  observe(
    see: (slot: Slot) => {
      /** "hidden": not live, and whether it could be restored isn't seen. */
      presence: "live" | "forgotten" | "none" | "hidden";
      id: string | null;
      title: string | null;
      keep: KeepLevel;
      detail: KeepLevel;
    },
  ): void {
    for (const slot of this.slots) {
      const seen = see(slot);
      const name = `${slot.source} (${slot.id ?? "no id yet"})`;
      const possible = [...slot.presence].join(" or ");
      if (seen.presence === "hidden") {
        slot.presence.delete("live");
        assert(slot.presence.size > 0, () => `LOST: ${name} is not there; it must be ${possible}`);
        continue;
      }
      const presence: Presence =
        seen.presence !== "none" ? seen.presence : slot.presence.has("absent") ? "absent" : "gone";
      assert(slot.presence.has(presence), () =>
        presence === "gone"
          ? `LOST: ${name} is not there; it must be ${possible}`
          : `CAME BACK: ${name} is ${presence}; it must be ${possible}`,
      );
      slot.presence = new Set([presence]);
      if (presence !== "live") continue;
      assert(slot.id === null || slot.id === seen.id, () => `CHANGED: ${name} has id ${seen.id}`);
      slot.id = seen.id;
      assert(
        slot.title.has(seen.title),
        () => `LOST: the title of ${name} is ${seen.title}, not ${[...slot.title].join(" or ")}`,
      );
      slot.title = new Set([seen.title]);
      assert(
        slot.keep.has(seen.keep),
        () => `CHANGED: ${name} is kept as ${seen.keep}, not ${[...slot.keep].join(" or ")}`,
      );
      slot.keep = new Set([seen.keep]);
      assert(
        slot.detail.has(seen.detail),
        () => `LOST: of ${name} there is ${seen.detail}, not ${[...slot.detail].join(" or ")}`,
      );
      slot.detail = new Set([seen.detail]);
    }
    for (const { what, slots } of this.together.splice(0)) {
      const done = slots.filter(({ slot, before }) => [...slot.presence].join() !== before);
      const isWhole = done.length === 0 || done.length === slots.length;
      assert(isWhole, () => `HALF DONE: ${what} changed ${done.length} of ${slots.length}`);
    }
  }
}
