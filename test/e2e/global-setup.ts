import { startServer } from "../../scripts/serve.mjs";

/** Serves the build for all browser tests; returns what stops it. */
export default async function globalSetup(): Promise<() => Promise<void>> {
  // Another build than dist/app, where one is named.
  const directory = process.env["TEST_APP_DIRECTORY"];
  const server = await startServer({ port: 4179, ...(directory ? { directory } : {}) });
  return () => server.close();
}
