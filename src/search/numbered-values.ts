/**
 * One light field of all memories as small numbers: who has which value is read from one typed array,
 * without touching a memory's entry. Part of `catalog-index.ts`; ranking asks it for every candidate.
 */

export class NumberedValues {
  readonly #numbers = new Map<string, number>();
  /** By number; number 0 is no value. Those that nobody has any more are dropped, and their numbers given again. */
  #values: (string | undefined)[] = [undefined];
  /** By number: who has it. */
  #counts: number[] = [0];
  #free: number[] = [];
  #byOrdinal = new Int32Array(0);
  #regiven = 0;

  /** Changes when a number that had a value gets another one. */
  get regiven(): number {
    return this.#regiven;
  }

  /** The number of a memory's value, 0 for none. */
  of(ordinal: number): number {
    return this.#byOrdinal[ordinal] ?? 0;
  }

  /** The number of a value, 0 when no memory has it. */
  numberOf(value: string): number {
    return this.#numbers.get(value) ?? 0;
  }

  valueOf(number: number): string | undefined {
    return this.#values[number];
  }

  set(ordinal: number, value: string | undefined): void {
    if (ordinal >= this.#byOrdinal.length) {
      if (value === undefined) return;
      this.#reserve(ordinal + 1);
    }
    const before = this.#byOrdinal[ordinal]!;
    if (this.#values[before] === value) return;
    this.#byOrdinal[ordinal] = value === undefined ? 0 : this.#take(value);
    if (before !== 0) this.#leave(before);
  }

  clear(): void {
    this.#regiven++;
    this.#numbers.clear();
    this.#values = [undefined];
    this.#counts = [0];
    this.#free = [];
    this.#byOrdinal = new Int32Array(0);
  }

  #take(value: string): number {
    let number = this.#numbers.get(value);
    if (number === undefined) {
      const freed = this.#free.pop();
      if (freed !== undefined) this.#regiven++;
      number = freed ?? this.#values.length;
      this.#numbers.set(value, number);
      this.#values[number] = value;
      this.#counts[number] = 0;
    }
    this.#counts[number]!++;
    return number;
  }

  #leave(number: number): void {
    if (--this.#counts[number]! > 0) return;
    this.#numbers.delete(this.#values[number]!);
    this.#values[number] = undefined;
    this.#free.push(number);
  }

  #reserve(limit: number): void {
    const grown = new Int32Array(Math.max(limit, Math.ceil(this.#byOrdinal.length * 1.5)));
    grown.set(this.#byOrdinal);
    this.#byOrdinal = grown;
  }
}
