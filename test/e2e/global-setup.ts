import { build } from "vite";
import { TEST_PORT } from "../../playwright.config.ts";
import { startServer } from "../../scripts/serve.mjs";
import contracts from "../browser/vite.config.ts";

/** Serves the application and the contracts' page for all browser tests; returns what stops it. */
export default async function globalSetup(): Promise<() => Promise<void>> {
  await build({ ...contracts, configFile: false, logLevel: "error" });
  // Another build than dist/app, where one is named.
  const directory = process.env["TEST_APP_DIRECTORY"];
  const servers = [
    await startServer({ port: TEST_PORT, ...(directory ? { directory } : {}) }),
    await startServer({ port: TEST_PORT + 1, directory: contracts.build!.outDir! }),
  ];
  return async () => {
    for (const server of servers) await server.close();
  };
}
