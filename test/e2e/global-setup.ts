import { startServer } from "../../scripts/serve.mjs";

/** Serves the build for all browser tests; returns what stops it. */
export default async function globalSetup(): Promise<() => Promise<void>> {
  const server = await startServer({ port: 4179 });
  return () => server.close();
}
