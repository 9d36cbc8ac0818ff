/**
 * The periods that a query can name, one rule each: "5 May 2023", "last spring", "two weeks ago", "in
 * the nineties". `time-expression.ts` finds them in a text and joins them ("since …", "between … and
 * …"). Every time here is what clocks on the wall show, as if that were UTC (`model/wall-clock.ts`); seasons
 * are those of the northern half.
 */

/** A stretch of wall-clock time in ms, [from, to); or one that returns every year. */
export interface Period {
  from: number;
  to: number;
  /** For "in May" without a year: whether a time falls in it; `from` and `to` are then unbounded. */
  recurs?: (timestamp: number) => boolean;
  /** Depends on the present ("last week"). */
  relative?: boolean;
}

export interface PeriodRule {
  pattern: RegExp;
  /** Null when the words are no time after all. */
  read: (groups: Record<string, string | undefined>, nowMs: number) => Period | null;
}

export const DAY_MS = 86_400_000;

const MONTHS =
  "january february march april may june july august september october november december".split(
    " ",
  );
const DAYS = "sunday monday tuesday wednesday thursday friday saturday".split(" ");
const SEASONS = { spring: 2, summer: 5, autumn: 8, fall: 8, winter: 11 } as const;
const SMALL_NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split(
  " ",
);

const MONTH =
  "(?<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\\.?";
const YEAR = "(?<year>1[5-9]\\d{2}|20\\d{2})";
const DAY = "(?<day>\\d{1,2})(?:st|nd|rd|th)?";
const LAST_DAY = "(?<last>\\d{1,2})(?:st|nd|rd|th)?(?!:?\\d)";
const SEASON = "(?<season>spring|summer|autumn|fall|winter)";
const WEEKDAY = "(?<weekday>sunday|monday|tuesday|wednesday|thursday|friday|saturday)";
const HOLIDAY =
  "(?<holiday>christmas(?: eve| day)?|new year(?:['’]s)?(?: eve| day)?|halloween|valentine['’]?s(?: day)?|easter|thanksgiving)";
const COUNT = `(?<count>an?|\\d{1,3}|${SMALL_NUMBERS.slice(1).join("|")}|an? couple(?: of)?|an? few|several|half an?)`;
const UNIT = "(?<unit>day|week|weekend|fortnight|month|quarter|year|decade)";
const TO = "\\s*(?:-|–|to|and|or|until|till|through)\\s*";

/** What stands before a month or season alone, which could be another word: "may", "march", "fall". */
const BEFORE_NAMES =
  "in|during|over|since|before|after|until|till|by|of|early|mid|late|between|from";
const NAMED_MONTH = MONTH.replace("?<month>", "?:");
/** Joined with a time before it: "from March to May", and not "to march" or "to fall in love". */
const JOINED_NAMES = `(?:\\d|${MONTHS.map((month) => `${month}|${month.slice(0, 3)}`).join("|")}|spring|summer|autumn|fall|winter)\\.?\\s+(?:to|and|or|until|till|through)`;
/** Before another month: "March to May", "May and June 2023". */
const FIRST_MONTH = `${MONTH.replace("<month>", "<first>")}(?=\\s*(?:(?:to|until|till|through)\\s|[–-])\\s*${NAMED_MONTH}|\\s+(?:and|or)\\s+${NAMED_MONTH},?\\s+\\d{4})`;
const BEFORE_NAME = `(?<=(?:${BEFORE_NAMES}|${JOINED_NAMES})[\\s-]+(?:the\\s+)?)`;

/** Something of each rule: most queries name no time, and needn't be tried against them all. */
export const MAY_NAME_TIME =
  /\d|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|spring|summer|autumn|fall|winter|day|night|christmas|new year|halloween|valentine|easter|thanksgiving|quarter|ties|this|today|yesterday|tomorrow|recently|lately|last|past|previous|next|coming|ago|earlier|back/iu;

const rule = (pattern: string, read: PeriodRule["read"]): PeriodRule => ({
  pattern: new RegExp(`(?<![\\p{L}\\p{N}])${pattern}(?![\\p{L}\\p{N}])`, "giu"),
  read,
});

