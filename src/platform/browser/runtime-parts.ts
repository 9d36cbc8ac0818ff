/** Parts of the program that are fetched when they are first used, kept for use without a network. */

/** The cache that the service worker answers runtime parts from (see vite.config.ts). */
const OFFLINE_CACHE = "runtime-parts";

/**
 * Puts parts where the service worker finds them, because on the very first visit that worker wasn't
 * there yet when they were fetched. Without it a model would not load offline. Never throws.
 */
export async function keepForOffline(urls: readonly string[]): Promise<void> {
  if (import.meta.env.DEV || typeof caches === "undefined") return;
  try {
    const cache = await caches.open(OFFLINE_CACHE);
    for (const url of urls) if (!(await cache.match(url))) await cache.add(url);
  } catch {
    // Offline already, or no room: the model itself may still load.
  }
}
