/**
 * From what a model answered to the summary in it: without the wrapping that models add in spite of
 * being asked not to. What remains is judged by the gate like every other candidate.
 */

import { splitSentences } from "../../content/segmentation.ts";

const FENCE = /^```[\w-]*[ \t]*\n([\s\S]*?)\n?```$/;
/** "Here is a summary of the text:", "Summary:", "Sure! Here's the summary:". */
const PREAMBLE =
  /^(?:(?:sure|certainly|of course|okay|ok)[!,.]?\s*)?(?:here(?:'s| is)[^.\n:]{0,80}:|(?:the )?(?:summary|gist)(?: of the texts?)?\s*:)\s*/i;
const THINKING = /^\s*<think>[\s\S]*?<\/think>\s*/i;
const MARK = /<<<(?:TEXT|END)[^>]*>>>/g;
const LIST_ITEM = /^\s*(?:[-*•]|\d+[.)])\s+/;

export interface ReadAnswer {
  text: string;
  /** Why the answer can't be used; then `text` is empty. */
  problem?: string;
}

/** The summary inside an answer. `cut`: the model stopped at its limit, so the last sentence is not whole. */
export function readAnswer(answer: string, options: { json: boolean; cut: boolean }): ReadAnswer {
  const bare = answer.replace(THINKING, "").trim();
  const inner = options.json ? fromJson(bare) : bare;
  if (inner === null) return { text: "", problem: "gave no JSON object with a summary" };
  const text = tidy(inner);
  const whole = options.cut ? withoutLastSentence(text) : text;
  if (whole === "")
    return {
      text: "",
      problem: options.cut ? "reached its limit within the first sentence" : "gave an empty answer",
    };
  return { text: whole };
}

function fromJson(answer: string): string | null {
  const body = FENCE.exec(answer)?.[1] ?? answer;
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== "object" || parsed === null) return null;
    const { summary } = parsed as { summary?: unknown };
    return typeof summary === "string" ? summary : null;
  } catch {
    return null;
  }
}

/** One paragraph of sentences: fences, marks, introductions and list signs are none of it. */
function tidy(answer: string): string {
  const unfenced = FENCE.exec(answer)?.[1] ?? answer;
  const lines = unfenced
    .replace(MARK, " ")
    .trim()
    .replace(PREAMBLE, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const joined = lines
    .map((line) => (LIST_ITEM.test(line) ? ended(line.replace(LIST_ITEM, "")) : line))
    .join(" ")
    .replace(/\*\*(.+?)\*\*/g, "$1")
    .replace(/\s+/gu, " ")
    .trim();
  const quoted = /^"([^"]+)"$/.exec(joined);
  return quoted?.[1] ?? joined;
}

function ended(item: string): string {
  return /[.!?…:;]["”’)]*$/u.test(item) ? item : `${item}.`;
}

function withoutLastSentence(text: string): string {
  if (/[.!?…]["”’)]*$/u.test(text)) return text;
  const last = splitSentences(text).at(-1);
  return last ? text.slice(0, last.start).trim() : "";
}

/** The longest run of whole sentences from the start that fits; the first one always. */
export function fitSentences(text: string, maxBytes: number): string {
  const encoder = new TextEncoder();
  let end = 0;
  for (const sentence of splitSentences(text)) {
    if (end > 0 && encoder.encode(text.slice(0, sentence.end)).length > maxBytes) break;
    end = sentence.end;
  }
  return text.slice(0, end).trim();
}
