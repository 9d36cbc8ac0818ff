/** Resolves in a turn of its own: messages, timers and input that wait meanwhile come first. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
