/** Takes what a model thinks aloud (`<think>…</think>` before its answer) out of a stream of deltas. */

const OPEN = "<think>";
const CLOSE = "</think>";

export class ThinkingFilter {
  #held = "";
  #passing = false;

  /** What of the answer is certain after this delta. */
  push(delta: string): string {
    if (this.#passing) return delta;
    this.#held += delta;
    const text = this.#held.trimStart();
    if (OPEN.startsWith(text.slice(0, OPEN.length)) && text.length < OPEN.length) return "";
    if (text.startsWith(OPEN)) {
      const end = text.indexOf(CLOSE);
      if (end < 0) return "";
      const answer = text.slice(end + CLOSE.length).trimStart();
      // The blank line after the thoughts may still be on its way.
      if (answer === "") return "";
      this.#passing = true;
      return answer;
    }
    this.#passing = true;
    return this.#held;
  }

  /** What was held back when the stream ended: nothing of thoughts that never ended. */
  end(): string {
    if (this.#passing) return "";
    this.#passing = true;
    return this.#held.trimStart().startsWith(OPEN) ? "" : this.#held;
  }
}
