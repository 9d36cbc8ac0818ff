/** A script for `new Worker(code, { eval: true })`, bundled by `scripts/vite-plugin-thread.ts`. */
declare module "*-thread.ts?thread" {
  const code: string;
  export default code;
}
