import { resolve } from "node:path";
import { defineConfig } from "vite";
import app from "../../vite.config.ts";

/** The page that runs the contracts, built as the application is, without its service worker. */
export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  base: "./",
  resolve: app.resolve!,
  worker: app.worker!,
  build: {
    outDir: resolve(import.meta.dirname, "../../dist/test-browser"),
    emptyOutDir: true,
    rollupOptions: {
      input: ["index.html", "kills.html"].map((page) => resolve(import.meta.dirname, page)),
    },
    target: "es2023",
    chunkSizeWarningLimit: 6000,
  },
});
