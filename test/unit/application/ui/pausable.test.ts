import { describe, expect, it } from "vitest";
import { createAbortError, isAbortError } from "../../../../src/errors.ts";
import { TaskControl } from "../../../../src/model/task-control.ts";
import { runPausable } from "../../../../src/application/ui/lib/pausable.ts";

/** A download that waits until it is cut or let through. */
class Download {
  calls = 0;
  #let: () => void = () => undefined;
  step = (signal: AbortSignal): Promise<void> => {
    this.calls++;
    return new Promise((resolve, reject) => {
      this.#let = resolve;
      signal.addEventListener("abort", () => reject(createAbortError()));
    });
  };
  finish(): void {
    this.#let();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

describe("a download that can pause", () => {
  it("is cut by a pause and called again when resumed", async () => {
    const control = new TaskControl();
    const download = new Download();
    const done = runPausable(control, download.step);
    await turn();
    control.pause();
    await turn();
    expect(download.calls).toBe(1);
    control.resume();
    await turn();
    expect(download.calls).toBe(2);
    download.finish();
    await expect(done).resolves.toBeUndefined();
  });

  it("ends in an abort when cancelled, also while paused", async () => {
    for (const paused of [false, true]) {
      const control = new TaskControl();
      const download = new Download();
      const done = runPausable(control, download.step).catch((error: unknown) => error);
      await turn();
      if (paused) control.pause();
      await turn();
      control.cancel();
      expect(isAbortError(await done)).toBe(true);
    }
  });

  it("passes on a failure that is no pause", async () => {
    const control = new TaskControl();
    const failing = runPausable(control, () => Promise.reject(new Error("the disk is full")));
    await expect(failing).rejects.toThrow("the disk is full");
  });
});
