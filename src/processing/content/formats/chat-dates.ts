/**
 * When the messages of a chat log were written: in which order its dates name day, month and year, and
 * on which days a log of mere clock times lies. Both show only in the log as a whole.
 */

import { fullYear, localTime, parseClock, saneTimestamp } from "../dates.ts";
import type { SourceFile } from "../parsed-item.ts";

/** What a line says of its time, as it is written. */
export interface WrittenTime {
  date?: string | undefined;
  clock?: string | undefined;
}

type DateOrder = "dmy" | "mdy" | "ymd";

const DAY_MS = 24 * 3600 * 1000;
/** Lines may be a little out of order, and a clock is set back by an hour in autumn. */
const MAX_STEP_BACK_MINUTES = 60;
/** A log in which one order spreads the days this much wider than another is written in the other. */
const SPREAD_RATIO = 5;

function parseDate(value: string, order: DateOrder): [number, number, number] {
  const parts = value.split(/[./-]/) as [string, string, string];
  if (order === "ymd" || parts[0].length > 2)
    return [fullYear(parts[0]), Number(parts[1]), Number(parts[2])];
  const year = fullYear(parts[2]);
  return order === "dmy"
    ? [year, Number(parts[1]), Number(parts[0])]
    : [year, Number(parts[0]), Number(parts[1])];
}

/** How well an order fits the dates seen so far. */
class OrderFit {
  impossible = 0;
  backwards = 0;
  readonly order: DateOrder;
  #first = Infinity;
  #last = -Infinity;
  #previous = -Infinity;

  constructor(order: DateOrder) {
    this.order = order;
  }

  get spread(): number {
    return Math.max(DAY_MS, this.#last - this.#first);
  }

  add(date: string): void {
    const at = saneTimestamp(localTime(...parseDate(date, this.order)));
    if (at === undefined) {
      this.impossible++;
      return;
    }
    if (at < this.#previous) this.backwards++;
    this.#previous = at;
    this.#first = Math.min(this.#first, at);
    this.#last = Math.max(this.#last, at);
  }
}

/** The day on which a log without dates starts, if its path names it. */
function namedDay(path: string): Date | null {
  const named = /(\d{4})-?(\d{2})-?(\d{2})/.exec(path);
  if (!named) return null;
  const at = localTime(Number(named[1]), Number(named[2]), Number(named[3]));
  return saneTimestamp(at) === undefined ? null : new Date(at);
}

/** Counts the days that clock times alone pass. */
class DayCounter {
  days = 0;
  minutes = -1;

  /** @param wholeDay whether the clock counts to 24 */
  add(hours: number, minutes: number, wholeDay: boolean): void {
    const now = hours * 60 + minutes;
    // By a clock of twelve hours only a jump of half a day and more is sure to be another day.
    if (this.minutes - now > (wholeDay ? MAX_STEP_BACK_MINUTES : 720)) this.days++;
    this.minutes = now;
  }
}

/** Sees all times of a log first (`survey`), then gives the points in time, line by line (`timeOf`). */
export class ChatCalendar {
  readonly #file: SourceFile;
  readonly #fits = (["dmy", "mdy", "ymd"] as const).map((order) => new OrderFit(order));
  readonly #distinct = new Set<string>();
  #halfDays = false;
  #wholeDay = false;
  readonly #counts = { wholeDay: new DayCounter(), halfDay: new DayCounter() };
  #order: DateOrder | null = null;
  #startDay: Date | null | undefined;
  readonly #counter = new DayCounter();

  constructor(file: SourceFile) {
    this.#file = file;
  }

  survey({ date, clock: written }: WrittenTime): void {
    if (written && /[ap]\.?\s?m/i.test(written)) this.#halfDays = true;
    if (date) {
      for (const fit of this.#fits) fit.add(date);
      if (this.#distinct.size < 3) this.#distinct.add(date);
      return;
    }
    const clock = written ? parseClock(written) : null;
    if (!clock) return;
    this.#wholeDay ||= clock.hours > 12 || clock.hours === 0 || written!.startsWith("0");
    this.#counts.wholeDay.add(clock.hours, clock.minutes, true);
    this.#counts.halfDay.add(clock.hours, clock.minutes, false);
  }

  timeOf({ date, clock: written }: WrittenTime): number | undefined {
    const clock = written ? parseClock(written) : null;
    if (date) {
      this.#order ??= this.#decideOrder(date);
      return saneTimestamp(localTime(...parseDate(date, this.#order), clock));
    }
    if (this.#startDay === undefined) this.#startDay = this.#decideStart();
    const start = this.#startDay;
    if (!clock || !start) return undefined;
    this.#counter.add(clock.hours, clock.minutes, this.#wholeDay);
    const day = new Date(
      start.getFullYear(),
      start.getMonth(),
      start.getDate() + this.#counter.days,
    );
    return localTime(day.getFullYear(), day.getMonth() + 1, day.getDate(), clock);
  }

  /** The order that makes fewest dates impossible, then fewest go back, then the days lie close; else by habit. */
  #decideOrder(date: string): DateOrder {
    const [first, , last] = date.split(/[./-]/) as [string, string, string];
    if (first.length > 2) return "ymd";
    const habits: DateOrder[] =
      this.#halfDays && !date.includes(".") ? ["mdy", "dmy"] : ["dmy", "mdy"];
    if (last.length <= 2) habits.push("ymd");
    let fits = habits.map((order) => this.#fits.find((fit) => fit.order === order)!);
    for (const key of ["impossible", "backwards"] as const) {
      const least = Math.min(...fits.map((fit) => fit[key]));
      fits = fits.filter((fit) => fit[key] === least);
    }
    const [usual] = fits;
    const closest = fits.reduce((one, other) => (other.spread < one.spread ? other : one));
    const enough = this.#distinct.size >= (fits.some((fit) => fit.order === "mdy") ? 3 : 2);
    return enough && usual!.spread >= closest.spread * SPREAD_RATIO ? closest.order : usual!.order;
  }

  /** Named in the path, else so that the log ends when its file was last written. */
  #decideStart(): Date | null {
    const named = namedDay(this.#file.path);
    if (named) return named;
    if (this.#file.lastModified === undefined) return null;
    const { days, minutes } = this.#wholeDay ? this.#counts.wholeDay : this.#counts.halfDay;
    const end = new Date(this.#file.lastModified);
    const isDayBefore = minutes > end.getHours() * 60 + end.getMinutes();
    return new Date(
      end.getFullYear(),
      end.getMonth(),
      end.getDate() - days - (isDayBefore ? 1 : 0),
    );
  }
}
