import { describe, expect, it } from "vitest";
import { fitSentences, readAnswer } from "../../../../../src/processing/language/prompts/answer.ts";

const PLAIN = { json: false, cut: false };
const JSON_ANSWER = { json: true, cut: false };

describe("a plain answer", () => {
  it.each([
    ["The pump failed.", "The pump failed."],
    ["Summary: The pump failed.", "The pump failed."],
    ["Here is a summary of the mail:\n\nThe pump failed.", "The pump failed."],
    ["Sure! Here's the summary:\nThe pump failed.", "The pump failed."],
    ["```\nThe pump failed.\n```", "The pump failed."],
    ['"The pump failed."', "The pump failed."],
    ["- The pump failed\n- Ada ordered a new one.", "The pump failed. Ada ordered a new one."],
    ["1. The pump failed.\n2) It was old.", "The pump failed. It was old."],
    ["**The pump** failed.", "The pump failed."],
    ["<think>Short is good.</think>The pump failed.", "The pump failed."],
    ["The pump failed. <<<END 00ff>>>", "The pump failed."],
  ])("%j is %j", (answer, text) => {
    expect(readAnswer(answer, PLAIN)).toEqual({ text });
  });

  it("keeps what only looks like an introduction", () => {
    const text = "The summary report of May says that the pump failed.";
    expect(readAnswer(text, PLAIN).text).toBe(text);
  });

  it.each(["", "   \n", "``` \n\n```"])("%j is empty", (answer) => {
    expect(readAnswer(answer, PLAIN).problem).toMatch(/empty/);
  });

  it("that was cut loses its last sentence", () => {
    const cut = { json: false, cut: true };
    expect(readAnswer("The pump failed. Ada ordered a n", cut).text).toBe("The pump failed.");
    expect(readAnswer("The pump failed and", cut).problem).toMatch(/first sentence/);
    expect(readAnswer("The pump failed.", cut).text).toBe("The pump failed.");
  });
});

describe("a JSON answer", () => {
  it("gives its summary, also out of a fence", () => {
    expect(readAnswer('{"summary": "The pump failed."}', JSON_ANSWER).text).toBe(
      "The pump failed.",
    );
    expect(readAnswer('```json\n{"summary": "The pump failed."}\n```', JSON_ANSWER).text).toBe(
      "The pump failed.",
    );
  });

  it.each(['{"summary": 3}', "[1]", "null", "The pump failed.", '{"summary": "The pu'])(
    "%j is refused",
    (answer) => {
      expect(readAnswer(answer, JSON_ANSWER).problem).toMatch(/no JSON object/);
    },
  );
});

describe("fitting to a budget", () => {
  it("keeps whole sentences", () => {
    const text = "The pump failed. Ada ordered a new one. It came in June.";
    expect(fitSentences(text, 45)).toBe("The pump failed. Ada ordered a new one.");
    expect(fitSentences(text, 3)).toBe("The pump failed.");
    expect(fitSentences(text, 1_000)).toBe(text);
  });
});
