import { describe, expect, it } from "vitest";
import { PageCache } from "../../../../src/application/ui/lib/page-cache.ts";

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

function numbers(total: number, asked: number[] = []): PageCache<number> {
  return new PageCache<number>(
    async (offset, limit) => {
      asked.push(offset);
      const length = Math.max(0, Math.min(limit, total - offset));
      return { items: Array.from({ length }, (_, index) => offset + index), totalCount: total };
    },
    { pageSize: 10, onChange: () => undefined, onError: () => undefined },
  );
}

describe("pages of a long list", () => {
  it("fetches only the pages in view, each once", async () => {
    const asked: number[] = [];
    const cache = numbers(100_000, asked);
    cache.ensure(55_555, 55_570);
    cache.ensure(55_555, 55_570);
    await settle();
    expect(asked).toEqual([55_550, 55_560, 55_570]);
    expect(cache.get(55_561)).toBe(55_561);
    expect(cache.get(3)).toBeUndefined();
    expect(cache.totalCount).toBe(100_000);
  });

  it("keeps old rows visible until fresh ones are there", async () => {
    const asked: number[] = [];
    const cache = numbers(30, asked);
    cache.ensure(0, 9);
    await settle();
    cache.invalidate();
    expect(cache.get(0)).toBe(0);
    cache.ensure(0, 9);
    await settle();
    expect(asked).toEqual([0, 0]);
  });

  it("drops an answer that belongs to the state before", async () => {
    const answers: ((rows: number[]) => void)[] = [];
    const cache = new PageCache<number>(
      () =>
        new Promise((resolve) =>
          answers.push((items) => resolve({ items, totalCount: items.length })),
        ),
      { pageSize: 10, onChange: () => undefined, onError: () => undefined },
    );
    cache.ensure(0, 0);
    cache.invalidate();
    cache.ensure(0, 0);
    answers[1]?.([2]);
    await settle();
    answers[0]?.([1]);
    await settle();
    expect(cache.get(0)).toBe(2);
  });

  it("reports a failure and can ask again", async () => {
    const errors: unknown[] = [];
    let fail = true;
    const cache = new PageCache<number>(
      async () => {
        if (fail) throw new Error("lost");
        return { items: [7], totalCount: 1 };
      },
      { pageSize: 10, onChange: () => undefined, onError: (error) => errors.push(error) },
    );
    cache.ensure(0, 0);
    await settle();
    expect(errors).toHaveLength(1);
    fail = false;
    cache.ensure(0, 0);
    await settle();
    expect(cache.get(0)).toBe(7);
  });

  it("holds a bounded number of rows while a whole store is scrolled through", async () => {
    const cache = numbers(10_000);
    for (let row = 0; row < 10_000; row += 10) {
      cache.ensure(row, row + 9);
      await settle();
    }
    let held = 0;
    for (let row = 0; row < 10_000; row++) if (cache.get(row) !== undefined) held++;
    expect(held).toBeLessThanOrEqual(250);
  });
});
