/** Types of the modules that the build makes. */
/// <reference types="svelte" />
/// <reference types="vite/client" />
/// <reference types="vite-plugin-pwa/client" />

declare module "virtual:sample" {
  /** What `scripts/vite-plugin-sample.ts` copied into the build. */
  export const sample: {
    /** Path below the base URL. */
    path: string;
    addressCount: number;
    passageCount: number;
    sizeBytes: number;
    firstYear: number;
    lastYear: number;
  };
}

declare const __APP_VERSION__: string | undefined;
