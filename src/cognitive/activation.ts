/**
 * How present a memory is now: its stored activation, halved with every 180 days since the event.
 * Nothing is written while it decays; retention rules and whoever asks compute it from the row.
 */

const HALF_LIFE_MS = 180 * 86_400_000;

/** 0–1. A time in the future counts as now. */
export function activationNow(
  memory: { activation: number; timestamp: number },
  nowMs: number,
): number {
  return memory.activation * 2 ** (-Math.max(0, nowMs - memory.timestamp) / HALF_LIFE_MS);
}
