/** Forgetting and bringing back, with the words around it. */

import type { ForgetTarget } from "../../../engine.ts";
import { explainError } from "./explain.ts";
import { formatPlural } from "./format.ts";
import { session } from "./session.svelte.ts";
import { toasts } from "./toasts.svelte.ts";

/** Forgets and offers to undo. Returns the ids that went. */
export async function forgetWithUndo(target: ForgetTarget): Promise<string[]> {
  const engine = await session.engine();
  const { ids } = await engine.forget(target);
  session.refreshSoon();
  toasts.show(`${formatPlural(ids.length, "memory", "memories")} forgotten.`, {
    action: { label: "Undo", run: () => restore(ids) },
  });
  return ids;
}

async function restore(ids: string[]): Promise<void> {
  try {
    const engine = await session.engine();
    const back = await engine.restore(ids);
    session.refreshSoon();
    const missing = ids.length - back.length;
    toasts.show(
      missing === 0
        ? `${formatPlural(back.length, "memory", "memories")} brought back.`
        : `${formatPlural(back.length, "memory", "memories")} brought back; ${missing} had been erased for good in the meantime.`,
    );
  } catch (error) {
    const { title, message } = explainError(error);
    toasts.show(`${title}: ${message}`, { tone: "error" });
  }
}
