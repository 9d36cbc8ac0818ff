/**
 * Gives the event loop a turn. WASM inference is synchronous inside: without this a cancel, a query
 * or any other message would wait until the last batch is through.
 */
export function yieldToEventLoop(): Promise<void> {
  const immediate = (globalThis as { setImmediate?: (callback: () => void) => unknown })
    .setImmediate;
  if (immediate) return new Promise((resolve) => immediate(resolve));
  // Not setTimeout: browsers hold it back 4 ms once nested.
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
