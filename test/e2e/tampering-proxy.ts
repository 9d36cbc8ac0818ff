/**
 * The application behind a server that can do harm: change bytes on the way, cut an answer off, add
 * code to scripts. A server, because a page's request routing reaches no nested workers.
 */

import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "@playwright/test";
import { TEST_PORT } from "../../playwright.config.ts";

export interface Harm {
  /** Changes a whole answer. */
  edit?: (bytes: Buffer) => Buffer;
  /** Ends the connection after this many bytes of the answer. */
  cutAfterBytes?: number;
}

export interface TamperingProxy {
  /** Origin of its own: storage apart from that of the server behind. */
  readonly url: string;
  /** Paths asked for, with the range that was. */
  readonly requests: { path: string; range: string | undefined }[];
  close(): Promise<void>;
}

/** `harm` is asked for every request; null leaves the answer as it is. */
export async function startProxy(harm: (path: string) => Harm | null): Promise<TamperingProxy> {
  const requests: TamperingProxy["requests"] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    const { range } = request.headers;
    requests.push({ path, range });
    const upstream = { host: "localhost", port: TEST_PORT, path, headers: range ? { range } : {} };
    const asked = get(upstream, (answer) => {
      const { edit, cutAfterBytes } = harm(path) ?? {};
      response.on("error", () => answer.destroy());
      if (edit) {
        const parts: Buffer[] = [];
        answer.on("data", (part: Buffer) => parts.push(part));
        answer.on("end", () => {
          const body = edit(Buffer.concat(parts));
          const headers = { ...answer.headers, "content-length": String(body.length) };
          response.writeHead(answer.statusCode ?? 502, headers).end(body);
        });
        return;
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      if (cutAfterBytes === undefined) {
        answer.pipe(response);
        return;
      }
      let sent = 0;
      answer.on("data", (part: Buffer) => {
        if (sent >= cutAfterBytes) return;
        const rest = part.subarray(0, cutAfterBytes - sent);
        sent += rest.length;
        response.write(rest, () => {
          if (sent >= cutAfterBytes) response.destroy();
        });
      });
    });
    asked.on("error", () => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Runs the work against a proxy and closes it. */
export async function withProxy(
  harm: (path: string) => Harm | null,
  work: (proxy: TamperingProxy) => Promise<void>,
): Promise<void> {
  const proxy = await test.step("start the proxy", () => startProxy(harm));
  try {
    await work(proxy);
  } finally {
    await proxy.close();
  }
}
