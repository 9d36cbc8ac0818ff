import { defineConfig } from "vitest/config";
import { assemblyScript } from "./scripts/vite-plugin-assemblyscript.ts";
import { threadCode } from "./scripts/vite-plugin-thread.ts";

// Days and times in the suites are those of one zone; tests of others set theirs.
process.env["TZ"] = "UTC";

/** Suites that run in Node: units, contracts, architecture, the CLI as a process. Browser suites: playwright.config.ts. */
export default defineConfig({
  plugins: [assemblyScript(), threadCode()],
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "node", "import", "default"] },
  test: {
    include: ["test/{unit,contract,cli}/**/*.test.ts", "test/*.test.ts"],
    environment: "node",
    testTimeout: 240_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
  },
});
