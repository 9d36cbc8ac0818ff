import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";
import { VitePWA } from "vite-plugin-pwa";
import { arrowWithoutEval } from "./scripts/vite-plugin-arrow-without-eval.ts";
import { assemblyScript } from "./scripts/vite-plugin-assemblyscript.ts";
import { sampleData } from "./scripts/vite-plugin-sample.ts";

/** Cross-origin isolation gives the embedding model its threads; nothing breaks without it. */
const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** In chunks of their own, which are fetched when a model of theirs is used first: 6.8 and 0.4 MB. */
const LANGUAGE_ENGINES = [
  { name: "web-llm", test: /node_modules[\\/]@mlc-ai[\\/]web-llm[\\/]/ },
  { name: "wllama", test: /node_modules[\\/]@wllama[\\/]/ },
];

/** The application: page, workers, service worker. The SDK and CLI are built by vite.node.config.ts. */
export default defineConfig({
  plugins: [
    svelte(),
    assemblyScript(),
    sampleData(),
    VitePWA({
      registerType: "prompt",
      manifest: {
        name: "LLM Compression System",
        short_name: "Memory",
        description: "A private memory for your text: small, searchable in milliseconds, offline.",
        start_url: "./",
        scope: "./",
        display: "standalone",
        background_color: "#f6f4ef",
        theme_color: "#f6f4ef",
        icons: [
          { src: "icon-192.png", sizes: "192x192", type: "image/png" },
          { src: "icon-512.png", sizes: "512x512", type: "image/png" },
          {
            src: "icon-maskable-512.png",
            sizes: "512x512",
            type: "image/png",
            purpose: "maskable",
          },
          { src: "icon.svg", sizes: "any", type: "image/svg+xml" },
        ],
      },
      workbox: {
        // The shell, the workers' code and the two small wasm files (SQLite, ZSTD) are there from the
        // first visit; the embedding runtime and DuckDB come when they are asked for and then stay.
        globPatterns: [
          "**/*.{html,js,css,svg,png,webmanifest}",
          "assets/sqlite3-*.wasm",
          "assets/zstd-*.wasm",
        ],
        globIgnores: ["sample/**", "**/duckdb*", "**/ort*.mjs", "**/web-llm*", "**/wllama*"],
        // The largest is the language model of the entity extractor.
        maximumFileSizeToCacheInBytes: 6 * 1024 * 1024,
        navigateFallback: "index.html",
        cleanupOutdatedCaches: true,
        clientsClaim: true,
        runtimeCaching: [
          {
            urlPattern: /\/assets\/.*\.(?:wasm|mjs|worker.*\.js)$/,
            handler: "CacheFirst",
            options: {
              cacheName: "runtime-parts",
              cacheableResponse: { statuses: [200] },
              expiration: { maxEntries: 24 },
            },
          },
          {
            urlPattern: /\/assets\/.*(?:duckdb|web-llm|wllama).*\.js$/,
            handler: "CacheFirst",
            options: { cacheName: "runtime-parts", cacheableResponse: { statuses: [200] } },
          },
          {
            urlPattern: /\/sample\/.*$/,
            handler: "CacheFirst",
            options: { cacheName: "sample", cacheableResponse: { statuses: [200] } },
          },
        ],
      },
    }),
  ],
  resolve: {
    conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser", "import", "default"],
  },
  base: "./",
  build: { outDir: "dist/app", target: "es2023", sourcemap: true, chunkSizeWarningLimit: 1500 },
  worker: {
    format: "es",
    plugins: () => [assemblyScript(), arrowWithoutEval()],
    rolldownOptions: { output: { codeSplitting: { groups: LANGUAGE_ENGINES } } },
  },
  optimizeDeps: {
    exclude: ["@sqlite.org/sqlite-wasm", "@bokuweb/zstd-wasm", "onnxruntime-web"],
  },
  server: { headers: isolation },
  preview: { headers: isolation },
});
