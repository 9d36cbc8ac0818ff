/** `runContract(suite)` for Playwright: starts a worker of its own per suite. */

declare global {
  interface Window {
    runContract(
      suite: string,
      argument?: string,
    ): Promise<{ passed: string[]; failed: { name: string; error: string }[] }>;
  }
}

window.runContract = (suite, argument = "") => {
  const worker = new Worker(new URL("./contracts.worker.ts", import.meta.url), { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = (event) => resolve(event.data);
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage({ suite, argument });
  });
};

export {};
