/** What the thin worker files hand over, and the view that Comlink gives of the other side. */

/** The part of a dedicated worker's global scope that is used (the DOM library has no type for it). */
export interface WorkerScope extends EventTarget {
  postMessage(message: unknown, transfer?: Transferable[]): void;
}

/** An exposed object seen from the other side, where every call is a promise. Comlink's own type splits unions. */
export type RemoteApi<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};
