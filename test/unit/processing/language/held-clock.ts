import type { Clock } from "../../../../src/ports/clock.ts";

/** A clock that stands still until it is moved. */
export class HeldClock implements Clock {
  ms: number;

  constructor(ms: number = new Date(2026, 10, 25, 12, 0).getTime()) {
    this.ms = ms;
  }

  now(): number {
    return this.ms;
  }

  elapsed(): number {
    return this.ms;
  }

  advance(ms: number): void {
    this.ms += ms;
  }
}
