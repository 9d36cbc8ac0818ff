/** `serve`: the HTTP interface on this machine only. */

import type { ServerType } from "@hono/node-server";
import type { Command } from "commander";
import { z } from "zod";
import { AppError } from "../../../errors.ts";
import { bind, examples, type Invocation } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { EXIT_INTERRUPTED } from "../failure.ts";
import { integerOption } from "../options.ts";

export const LOOPBACK_HOST = "127.0.0.1";
/** How long open requests may go on after a stop was asked for. */
const STOP_TIMEOUT_MS = 10_000;

const schema = z.object({ port: integerOption(0, 65_535) });

export function registerServe(program: Command, invocation: Invocation): void {
  program
    .command("serve")
    .summary("answer HTTP requests from this machine")
    .description(
      `Serves the store over HTTP on ${LOOPBACK_HOST}. It listens on this machine only and refuses requests that name another host or come from another origin.`,
    )
    .option("-p, --port <port>", "0 takes a free one", "7411")
    .addHelpText(
      "after",
      examples(
        "llm-compress serve --port 7411",
        `curl -s http://${LOOPBACK_HOST}:7411/v1/recall -H 'content-type: application/json' -d '{"query":"lease"}'`,
      ),
    )
    .action(bind(invocation, schema, serve));
}

async function serve(
  context: CommandContext,
  input: z.output<typeof schema>,
): Promise<number | undefined> {
  const engine = await context.openStore("write");
  const { createRoutes } = await import("../../http/routes.ts");
  const { loopbackGuard } = await import("../../http/loopback-guard.ts");
  const app = createRoutes(engine, { middleware: [loopbackGuard()] });
  const { server, port } = await start(app.fetch, input.port);
  const url = `http://${LOOPBACK_HOST}:${port}`;
  if (context.json) await context.printJson({ url, port, directory: context.storeDirectory });
  else
    await context.print(`Listening on ${url} (store ${context.storeDirectory}). Ctrl-C stops.\n`);
  await stopped(context.signal);
  await stop(server);
  return EXIT_INTERRUPTED;
}

async function start(
  fetch: (request: Request) => Response | Promise<Response>,
  port: number,
): Promise<{ server: ServerType; port: number }> {
  const { serve: listen } = await import("@hono/node-server");
  return new Promise((resolve, reject) => {
    const server = listen({ fetch, port, hostname: LOOPBACK_HOST }, (info) =>
      resolve({ server, port: info.port }),
    );
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      reject(
        new AppError(
          taken ? "invalid_input" : "network",
          taken
            ? `--port: ${port} is taken by another program`
            : `Can't listen on ${LOOPBACK_HOST}:${port}: ${error.message}`,
          { hint: "Choose another port, or 0 for a free one.", cause: error },
        ),
      );
    });
  });
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Lets open requests end, closes idle connections, and doesn't wait longer than `STOP_TIMEOUT_MS`. */
async function stop(server: ServerType): Promise<void> {
  const timeout = setTimeout(() => {
    if ("closeAllConnections" in server) server.closeAllConnections();
  }, STOP_TIMEOUT_MS);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    if ("closeIdleConnections" in server) server.closeIdleConnections();
  });
  clearTimeout(timeout);
}