/** In the order in which they are tried: longer forms first. */
export const PERIOD_RULES: readonly PeriodRule[] = [
  rule("(?<year>\\d{4})[-/.](?<m>\\d{1,2})[-/.](?<d>\\d{1,2})", (g) =>
    dayPeriod(Number(g["year"]), Number(g["m"]) - 1, Number(g["d"])),
  ),
  rule("(?<year>\\d{4})-(?<m>\\d{2})", (g) => monthPeriod(Number(g["year"]), Number(g["m"]) - 1)),
  // 14.3.2023 has the day first; 3/14/2023 the month, unless it can't be one.
  rule("(?<a>\\d{1,2})\\.(?<b>\\d{1,2})\\.(?<year>\\d{4})", (g) =>
    dayPeriod(Number(g["year"]), Number(g["b"]) - 1, Number(g["a"])),
  ),
  rule("(?<a>\\d{1,2})/(?<b>\\d{1,2})/(?<year>\\d{4})", (g) => {
    const [a, b] = [Number(g["a"]), Number(g["b"])];
    return a > 12 ? dayPeriod(Number(g["year"]), b - 1, a) : dayPeriod(Number(g["year"]), a - 1, b);
  }),
  rule(
    `${DAY}${TO}(?:the\\s+)?${LAST_DAY}\\s+(?:of\\s+)?${MONTH}(?:,?\\s+${YEAR})?`,
    readDaysOfMonth,
  ),
  rule(
    `${MONTH}\\s+(?:the\\s+)?${DAY}${TO}(?:the\\s+)?${LAST_DAY}(?:,?\\s+${YEAR})?`,
    readDaysOfMonth,
  ),
  rule(`${DAY}\\s+(?:of\\s+)?${MONTH}(?:,?\\s+${YEAR})?`, readDayOfMonth),
  rule(`${MONTH}\\s+(?:the\\s+)?${DAY}(?:,?\\s+${YEAR})?`, readDayOfMonth),
  rule(`${MONTH},?\\s+(?:of\\s+)?${YEAR}`, (g) =>
    monthPeriod(Number(g["year"]), monthOf(g["month"])),
  ),
  rule(`${SEASON},?\\s+(?:of\\s+)?${YEAR}`, (g) => season(g["season"]!, Number(g["year"]))),
  rule(
    `(?:q(?<q>[1-4])|(?<nth>first|second|third|fourth|last) quarter),?\\s+(?:of\\s+)?${YEAR}`,
    (g) => {
      const nth = ["first", "second", "third", "fourth"].indexOf(g["nth"]?.toLowerCase() ?? "");
      const quarter = g["q"] === undefined ? (nth < 0 ? 3 : nth) : Number(g["q"]) - 1;
      return months(Number(g["year"]), 3 * quarter, 3);
    },
  ),
  rule(`${HOLIDAY}(?:,?\\s+(?:of\\s+|in\\s+)?${YEAR})`, (g) =>
    holiday(g["holiday"]!, Number(g["year"])),
  ),
  rule("(?:the\\s+)?(?<century>1[5-9]|20)(?<tens>\\d)0['’]?s", (g) => {
    const first = Number(g["century"]) * 100 + Number(g["tens"]) * 10;
    // "The 1800s" are a hundred years, "the 2000s" ten.
    return years(first, g["tens"] === "0" && first < 2000 ? 100 : 10);
  }),
  // Not "in her 30s" or "it took 30s".
  rule(
    "(?:the\\s+['’]?|(?<=(?:early|mid|late)[\\s-]+(?:the\\s+)?['’]?)|(?<!\\p{L})['’])(?<tens>\\d)0['’]?s",
    (g) =>
      // "The 90s" is of the last century, "the 10s" of this one.
      years((Number(g["tens"]) >= 3 ? 1900 : 2000) + Number(g["tens"]) * 10, 10),
  ),
  rule(
    "the (?<name>twenties|thirties|forties|fifties|sixties|seventies|eighties|nineties)",
    (g) => {
      const names = "twenties thirties forties fifties sixties seventies eighties nineties".split(
        " ",
      );
      return years(1920 + 10 * names.indexOf(g["name"]!.toLowerCase()), 10);
    },
  ),
  rule(`${COUNT}\\s+${UNIT}s?\\s+(?:ago|earlier|back)`, readAgo),
  rule(`(?:(?:the|these)\\s+)?(?:last|past|previous)\\s+${COUNT}\\s+${UNIT}s?`, (g, now) => {
    const [, most] = countOf(g["count"]!);
    return { from: now - most * unitMs(g["unit"]!), to: now + DAY_MS, relative: true };
  }),
  // Up to now, and not what the calendar calls the last one.
  rule(
    `(?:(?:over|during|within|for|in)\\s+the\\s+last|past)\\s+(?<unit>week|month|quarter|year|decade)`,
    (g, now) => ({ from: now - unitMs(g["unit"]!), to: now + DAY_MS, relative: true }),
  ),
  rule("(?<span>week|weekend|month|quarter|year|decade) before last", (g, now) =>
    neighbour(g["span"]!, -2, now),
  ),
  rule(
    `(?<which>last|past|previous|this|next|coming)\\s+(?:(?<span>night|week|weekend|month|quarter|year|decade)|${SEASON}|${WEEKDAY}|${HOLIDAY}|${MONTH})`,
    readNeighbour,
  ),
  rule("the day before yesterday", (_g, now) => daysFrom(now, -2, 1)),
  rule("the day after tomorrow", (_g, now) => daysFrom(now, 2, 1)),
  rule("today|tonight|this (?:morning|afternoon|evening)", (_g, now) => daysFrom(now, 0, 1)),
  rule("yesterday", (_g, now) => daysFrom(now, -1, 1)),
  rule("tomorrow", (_g, now) => daysFrom(now, 1, 1)),
  rule("the other day", (_g, now) => daysFrom(now, -7, 7)),
  rule("(?:recently|lately|these days|nowadays)", (_g, now) => daysFrom(now, -30, 31)),
  rule(`on\\s+${WEEKDAY}`, (g, now) => weekdayBefore(now, g["weekday"]!, 0)),
  rule(`(?:on|every|each)\\s+${WEEKDAY}s?`, (g) => {
    const day = DAYS.indexOf(g["weekday"]!.toLowerCase());
    return recurring((date) => date.getUTCDay() === day);
  }),
  rule(`(?:${BEFORE_NAME}${MONTH}|${FIRST_MONTH})`, (g) => {
    const month = monthOf(g["month"] ?? g["first"]);
    return recurring((date) => date.getUTCMonth() === month);
  }),
  rule(`${BEFORE_NAME}${SEASON}`, (g) => {
    const first = SEASONS[g["season"]!.toLowerCase() as keyof typeof SEASONS];
    return recurring((date) => (date.getUTCMonth() - first + 12) % 12 < 3);
  }),
  rule(`(?<=(?:at|on|for|around|${BEFORE_NAMES})[\\s-]+)${HOLIDAY}`, (g) =>
    recurring((date) =>
      // New Year's Eve belongs to the holiday of the year to come.
      [0, 1].some((later) =>
        within(date.getTime(), holiday(g["holiday"]!, date.getUTCFullYear() + later)),
      ),
    ),
  ),
  rule(
    `(?<=(?:in|during|since|year)\\s+)${YEAR}(?!\\s+(?:euros?|people|times|km|kg)(?![\\p{L}]))`,
    (g) => years(Number(g["year"]), 1),
  ),
  // A year, and not "2000 euros" or "1500 people".
  rule(
    `${YEAR}(?!\\s+(?:(?!(?:was|is|has|does|this|as)(?![\\p{L}]))\\p{L}*s|euro|people|km|kg)(?![\\p{L}]))`,
    (g) => years(Number(g["year"]), 1),
  ),
];

