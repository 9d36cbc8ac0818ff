/**
 * The static server behind `npm start` and the browser tests: the built application with the headers
 * it needs (cross-origin isolation for threads, a content security policy), and the weights of the
 * manifest under `/models/NAME/FILE` with Range, so that a broken download goes on.
 */
import { createServer } from "node:http";
import { join } from "node:path";
import sirv from "sirv";
import { modelsDirectory, readManifest } from "./fetch-weights.mjs";
import { ROOT, StepError } from "./run.mjs";

/**
 * Code, WASM and workers are the application's own. Connections may go anywhere, because an owner may
 * name any address: a language model's files, a provider, a server in the own network. Which of them
 * are used is their decision alone (nothing is asked of another host without it).
 */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self' blob:",
  "connect-src 'self' blob: data: https: http:",
  "img-src 'self' data: blob:",
  // Svelte writes style attributes.
  "style-src 'self' 'unsafe-inline'",
  "object-src 'none'",
  "base-uri 'self'",
  "form-action 'self'",
  "frame-ancestors 'self'",
].join("; ");

const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Content-Security-Policy": CONTENT_SECURITY_POLICY,
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
};

/** Vite puts a hash of the content into these names. */
const HASHED = /^\/assets\/.+-[\w-]{8}\.\w+(?:\.map)?$/;

/** @typedef {(request: import("node:http").IncomingMessage, response: import("node:http").ServerResponse, next?: () => void) => void} Handler */

/**
 * Answers `/models/NAME/FILE` for the files of the manifest, and nothing else of that folder.
 * Fits Node's http, Vite's `server.middlewares` and Playwright's web server.
 * @param {string} [directory] @returns {Handler}
 */
export function createModelsHandler(directory = modelsDirectory()) {
  const known = new Set(
    readManifest().models.flatMap(
      (/** @type {{ name: string, files: { name: string }[] }} */ model) =>
        model.files.map((file) => `/models/${model.name}/${file.name}`),
    ),
  );
  const files = sirv(directory, {
    dev: true,
    etag: true,
    setHeaders(response) {
      response.setHeader("Cache-Control", "no-cache");
      response.setHeader("Accept-Ranges", "bytes");
    },
  });
  return (request, response, next) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const notFound = () => {
      response.statusCode = 404;
      response.end("No such model file.");
    };
    if (!pathname.startsWith("/models/")) return next ? next() : notFound();
    if (!known.has(pathname)) return notFound();
    if (pathname.endsWith(".onnx")) response.setHeader("Content-Type", "application/octet-stream");
    request.url = pathname.slice("/models".length);
    files(request, response, notFound);
  };
}

/** @param {string} directory @param {string} models @returns {Handler} */
function createHandler(directory, models) {
  const serveModels = createModelsHandler(models);
  const serveApp = sirv(directory, {
    dev: true,
    etag: true,
    setHeaders(response, pathname) {
      const hashed = HASHED.test(pathname);
      response.setHeader(
        "Cache-Control",
        hashed ? "public, max-age=31536000, immutable" : "no-cache",
      );
      response.setHeader("Accept-Ranges", "bytes");
    },
  });
  return (request, response) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { Allow: "GET, HEAD" });
      response.end();
      return;
    }
    serveModels(request, response, () =>
      serveApp(request, response, () => {
        response.statusCode = 404;
        response.setHeader("Content-Type", "text/plain; charset=utf-8");
        response.end("Not found.");
      }),
    );
  };
}

/**
 * Serves until closed. Port 0 takes a free one. Rejects with a `StepError` when the port can't be had.
 * @param {{ port?: number, host?: string, directory?: string, models?: string }} [options]
 * @returns {Promise<{ url: string, port: number, close(): Promise<void> }>}
 */
export async function startServer({
  port = 4173,
  host = "127.0.0.1",
  directory = join(ROOT, "dist/app"),
  models = modelsDirectory(),
} = {}) {
  const handler = createHandler(directory, models);
  const server = createServer((request, response) => {
    try {
      handler(request, response);
    } catch {
      // A request line that is no URL.
      response.statusCode = 400;
      response.end();
    }
  });
  await new Promise((resolve, reject) => {
    server.once("error", (/** @type {NodeJS.ErrnoException} */ error) => {
      if (error.code === "EADDRINUSE")
        reject(
          new StepError(
            `Port ${port} is in use by another program. Choose another one: PORT=${port + 1} npm start`,
          ),
        );
      else if (error.code === "EACCES")
        reject(
          new StepError(
            `Port ${port} is not allowed here. Choose one above 1023: PORT=4173 npm start`,
          ),
        );
      else reject(error);
    });
    server.listen(port, host, () => resolve(undefined));
  });
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://localhost:${address.port}/`,
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
