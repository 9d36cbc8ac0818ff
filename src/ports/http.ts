/**
 * Sends one HTTP request and hands its body out as it arrives. The language layer speaks to
 * providers through it alone: `fetch` in the browser, a pool of kept-alive connections in Node.
 */

export interface HttpRequest {
  method: "GET" | "POST" | "DELETE";
  url: string;
  /** Lower-case names. */
  headers: Record<string, string>;
  /** UTF-8. */
  body?: string;
  signal: AbortSignal;
  /** Longest wait for the connection; a transport that can't tell it from the answer ignores it. */
  connectTimeoutMs?: number;
}

export interface HttpResponse {
  status: number;
  /** Value of a header by its lower-case name, or null. */
  header(name: string): string | null;
  /** Names and values of all headers that may be read (in a page: those that CORS exposes). */
  headers: Iterable<readonly [string, string]>;
  /** Decoded chunks in order; leaving the loop early releases the connection. */
  body: AsyncIterable<Uint8Array>;
}

/**
 * Failures are `network` (not found, refused, cut, TLS) with what the system says and never a
 * header's value; `AbortError` when the signal fired. Redirects are not followed: a key must not
 * travel to an address that its owner didn't name.
 */
export interface HttpTransport {
  /** "page": requests stand under CORS and the key is visible to whoever opens the page's tools. */
  readonly environment: "page" | "process";
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}
