/**
 * Pages of a long list, fetched as they scroll into view. Keeps a bounded number of pages, drops
 * answers that belong to an earlier query, and holds old rows until fresh ones are there.
 */

export interface PageResult<T> {
  items: T[];
  totalCount: number;
}

export type FetchPage<T> = (offset: number, limit: number) => Promise<PageResult<T>>;

const MAX_PAGES = 24;

export class PageCache<T> {
  readonly pageSize: number;
  #fetch: FetchPage<T>;
  #pages = new Map<number, T[]>();
  #stale = new Set<number>();
  #loading = new Map<number, number>();
  #epoch = 0;
  #onChange: () => void;
  #onError: (error: unknown) => void;
  totalCount: number | null = null;

  constructor(
    fetch: FetchPage<T>,
    options: { pageSize?: number; onChange: () => void; onError: (error: unknown) => void },
  ) {
    this.#fetch = fetch;
    this.pageSize = options.pageSize ?? 100;
    this.#onChange = options.onChange;
    this.#onError = options.onError;
  }

  /** The row, when its page is there. */
  get(index: number): T | undefined {
    return this.#pages.get(Math.floor(index / this.pageSize))?.[index % this.pageSize];
  }

  /** Asks for what rows [first, last] need and doesn't have yet. */
  ensure(first: number, last: number): void {
    const from = Math.max(0, Math.floor(first / this.pageSize));
    const to = Math.max(from, Math.floor(last / this.pageSize));
    for (let page = from; page <= to; page++) {
      const held = this.#pages.has(page) && !this.#stale.has(page);
      if (held || this.#loading.get(page) === this.#epoch) continue;
      void this.#load(page);
    }
    this.#evict(from, to);
  }

  /** The store changed: rows stay visible, and are fetched again when next asked for. */
  invalidate(): void {
    this.#epoch++;
    for (const page of this.#pages.keys()) this.#stale.add(page);
  }

  async #load(page: number): Promise<void> {
    const epoch = this.#epoch;
    this.#loading.set(page, epoch);
    try {
      const { items, totalCount } = await this.#fetch(page * this.pageSize, this.pageSize);
      if (epoch !== this.#epoch) return;
      this.#pages.delete(page);
      this.#pages.set(page, items);
      this.#stale.delete(page);
      this.totalCount = totalCount;
      this.#onChange();
    } catch (error) {
      if (epoch === this.#epoch) this.#onError(error);
    } finally {
      if (this.#loading.get(page) === epoch) this.#loading.delete(page);
    }
  }

  #evict(from: number, to: number): void {
    for (const page of this.#pages.keys()) {
      if (this.#pages.size <= MAX_PAGES) return;
      if (page < from || page > to) {
        this.#pages.delete(page);
        this.#stale.delete(page);
      }
    }
  }
}
