/**
 * Addresses of the pages. They live behind the `#`, so that every one of them opens offline and
 * from any folder of any static host: `#/search?q=ledger&speaker=Ada`.
 */

export const PAGES = [
  "home",
  "search",
  "remember",
  "library",
  "memory",
  "compare",
  "episodes",
  "statistics",
  "sql",
  "models",
  "workbench",
  "costs",
  "retention",
  "settings",
] as const;
export type PageName = (typeof PAGES)[number];

/** Pages about one thing may carry its id; a memory's page is nothing without it. */
const TAKES_ID: ReadonlySet<PageName> = new Set(["memory", "compare", "episodes"]);
const NEEDS_ID: ReadonlySet<PageName> = new Set(["memory"]);

export interface Route {
  page: PageName | "unknown";
  /** Of the memory or episode, on its page. */
  id: string | null;
  params: URLSearchParams;
}

/** Reads the part of an address after and with its "#". */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [first = "", second = ""] = path.split("/");
  const params = new URLSearchParams(query);
  if (first === "") return { page: "home", id: null, params };
  const page = PAGES.find((name) => name === first);
  const id = page !== undefined && TAKES_ID.has(page) && second !== "" ? decode(second) : null;
  if (page === undefined || (NEEDS_ID.has(page) && id === null))
    return { page: "unknown", id: null, params };
  return { page, id, params };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a page; empty parameters are left out. */
export function href(
  page: PageName,
  options: { id?: string; params?: URLSearchParams | Record<string, string | undefined> } = {},
): string {
  const path = page === "home" ? "" : page;
  const id = options.id === undefined ? "" : `/${encodeURIComponent(options.id)}`;
  const query = new URLSearchParams();
  const given = options.params ?? {};
  const entries = given instanceof URLSearchParams ? [...given] : Object.entries(given);
  for (const [key, value] of entries) if (value) query.append(key, value);
  const text = query.toString();
  return `#/${path}${id}${text === "" ? "" : `?${text}`}`;
}
