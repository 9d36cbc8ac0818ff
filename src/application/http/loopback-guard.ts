/**
 * Keeps a server on the loopback interface to the programs of this machine. Listening on 127.0.0.1
 * alone doesn't: a web page can reach it through a name that resolves there (DNS rebinding) or by a
 * request across origins. So the Host must name the loopback, and an Origin, where one is sent,
 * must be the server's own.
 */

import type { MiddlewareHandler } from "hono";
import type { ErrorBody } from "./wire.ts";

const LOOPBACK_NAMES = new Set(["localhost", "127.0.0.1", "[::1]"]);

export function loopbackGuard(): MiddlewareHandler {
  return async (context, next) => {
    const host = context.req.header("host");
    const origin = context.req.header("origin");
    const allowed =
      host !== undefined &&
      isLoopback(host) &&
      (origin === undefined || origin === `http://${host}`) &&
      context.req.header("sec-fetch-site") !== "cross-site";
    if (allowed) return next();
    const body: ErrorBody = {
      error: {
        code: "read_only",
        message: "This server answers programs of this machine only.",
        hint: "Ask it as http://127.0.0.1:PORT, and not from a page of another origin.",
        retryable: false,
      },
    };
    return context.json(body, 403);
  };
}

/** "localhost:7411" → true. */
function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/:\d{1,5}$/, "");
  return LOOPBACK_NAMES.has(name);
}
