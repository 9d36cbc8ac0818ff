/**
 * Times named in a query ("in May 2023", "2024-03-05", "last week"), as a soft match on a memory's
 * time. Calendar fields are UTC, like the facets.
 */

const MONTHS =
  "january february march april may june july august september october november december".split(
    " ",
  );
const DAY_MS = 86_400_000;

/** A named time: a memory's timestamp → whether it falls in it. */
export type TimeMatcher = (timestamp: number) => boolean;

function range(from: number, to: number): TimeMatcher {
  return (timestamp) => timestamp >= from && timestamp < to;
}

function monthOf(word: string): number {
  const name = word.toLowerCase().replace(/\.$/, "");
  if (name.length < 3) return -1;
  return MONTHS.findIndex(
    (month) => month === name || (name.length <= 4 && month.startsWith(name)),
  );
}

/** A matcher for every time expression of the query; empty when there is none. */
export function findTimes(query: string, nowMs: number): TimeMatcher[] {
  const matchers: TimeMatcher[] = [];
  let rest = query;
  const take = (pattern: RegExp, use: (match: string[]) => TimeMatcher | null): void => {
    rest = rest.replace(pattern, (...match: unknown[]) => {
      const matcher = use(
        match.filter((part) => typeof part === "string" || part === undefined) as string[],
      );
      if (matcher === null) return match[0] as string;
      matchers.push(matcher);
      return " ";
    });
  };

  take(/\b(\d{4})-(\d{2})(?:-(\d{2}))?\b/g, ([, year, month, day]) => {
    const y = Number(year);
    const m = Number(month) - 1;
    if (m < 0 || m > 11) return null;
    if (day === undefined) return range(Date.UTC(y, m), Date.UTC(y, m + 1));
    return range(Date.UTC(y, m, Number(day)), Date.UTC(y, m, Number(day) + 1));
  });
  // "5 May 2023", "May 5th, 2023", "May 2023", "in May".
  take(
    /\b(\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+)?(\p{L}{3,9})\.?(?:,?\s+(\d{4}))?\b/gu,
    ([, day, word, year]) => dayOfMonth(word!, Number(day), year),
  );
  take(
    /\b(\p{L}{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?\b(?:,?\s+(\d{4})\b)?/gu,
    ([, word, day, year]) => dayOfMonth(word!, Number(day), year),
  );
  take(/\b(\p{L}{3,9})\.?,?\s+(\d{4})\b/gu, ([, word, year]) => {
    const month = monthOf(word!);
    return month < 0
      ? null
      : range(Date.UTC(Number(year), month), Date.UTC(Number(year), month + 1));
  });
  take(/\b(?:in|during|since|last|this|early|late|mid)\s+(\p{L}{3,9})\b/giu, ([, word]) => {
    const month = monthOf(word!);
    return month < 0 ? null : (timestamp) => new Date(timestamp).getUTCMonth() === month;
  });
  take(/\b(1[5-9]\d{2}|20\d{2})\b/g, ([, year]) =>
    range(Date.UTC(Number(year), 0), Date.UTC(Number(year) + 1, 0)),
  );
  take(/\b(today|yesterday|(?:last|this) (?:week|month|year))\b/gi, ([, word]) =>
    relative(word!.toLowerCase(), nowMs),
  );
  return matchers;
}

function dayOfMonth(word: string, day: number, year: string | undefined): TimeMatcher | null {
  const month = monthOf(word);
  if (month < 0 || day < 1 || day > 31) return null;
  if (year !== undefined) {
    const from = Date.UTC(Number(year), month, day);
    return range(from, from + DAY_MS);
  }
  return (timestamp) => {
    const date = new Date(timestamp);
    return date.getUTCMonth() === month && date.getUTCDate() === day;
  };
}

function relative(word: string, nowMs: number): TimeMatcher {
  const now = new Date(nowMs);
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  const today = Date.UTC(year, month, now.getUTCDate());
  const monday = today - ((now.getUTCDay() + 6) % 7) * DAY_MS;
  switch (word) {
    case "today":
      return range(today, today + DAY_MS);
    case "yesterday":
      return range(today - DAY_MS, today);
    case "this week":
      return range(monday, monday + 7 * DAY_MS);
    case "last week":
      return range(monday - 7 * DAY_MS, monday);
    case "this month":
      return range(Date.UTC(year, month), Date.UTC(year, month + 1));
    case "last month":
      return range(Date.UTC(year, month - 1), Date.UTC(year, month));
    case "this year":
      return range(Date.UTC(year, 0), Date.UTC(year + 1, 0));
    default:
      return range(Date.UTC(year - 1, 0), Date.UTC(year, 0));
  }
}
