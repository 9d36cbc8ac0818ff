/** How long work lets others on the same thread have their turn. */

/** Work goes on for so long before others are let in: a question then hardly notices it. */
const SLICE_MS = 16;

/** When the present task of the thread first asked; null once another has begun. */
let sliceFrom: number | null = null;

/** Resolves in a turn of its own: messages, timers and input that wait meanwhile come first. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Resolves behind what waits for the thread now, without a timer: those of browsers take 4 ms once nested, Node's one. */
export function nextTask(): Promise<void> {
  const { setImmediate: immediate } = globalThis as {
    setImmediate?: (callback: () => void) => unknown;
  };
  if (immediate) return new Promise((resolve) => immediate(resolve));
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/**
 * To be awaited between the steps of long work: lets others in when this thread has gone on for a while
 * without them, else costs next to nothing.
 */
export async function nextTaskIfDue(): Promise<void> {
  const now = performance.now();
  if (sliceFrom === null) {
    sliceFrom = now;
    void nextTask().then(() => (sliceFrom = null));
  } else if (now - sliceFrom >= SLICE_MS) await nextTask();
}
