/** The current address as view state, and moving between addresses. */

import { href, parseRoute, type PageName, type Route } from "./router.ts";

class Location {
  current = $state.raw<Route>(parseRoute(window.location.hash));
  /** Where the last page was, so that a memory can lead back to the search that found it. */
  previous = $state.raw<string | null>(null);

  constructor() {
    window.addEventListener("hashchange", (event) => {
      const from = new URL(event.oldURL).hash;
      const next = parseRoute(window.location.hash);
      if (next.page !== this.current.page) this.previous = from;
      this.current = next;
    });
  }

  /** Goes to a page, as a new entry of the history. */
  go(page: PageName, options: Parameters<typeof href>[1] = {}): void {
    window.location.hash = href(page, options);
  }

  /** Replaces the parameters of the current page without a new entry (typing, filters). */
  replaceParams(params: URLSearchParams): void {
    const { page, id } = this.current;
    if (page === "unknown") return;
    const url = href(page, { ...(id === null ? {} : { id }), params });
    history.replaceState(history.state, "", url);
    this.current = parseRoute(url);
  }
}

export const location = new Location();
