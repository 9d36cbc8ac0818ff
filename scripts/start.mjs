/** `npm start`: the set-up, then the application on http://localhost:$PORT. */
import { fileURLToPath } from "node:url";
import { StepError, fail } from "./run.mjs";
import { setup } from "./setup.mjs";

/** @param {string | undefined} value */
export function parsePort(value) {
  if (value === undefined || value === "") return 4173;
  const port = Number(value);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new StepError(`PORT is "${value}"; it must be a number from 0 to 65535.`);
}

async function start() {
  const port = parsePort(process.env["PORT"]);
  await setup();
  // Only now: the server uses an installed package.
  const { startServer } = await import("./serve.mjs");
  // HOST=0.0.0.0 lets other machines in; browsers give them no storage or workers without HTTPS.
  const host = process.env["HOST"];
  const server = await startServer({ port, ...(host ? { host } : {}) });
  console.log(`\nReady: ${server.url}\nEverything stays in your browser. Ctrl-C stops the server.`);
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"]))
    process.once(signal, () => void server.close().then(() => process.exit(0)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await start().catch(fail);
