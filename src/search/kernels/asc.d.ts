/** Compiled by `scripts/vite-plugin-assemblyscript.ts`. */
declare module "*.as.ts?asc" {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
declare module "*.as.ts?asc&shared" {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
