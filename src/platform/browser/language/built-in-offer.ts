/** Offers this window's built-in language models to the engine's worker, where the window has any. */

import type { BuiltInInterfaces } from "./built-in-interfaces.ts";

/** A port to hand to the worker, and what ends its service; null where there is nothing to offer. */
export function offerBuiltInModels(): { port: MessagePort; stop(): void } | null {
  const interfaces = globalThis as BuiltInInterfaces;
  if (!interfaces.LanguageModel && !interfaces.Summarizer) return null;
  const { port1, port2 } = new MessageChannel();
  let stopped = false;
  let stop = () => port1.close();
  // Loaded apart, because few browsers need it: questions wait in the port until then.
  void import("./built-in-host.ts").then(({ serveBuiltInModels }) => {
    if (!stopped) stop = serveBuiltInModels(port1, interfaces);
  });
  return {
    port: port2,
    stop: () => {
      stopped = true;
      stop();
    },
  };
}
