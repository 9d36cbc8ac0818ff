import { describe, expect, it } from "vitest";
import { inTimeZone } from "../model/time-zone.ts";
import { findTimes } from "../../../src/search/time-expression.ts";

/** A Wednesday. */
const NOW = Date.UTC(2024, 4, 15, 12);

const day = (ms: number): string =>
  Number.isFinite(ms) ? new Date(ms).toISOString().slice(0, 10) : String(ms);

/** Query → from and to, to not included. */
const RANGES: [string, string, string][] = [
  ["What did we eat on 2024-03-05?", "2024-03-05", "2024-03-06"],
  ["notes of 2023/7/9", "2023-07-09", "2023-07-10"],
  ["photos from 2024-03", "2024-03-01", "2024-04-01"],
  ["invoice 14.3.2023", "2023-03-14", "2023-03-15"],
  ["invoice 3/14/2023", "2023-03-14", "2023-03-15"],
  ["invoice 14/3/2023", "2023-03-14", "2023-03-15"],
  ["on 5 May 2023", "2023-05-05", "2023-05-06"],
  ["on the 5th of May, 2023", "2023-05-05", "2023-05-06"],
  ["on May 5th, 2023", "2023-05-05", "2023-05-06"],
  ["on Sept. 2 2023", "2023-09-02", "2023-09-03"],
  ["in May 2023", "2023-05-01", "2023-06-01"],
  ["What happened in august of 1999?", "1999-08-01", "1999-09-01"],
  ["in 2019", "2019-01-01", "2020-01-01"],
  ["spring 2022", "2022-03-01", "2022-06-01"],
  ["the winter of 2022", "2022-12-01", "2023-03-01"],
  ["Q3 2023", "2023-07-01", "2023-10-01"],
  ["the last quarter of 2023", "2023-10-01", "2024-01-01"],
  ["Christmas 2022", "2022-12-24", "2022-12-27"],
  ["Easter 2024", "2024-03-31", "2024-04-02"],
  ["Thanksgiving 2023", "2023-11-23", "2023-11-25"],
  ["in the 1990s", "1990-01-01", "2000-01-01"],
  ["in the nineties", "1990-01-01", "2000-01-01"],
  ["the 80s", "1980-01-01", "1990-01-01"],
  ["today", "2024-05-15", "2024-05-16"],
  ["yesterday", "2024-05-14", "2024-05-15"],
  ["the day before yesterday", "2024-05-13", "2024-05-14"],
  ["tomorrow", "2024-05-16", "2024-05-17"],
  ["last night", "2024-05-14", "2024-05-16"],
  ["this morning", "2024-05-15", "2024-05-16"],
  ["last week", "2024-05-06", "2024-05-13"],
  ["this week", "2024-05-13", "2024-05-20"],
  ["next week", "2024-05-20", "2024-05-27"],
  ["last weekend", "2024-05-11", "2024-05-13"],
  ["last month", "2024-04-01", "2024-05-01"],
  ["this month", "2024-05-01", "2024-06-01"],
  ["last quarter", "2024-01-01", "2024-04-01"],
  ["last year", "2023-01-01", "2024-01-01"],
  ["this year", "2024-01-01", "2025-01-01"],
  ["last decade", "2010-01-01", "2020-01-01"],
  ["What did she say last spring?", "2023-03-01", "2023-06-01"],
  ["this spring", "2024-03-01", "2024-06-01"],
  ["last summer", "2023-06-01", "2023-09-01"],
  ["next summer", "2024-06-01", "2024-09-01"],
  ["last winter", "2023-12-01", "2024-03-01"],
  ["last March", "2024-03-01", "2024-04-01"],
  ["last December", "2023-12-01", "2024-01-01"],
  ["last Christmas", "2023-12-24", "2023-12-27"],
  ["on Monday", "2024-05-13", "2024-05-14"],
  ["last Friday", "2024-05-10", "2024-05-11"],
  ["last Wednesday", "2024-05-08", "2024-05-09"],
  ["next Friday", "2024-05-17", "2024-05-18"],
  ["three days ago", "2024-05-12", "2024-05-13"],
  ["two weeks ago", "2024-04-28", "2024-05-06"],
  ["a month ago", "2024-03-30", "2024-05-01"],
  ["a few days ago", "2024-05-10", "2024-05-14"],
  ["in the last 10 days", "2024-05-05", "2024-05-16"],
  ["over the past two weeks", "2024-05-01", "2024-05-16"],
  ["the other day", "2024-05-08", "2024-05-15"],
  ["since March", "2024-03-01", "Infinity"],
  ["before Christmas", "-Infinity", "2023-12-24"],
  ["since March 2023", "2023-03-01", "Infinity"],
  ["before June 2023", "-Infinity", "2023-06-01"],
  ["after 5 May 2023", "2023-05-06", "Infinity"],
  ["until 2020", "-Infinity", "2020-01-01"],
  ["between March 2023 and May 2023", "2023-03-01", "2023-06-01"],
  ["from 2019 to 2021", "2019-01-01", "2022-01-01"],
  ["between March and May 2023", "2023-03-01", "2023-06-01"],
  ["at the beginning of November 2022", "2022-11-01", "2022-11-13"],
  ["early 2023", "2023-01-01", "2023-05-27"],
  ["late May 2023", "2023-05-19", "2023-06-01"],
  ["mid-June 2023", "2023-06-10", "2023-06-22"],
  ["March to May 2023", "2023-03-01", "2023-06-01"],
  ["between 5 and 10 May 2023", "2023-05-05", "2023-05-11"],
  ["May 5-10, 2023", "2023-05-05", "2023-05-11"],
  ["from May 2023 to now", "2023-05-01", "Infinity"],
  ["from May 2023 onwards", "2023-05-01", "Infinity"],
  ["New Year's Eve 2023", "2023-12-31", "2024-01-01"],
  ["on Christmas Day 2023", "2023-12-25", "2023-12-26"],
  ["by the end of 2023", "-Infinity", "2024-01-01"],
  ["before the end of May 2023", "-Infinity", "2023-06-01"],
  ["after the beginning of 2023", "2023-01-01", "Infinity"],
  ["no later than 5 May 2023", "-Infinity", "2023-05-06"],
  ["before 5 May 2023", "-Infinity", "2023-05-05"],
  ["two days after 5 May 2023", "2023-05-07", "2023-05-08"],
  ["a week before Christmas 2023", "2023-12-13", "2023-12-21"],
  ["the week before last", "2024-04-29", "2024-05-06"],
  ["the day after tomorrow", "2024-05-17", "2024-05-18"],
  ["this Friday", "2024-05-17", "2024-05-18"],
  ["over the past year", "2023-05-16", "2024-05-16"],
  ["in the 1800s", "1800-01-01", "1900-01-01"],
  ["the late '80s", "1985-12-31", "1990-01-01"],
  ["What in 2023 was the best trip?", "2023-01-01", "2024-01-01"],
  ["In 2022 James moved", "2022-01-01", "2023-01-01"],
];