function within(timestamp: number, { from, to }: Period): boolean {
  return timestamp >= from && timestamp < to;
}

function recurring(test: (date: Date) => boolean): Period {
  return { from: -Infinity, to: Infinity, recurs: (timestamp) => test(new Date(timestamp)) };
}

function monthOf(word: string | undefined): number {
  const name = (word ?? "").toLowerCase().slice(0, 3);
  return MONTHS.findIndex((month) => month.startsWith(name));
}

function months(year: number, first: number, count: number): Period {
  return { from: Date.UTC(year, first), to: Date.UTC(year, first + count) };
}

function years(year: number, count: number): Period {
  return months(year, 0, 12 * count);
}

function monthPeriod(year: number, month: number): Period | null {
  return month < 0 || month > 11 ? null : months(year, month, 1);
}

function dayPeriod(year: number, month: number, day: number): Period | null {
  const from = Date.UTC(year, month, day);
  if (month < 0 || month > 11 || new Date(from).getUTCDate() !== day) return null;
  return { from, to: from + DAY_MS };
}

function readDayOfMonth(groups: Record<string, string | undefined>): Period | null {
  const day = Number(groups["day"]);
  const month = monthOf(groups["month"]);
  if (day < 1 || day > 31) return null;
  if (groups["year"] !== undefined) return dayPeriod(Number(groups["year"]), month, day);
  return recurring((date) => date.getUTCMonth() === month && date.getUTCDate() === day);
}

