/**
 * What of a model's raw text is its answer: thoughts in `<think>` are left out, the text ends before
 * the first stop sequence (not every server knows them), and it ends where it is longer than anything
 * that was asked for. Works on deltas: what could still turn out to be a mark is held back.
 */

const OPEN = "<think>";
const CLOSE = "</think>";

export interface TextGateOptions {
  stop?: readonly string[] | undefined;
  /** True leaves out a `<think>` block at the start. */
  dropThoughts?: boolean;
  maxChars: number;
}

export class TextGate {
  readonly #stop: readonly string[];
  readonly #maxChars: number;
  #state: "start" | "thinking" | "after-thoughts" | "answer";
  #held = "";
  #length = 0;
  #ended: "stop" | "length" | null = null;

  constructor(options: TextGateOptions) {
    this.#stop = (options.stop ?? []).filter((sequence) => sequence !== "");
    this.#maxChars = options.maxChars;
    this.#state = options.dropThoughts ? "start" : "answer";
  }

  /** Why nothing more is let through: a stop sequence came, or the limit; null while open. */
  get ended(): "stop" | "length" | null {
    return this.#ended;
  }

  /** The part of the answer that is certain now. */
  push(delta: string): string {
    if (this.#ended || delta === "") return "";
    this.#held += delta;
    this.#skipThoughts();
    return this.#state === "answer" ? this.#release(false) : "";
  }

  /** What was held back, when nothing more comes. */
  end(): string {
    if (this.#ended || this.#state === "thinking") return "";
    this.#state = "answer";
    return this.#release(true);
  }

  #skipThoughts(): void {
    if (this.#state === "start") {
      const start = this.#held.trimStart();
      if (start.startsWith(OPEN)) {
        this.#state = "thinking";
        this.#held = start.slice(OPEN.length);
      } else if (!OPEN.startsWith(start)) this.#state = "answer";
    }
    if (this.#state === "thinking") {
      const close = this.#held.indexOf(CLOSE);
      if (close === -1) {
        // Only the end can matter: the closing mark may be cut in two.
        this.#held = this.#held.slice(-(CLOSE.length - 1));
        return;
      }
      this.#held = this.#held.slice(close + CLOSE.length);
      this.#state = "after-thoughts";
    }
    if (this.#state === "after-thoughts") {
      this.#held = this.#held.trimStart();
      if (this.#held !== "") this.#state = "answer";
    }
  }

  #release(all: boolean): string {
    let end = this.#held.length;
    for (const sequence of this.#stop) {
      const at = this.#held.indexOf(sequence);
      if (at !== -1 && at < end) {
        end = at;
        this.#ended = "stop";
      }
    }
    if (!this.#ended && !all) end -= this.#possibleStopLength();
    if (this.#length + end > this.#maxChars) {
      end = this.#maxChars - this.#length;
      this.#ended = "length";
    }
    const released = this.#held.slice(0, end);
    this.#held = this.#ended ? "" : this.#held.slice(end);
    this.#length += released.length;
    return released;
  }

  /** Length of the longest end of the text that may be the start of a stop sequence. */
  #possibleStopLength(): number {
    let longest = 0;
    for (const sequence of this.#stop)
      for (let size = Math.min(sequence.length - 1, this.#held.length); size > longest; size--)
        if (this.#held.endsWith(sequence.slice(0, size))) {
          longest = size;
          break;
        }
    return longest;
  }
}