describe("findTimes", () => {
  it.each(RANGES)("reads %j as %s to %s", (query, from, to) => {
    const times = findTimes(query, NOW);
    expect(times).toHaveLength(1);
    expect([day(times[0]!.from), day(times[0]!.to)]).toEqual([from, to]);
  });

  it.each([
    ["What happened in May?", Date.UTC(2021, 4, 9), Date.UTC(2021, 5, 9)],
    ["on 24 December", Date.UTC(2020, 11, 24, 9), Date.UTC(2020, 11, 26)],
    ["in the winter", Date.UTC(2022, 0, 3), Date.UTC(2022, 3, 3)],
    ["every Tuesday", Date.UTC(2024, 4, 14), Date.UTC(2024, 4, 15)],
    ["What did we cook at Christmas?", Date.UTC(2019, 11, 25), Date.UTC(2019, 10, 25)],
    ["on New Year's Eve", Date.UTC(2019, 11, 31), Date.UTC(2019, 11, 20)],
    ["between March and May", Date.UTC(2021, 3, 9), Date.UTC(2021, 5, 1)],
    ["from December to February", Date.UTC(2021, 0, 31), Date.UTC(2021, 2, 1)],
  ])("reads %j as returning every year or week", (query, inside, outside) => {
    const [time] = findTimes(query, NOW);
    expect(time!.score(inside)).toBe(1);
    expect(time!.score(outside)).toBe(0);
  });

  it.each([
    "May I come in?",
    "You may march on",
    "How many of the 2000 euros are left?",
    "spring water",
    "Who will fall first?",
    "room 1204-77",
    "version 3.14",
    "the secondary school",
    "the last straw",
    "When did he start to fall in love?",
    "Did she want to march with us?",
    "What did she do in her 30s?",
    "It took 30s",
    "over 2000 photos",
    "",
  ])("finds no time in %j", (query) => {
    expect(findTimes(query, NOW)).toEqual([]);
  });

  it("finds several, in their order, with the words that bound them", () => {
    const texts = findTimes("since March 2023, but not last week or on 5 May 2023", NOW);
    expect(texts.map((time) => time.text)).toEqual(["since March 2023", "last week", "5 May 2023"]);
    expect(texts.map((time) => time.relative)).toEqual([false, true, false]);
  });

  it("gives each of two months its year", () => {
    const times = findTimes("What happened in May and June 2023?", NOW);
    expect(times.map(({ from, to }) => [day(from), day(to)])).toEqual([
      ["2023-05-01", "2023-06-01"],
      ["2023-06-01", "2023-07-01"],
    ]);
  });

  it("means the days of the device's time zone, also over a change to summer time", () => {
    inTimeZone("America/Los_Angeles", () => {
      const evening = new Date(2023, 4, 31, 22).getTime();
      expect(findTimes("in May 2023", NOW)[0]!.score(evening)).toBe(1);
      expect(findTimes("in June 2023", NOW)[0]!.score(evening)).toBe(0);
      expect(findTimes("What happened in May?", NOW)[0]!.score(evening)).toBe(1);
      const now = new Date(2026, 10, 25, 20).getTime();
      const morning = new Date(2026, 10, 25, 9).getTime();
      expect(findTimes("today", now)[0]!.score(morning)).toBe(1);
      expect(findTimes("yesterday", now)[0]!.to).toBe(new Date(2026, 10, 25).getTime());
      const [march] = findTimes("in March 2024", NOW);
      expect(march!.from).toBe(new Date(2024, 2, 1).getTime());
      expect(march!.to).toBe(new Date(2024, 3, 1).getTime());
    });
  });

  it("counts what was written soon after the time less and less, and nothing before it", () => {
    const [time] = findTimes("on 5 May 2023", NOW);
    const at = (days: number): number => time!.score(Date.UTC(2023, 4, 5 + days, 1));
    expect(at(0)).toBe(1);
    expect(at(1)).toBeGreaterThan(at(3));
    expect(at(3)).toBeGreaterThan(0);
    expect(at(9)).toBe(0);
    expect(at(-1)).toBe(0);
  });

  it("stays quick and quiet on hostile input", () => {
    expect(findTimes("last ".repeat(5000), NOW)).toEqual([]);
    expect(findTimes(`${"1".repeat(5000)}-99-99`, NOW)).toEqual([]);
    expect(findTimes("32 May 2023 \0 \ud800", NOW).length).toBeLessThanOrEqual(1);
  });
});
