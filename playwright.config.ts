import { defineConfig } from "@playwright/test";

/** Of the application; the contracts' page has the next one. Runs side by side need ports of their own. */
export const TEST_PORT = Number(process.env["TEST_PORT"] ?? 4179);

/** The product in a real Chromium: the built application behind the server of `npm start`. */
export default defineConfig({
  testDir: "test/e2e",
  globalSetup: "./test/e2e/global-setup.ts",
  // Two cores, and the embedding model uses both.
  workers: 1,
  timeout: 240_000,
  expect: { timeout: 30_000 },
  retries: process.env["CI"] ? 1 : 0,
  use: {
    baseURL: `http://localhost:${TEST_PORT}/`,
    trace: "retain-on-failure",
    launchOptions: {
      ...(process.env["CHROMIUM_PATH"] ? { executablePath: process.env["CHROMIUM_PATH"] } : {}),
      args: [
        // Chromium refuses its sandbox to root.
        ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--enable-unsafe-webgpu",
      ],
    },
  },
});
