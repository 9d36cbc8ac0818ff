import { describe, expect, it } from "vitest";
import { SerialQueue } from "../../../../src/application/cli/serial-queue.ts";

describe("serial queue", () => {
  it("handles items in order, one at a time", async () => {
    const log: string[] = [];
    const queue = new SerialQueue<number>(async (item) => {
      log.push(`start ${item}`);
      await new Promise((resolve) => setTimeout(resolve, item === 1 ? 10 : 0));
      log.push(`end ${item}`);
    });
    queue.push(1);
    queue.push(2);
    await queue.drain();
    expect(log).toEqual(["start 1", "end 1", "start 2", "end 2"]);
  });

  it("stops at the first failure and tells it when drained", async () => {
    const handled: number[] = [];
    const queue = new SerialQueue<number>(async (item) => {
      handled.push(item);
      if (item === 2) throw new Error("two");
    });
    for (const item of [1, 2, 3]) queue.push(item);
    await expect(queue.drain()).rejects.toThrow("two");
    expect(handled).toEqual([1, 2]);
  });
});
