/**
 * Places of one spread by the thread of their memory, as chains through arrays that are used again: a
 * list for each thread would cost more than what is done with it.
 */

const END = -1;

export class ThreadGroups {
  /** Threads in [0, count), in the order they were met. */
  count = 0;
  /** By thread met: how many places it has. */
  sizes = new Int32Array(256);
  #threads = new Int32Array(256);
  #firsts = new Int32Array(256);
  #lasts = new Int32Array(256);
  /** By place: the next one of its thread. */
  #next = new Int32Array(2048);
  /** By a thread's number: which met one it is; true only where `#threads` says so. */
  #metAs = new Int32Array(0);

  reset(): void {
    this.count = 0;
  }

  /** @param opens whether a thread that wasn't met yet is begun; else the place is left out */
  add(thread: number, place: number, opens: boolean): void {
    if (place >= this.#next.length) this.#next = grown(this.#next, place);
    this.#next[place] = END;
    if (thread >= this.#metAs.length) this.#metAs = grown(this.#metAs, thread);
    const known = this.#metAs[thread]!;
    if (known < this.count && this.#threads[known] === thread) {
      this.#next[this.#lasts[known]!] = place;
      this.#lasts[known] = place;
      this.sizes[known]!++;
      return;
    }
    if (!opens) return;
    const met = this.count++;
    if (met === this.sizes.length) {
      this.sizes = grown(this.sizes, met);
      this.#threads = grown(this.#threads, met);
      this.#firsts = grown(this.#firsts, met);
      this.#lasts = grown(this.#lasts, met);
    }
    this.#metAs[thread] = met;
    this.#threads[met] = thread;
    this.#firsts[met] = place;
    this.#lasts[met] = place;
    this.sizes[met] = 1;
  }

  /** Writes the places of a thread into `into`, in the order they were added; it must have room for them. */
  read(met: number, into: Int32Array): void {
    let at = 0;
    for (let place = this.#firsts[met]!; place !== END; place = this.#next[place]!)
      into[at++] = place;
  }
}

function grown(from: Int32Array<ArrayBuffer>, least: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(Math.max(2 * from.length, least + 1));
  to.set(from);
  return to;
}