/** "May 5-10", of one year or of every one. */
function readDaysOfMonth(groups: Record<string, string | undefined>): Period | null {
  const [first, last] = [Number(groups["day"]), Number(groups["last"])];
  const month = monthOf(groups["month"]);
  if (first < 1 || last > 31 || first >= last) return null;
  if (groups["year"] === undefined)
    return recurring((date) => {
      const day = date.getUTCDate();
      return date.getUTCMonth() === month && day >= first && day <= last;
    });
  const year = Number(groups["year"]);
  const [from, to] = [dayPeriod(year, month, first), dayPeriod(year, month, last)];
  return from && to && { from: from.from, to: to.to };
}

/** A season is named after the year it begins in. */
function season(name: string, year: number): Period {
  return months(year, SEASONS[name.toLowerCase() as keyof typeof SEASONS], 3);
}

function holiday(name: string, year: number): Period {
  const days = (month: number, day: number, count: number): Period => ({
    from: Date.UTC(year, month, day),
    to: Date.UTC(year, month, day + count),
  });
  const word = name.toLowerCase();
  if (word.startsWith("christmas"))
    return word.endsWith("day") ? days(11, 25, 1) : days(11, 24, word.endsWith("eve") ? 1 : 3);
  if (word.startsWith("new") && word.endsWith("eve")) return days(11, 31, 1);
  if (word.startsWith("new")) return word.endsWith("day") ? days(0, 1, 1) : days(-1, 31, 2);
  if (word === "halloween") return days(9, 31, 1);
  if (word.startsWith("valentine")) return days(1, 14, 1);
  if (word === "easter") return days(...easterSunday(year), 2);
  // The fourth Thursday of November.
  const first = new Date(Date.UTC(year, 10, 1)).getUTCDay();
  return days(10, 1 + ((4 - first + 7) % 7) + 21, 2);
}

/** Month and day of Easter Sunday (Meeus, Jones, Butcher: the Gregorian computus). */
function easterSunday(year: number): [month: number, day: number] {
  const a = year % 19;
  const b = Math.floor(year / 100);
  const c = year % 100;
  const h =
    (19 * a + b - Math.floor(b / 4) - Math.floor((b - Math.floor((b + 8) / 25) + 1) / 3) + 15) % 30;
  const l = (32 + 2 * (b % 4) + 2 * Math.floor(c / 4) - h - (c % 4)) % 7;
  const m = Math.floor((a + 11 * h + 22 * l) / 451);
  const n = h + l - 7 * m + 114;
  return [Math.floor(n / 31) - 1, (n % 31) + 1];
}

/** The least and the most that a count may mean: "a few" is two to five. */
function countOf(text: string): [least: number, most: number] {
  const word = text.toLowerCase();
  if (/^half/.test(word)) return [0.5, 0.5];
  if (/couple/.test(word)) return [2, 3];
  if (/few|several/.test(word)) return [2, 5];
  if (/^an?$/.test(word)) return [1, 1];
  const named = SMALL_NUMBERS.indexOf(word);
  const count = named < 0 ? Number(word) : named;
  return [count, count];
}

function unitMs(unit: string): number {
  switch (unit.toLowerCase()) {
    case "day":
      return DAY_MS;
    case "week":
    case "weekend":
      return 7 * DAY_MS;
    case "fortnight":
      return 14 * DAY_MS;
    case "month":
      return 30.44 * DAY_MS;
    case "quarter":
      return 91.3 * DAY_MS;
    case "year":
      return 365.25 * DAY_MS;
    default:
      return 3652.5 * DAY_MS;
  }
}

/** "Two weeks ago" is the day two weeks back, give or take half a week. */
function readAgo(groups: Record<string, string | undefined>, nowMs: number): Period {
  return { ...distant(groups, nowMs, -1), relative: true };
}

/** A time from another: "two days after 5 May", "a week before Christmas". */
const DISTANCE = new RegExp(
  `(?<![\\p{L}\\p{N}])${COUNT}\\s+${UNIT}s?\\s+(?<way>before|after)\\s+(?:the\\s+)?$`,
  "iu",
);

