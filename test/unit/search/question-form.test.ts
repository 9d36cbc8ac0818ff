import { describe, expect, it } from "vitest";
import { findEventClause } from "../../../src/search/event-clause.ts";
import { endsInQuestion, isQuestion } from "../../../src/search/question-form.ts";

describe("questions", () => {
  it.each(["Did you find a flat?", "It's late. Are you coming? :)", "你在哪里？"])(
    "%j ends by asking",
    (text) => expect(endsInQuestion(text)).toBe(true),
  );

  it.each([
    "We found a flat.",
    "Why not? Because the landlord wanted three months of rent in advance, and we had one.",
    "",
  ])("%j tells", (text) => expect(endsInQuestion(text)).toBe(false));

  it("knows a question without its mark by its first word", () => {
    expect(isQuestion("where did we park")).toBe(true);
    expect(isQuestion("Does Ann like tea")).toBe(true);
    expect(isQuestion("invoice heating 2023")).toBe(false);
    expect(isQuestion("wheretofore")).toBe(false);
  });
});

describe("findEventClause", () => {
  it.each([
    ["What did Ann do before she moved to Ghent?", "before", "she moved to Ghent"],
    ["After they sold the boat, where did they sail?", "after", "they sold the boat"],
    ["Who helped me when my back was bad?", "around", "my back was bad"],
    ["What has changed since Piet opened the workshop?", "after", "Piet opened the workshop"],
    ["What had I read by the time the train came", "before", "the train came"],
  ])("%j names an event", (query, relation, event) => {
    expect(findEventClause(query)).toMatchObject({ relation, event });
  });

  it.each([
    "When did Ann move to Ghent?",
    "What did we eat after lunch?",
    "before",
    "the day before it",
    "since when",
    "",
  ])("%j names none", (query) => expect(findEventClause(query)).toBeNull());
});
