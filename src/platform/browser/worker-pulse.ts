/**
 * How one thread learns that another ended: a Web Lock that the worker holds for as long as it
 * lives. The browser releases it however the worker ends; a killed worker fires no event.
 */

/** Takes the lock for the rest of this worker's life; resolves once it is held. */
export function holdPulse(lockName: string): Promise<void> {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(lockName, () => {
        resolve();
        return new Promise<never>(() => undefined);
      })
      .catch(reject);
  });
}

/** Resolves when the worker that holds the lock has ended. */
export async function pulseEnded(lockName: string): Promise<void> {
  await navigator.locks.request(lockName, () => undefined);
}