/** What the words before a period make of it, and their length; null where they name no distance from it. */
export function distantFrom(
  { from, relative }: Period,
  before: string,
): { period: Period; units: number } | null {
  const match = DISTANCE.exec(before);
  if (match === null) return null;
  const groups = match.groups ?? {};
  const way = groups["way"]!.toLowerCase() === "before" ? -1 : 1;
  return {
    period: { ...distant(groups, from, way), relative: relative ?? false },
    units: match[0].length,
  };
}

function distant(
  groups: Record<string, string | undefined>,
  anchorMs: number,
  way: -1 | 1,
): { from: number; to: number } {
  const unit = unitMs(groups["unit"]!);
  const [least, most] = countOf(groups["count"]!);
  const slack = groups["unit"]!.toLowerCase() === "day" ? 0 : Math.min(least, 1) / 2;
  const [near, far] = [(least - slack) * unit, (most + slack) * unit];
  const [from, to] =
    way < 0 ? [anchorMs - far, anchorMs - near] : [anchorMs + near, anchorMs + far];
  return { from: startOfDay(from), to: startOfDay(to) + DAY_MS };
}

function startOfDay(timestamp: number): number {
  return Math.floor(timestamp / DAY_MS) * DAY_MS;
}

function daysFrom(nowMs: number, offset: number, count: number): Period {
  const from = startOfDay(nowMs) + offset * DAY_MS;
  return { from, to: from + count * DAY_MS, relative: true };
}

/** The latest such weekday up to today, `weeks` weeks later. */
function weekdayBefore(nowMs: number, name: string, weeks: number): Period {
  const back = (new Date(nowMs).getUTCDay() - DAYS.indexOf(name.toLowerCase()) + 7) % 7;
  return daysFrom(nowMs, 7 * weeks - back, 1);
}

/** "Last …", "this …", "next …": the nearest whole one before, around, or after the present. */
function readNeighbour(groups: Record<string, string | undefined>, nowMs: number): Period | null {
  const which = groups["which"]!.toLowerCase();
  const step = which === "this" ? 0 : which === "next" || which === "coming" ? 1 : -1;
  const now = new Date(nowMs);
  const year = now.getUTCFullYear();
  const named = (periodOf: (year: number) => Period): Period => {
    // Of last year, this one and the next: the last that is over, the one that is on, the first to come.
    const candidates = [-2, -1, 0, 1, 2].map((offset) => periodOf(year + offset));
    const over = candidates.filter(({ to }) => to <= nowMs);
    const coming = candidates.filter(({ from }) => from > nowMs);
    const on = candidates.find((period) => within(nowMs, period));
    const period = step < 0 ? over.at(-1)! : step > 0 ? coming[0]! : (on ?? periodOf(year));
    return { ...period, relative: true };
  };
  if (groups["season"] !== undefined) return named((y) => season(groups["season"]!, y));
  if (groups["holiday"] !== undefined) return named((y) => holiday(groups["holiday"]!, y));
  if (groups["month"] !== undefined) {
    const named12 = monthOf(groups["month"]);
    return named((y) => months(y, named12, 1));
  }
  if (groups["weekday"] !== undefined) {
    const day = DAYS.indexOf(groups["weekday"].toLowerCase());
    if (step === 0) return daysFrom(nowMs, mondayFrom(nowMs) + ((day + 6) % 7), 1);
    const today = now.getUTCDay() === day;
    return weekdayBefore(nowMs, groups["weekday"], step > 0 ? 1 : step < 0 && today ? -1 : 0);
  }
  return neighbour(groups["span"]!, step, nowMs);
}

/** Days to the Monday of this week. */
function mondayFrom(nowMs: number): number {
  return -((new Date(nowMs).getUTCDay() + 6) % 7);
}

/** The week, month, … `step` from the present one. */
function neighbour(span: string, step: number, nowMs: number): Period {
  const now = new Date(nowMs);
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  const monday = mondayFrom(nowMs);
  const relative = (period: Period): Period => ({ ...period, relative: true });
  switch (span.toLowerCase()) {
    case "night":
      return daysFrom(nowMs, step, step < 0 ? 2 : 1);
    case "week":
      return daysFrom(nowMs, monday + 7 * step, 7);
    case "weekend": {
      // On a Sunday "last weekend" is the one before.
      return daysFrom(nowMs, monday + 5 + 7 * step, 2);
    }
    case "month":
      return relative(months(year, month + step, 1));
    case "quarter":
      return relative(months(year, 3 * (Math.floor(month / 3) + step), 3));
    case "year":
      return relative(years(year + step, 1));
    default:
      return relative(years(10 * (Math.floor(year / 10) + step), 10));
  }
}
