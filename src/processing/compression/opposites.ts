/**
 * Words that turn a statement when one stands for the other: opposites, quantifiers, certainty,
 * units. Data and look-ups for the faithfulness check; by stems, so that forms need no listing.
 */

import { stemWord, type Token } from "./facts.ts";

/** Pairs "a/b": a summary may not say one where the source says the other. */
const PAIRS =
  "rise/fall rose/fell risen/fallen increase/decrease increase/reduce grow/shrink grew/shrank grown/shrunk gain/lose gained/lost " +
  "win/lose won/lost winner/loser victory/defeat accept/reject accept/refuse accept/decline approve/reject approve/deny " +
  "allow/forbid allow/ban permit/prohibit agree/disagree support/oppose support/reject like/dislike like/hate love/hate " +
  "enjoy/hate admit/deny confirm/deny include/exclude add/remove start/stop begin/end began/ended begin/finish open/close " +
  "buy/sell bought/sold lend/borrow lent/borrowed give/take gave/took send/receive sent/received arrive/leave arrived/left leave/stay left/stayed cry/laugh cried/laughed break/repair broke/repaired postpone/advance " +
  "come/go came/went enter/exit join/leave joined/left push/pull raise/lower raise/cut strengthen/weaken improve/worsen " +
  "succeed/fail success/failure pass/fail remember/forget remembered/forgot find/lose found/lost build/destroy built/destroyed " +
  "create/destroy attack/defend protect/endanger encourage/discourage trust/distrust hire/fire employ/dismiss " +
  "marry/divorce live/die birth/death alive/dead war/peace friend/enemy ally/enemy public/private internal/external " +
  "domestic/foreign import/export surplus/deficit profit/loss asset/liability credit/debit guilty/innocent legal/illegal " +
  "north/south east/west northern/southern eastern/western left/right up/down upward/downward above/below over/under " +
  "before/after inside/outside within/without early/late earlier/later earliest/latest first/last morning/evening " +
  "yesterday/tomorrow day/night summer/winter past/future old/new older/newer older/younger young/old high/low higher/lower " +
  "highest/lowest big/small bigger/smaller large/small larger/smaller largest/smallest long/short longer/shorter " +
  "longest/shortest more/less more/fewer most/least many/few much/little better/worse best/worst good/bad great/terrible " +
  "great/awful positive/negative strong/weak stronger/weaker rich/poor richer/poorer hot/cold warm/cool fast/slow " +
  "faster/slower quick/slow easy/hard easy/difficult easier/harder simple/complex cheap/expensive cheaper/dearer " +
  "safe/dangerous safe/unsafe true/false correct/wrong right/wrong correct/incorrect same/different similar/different " +
  "possible/impossible necessary/unnecessary likely/unlikely certain/uncertain happy/sad happy/unhappy glad/sorry " +
  "hopeful/hopeless useful/useless careful/careless full/empty full-time/part-time hard/soft heavy/light dark/light " +
  "clean/dirty wet/dry loud/quiet busy/idle present/absent healthy/sick well/ill male/female man/woman men/women " +
  "boy/girl brother/sister mother/father husband/wife son/daughter he/she him/her his/her king/queen maximum/minimum " +
  "majority/minority always/never often/rarely often/seldom usually/rarely everyone/nobody everybody/nobody " +
  "everything/nothing everywhere/nowhere all/none both/neither with/without enable/disable install/uninstall " +
  "lock/unlock connect/disconnect appear/disappear cause/prevent fortunately/unfortunately expand/contract accelerate/slow " +
  "optimistic/pessimistic advantage/disadvantage strength/weakness ahead/behind forward/backward near/far nearby/distant";

/** Ways to go up and down: each of one side is the opposite of each of the other. */
const UP = "rise rose risen increase grow grew grown climb gain jump surge soar raise".split(" ");
const DOWN =
  "fall fell fallen drop decline decrease shrink shrank reduce sink sank lower plunge".split(" ");
const ALL_PAIRS = [...PAIRS.split(" "), ...UP.flatMap((up) => DOWN.map((down) => `${up}/${down}`))];

const OPPOSITES = new Map<string, Set<string>>();
for (const pair of ALL_PAIRS) {
  const [a, b] = pair.split("/").map(stemWord) as [string, string];
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const known = OPPOSITES.get(from);
    if (known) known.add(to);
    else OPPOSITES.set(from, new Set([to]));
  }
}

const NEGATING_PREFIX = /^(?:un|in|im|ir|il|dis|non|mis)-?(?=\p{L}{4})/u;
const PREFIXES = ["un", "in", "im", "ir", "il", "dis", "non", "mis"];

/** Stem of what this word's stem may not be exchanged for and that `others` has; null when there is none. */
export function oppositeIn(word: string, others: ReadonlySet<string>): string | null {
  const stem = stemWord(word);
  if (others.has(stem)) return null;
  for (const opposite of OPPOSITES.get(stem) ?? []) if (others.has(opposite)) return opposite;
  const bare = word.replace(NEGATING_PREFIX, "");
  if (bare !== word && others.has(stemWord(bare))) return stemWord(bare);
  if (word.length >= 4)
    for (const prefix of PREFIXES) if (others.has(stemWord(prefix + word))) return prefix + word;
  return null;
}

const QUANTIFIERS: Readonly<Record<string, string>> = Object.fromEntries(
  (
    [
      ["all", "all every each everyone everybody everything always entire entirely whole"],
      ["most", "most mostly usually majority nearly almost"],
      ["some", "some several few sometimes someone somebody partly occasionally certain half"],
      ["none", "none nobody nothing never neither"],
      ["only", "only solely exclusively"],
    ] as const
  ).flatMap(([group, words]) => words.split(" ").map((word) => [word, group])),
);
/** These say more than a text without a quantifier does. */
const STRONG = new Set(["all", "none", "only"]);

function quantifiersOf(tokens: readonly Token[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { word } of tokens) {
    const group = QUANTIFIERS[word];
    if (group !== undefined && !found.has(group)) found.set(group, word);
  }
  return found;
}

/** A quantifier in `said` for which `source` gives no ground; null when there is none. */
export function wrongQuantifier(said: readonly Token[], source: readonly Token[]): string | null {
  const there = quantifiersOf(source);
  for (const [group, word] of quantifiersOf(said)) {
    if (there.has(group)) continue;
    const lost = [...there.keys()].some((other) => !quantifiersOf(said).has(other));
    if (STRONG.has(group) || lost) return word;
  }
  return null;
}

const UNITS: Readonly<Record<string, string>> = Object.fromEntries(
  (
    [
      ["km", "km kms kilometer kilometers kilometre kilometres"],
      ["mile", "mile miles mi"],
      ["m", "meter meters metre metres"],
      ["cm", "cm centimeter centimeters centimetre centimetres"],
      ["ft", "ft foot feet"],
      ["inch", "inch inches"],
      ["yard", "yard yards"],
      ["acre", "acre acres"],
      ["hectare", "hectare hectares"],
      ["kg", "kg kilo kilos kilogram kilograms"],
      ["g", "gram grams"],
      ["lb", "lb lbs pound pounds"],
      ["oz", "oz ounce ounces"],
      ["ton", "ton tons tonne tonnes"],
      ["l", "liter liters litre litres"],
      ["gallon", "gallon gallons"],
      ["usd", "dollar dollars usd bucks"],
      ["eur", "euro euros eur"],
      ["gbp", "sterling gbp quid"],
      ["yen", "yen jpy"],
      ["cent", "cent cents"],
      ["percent", "percent percentage"],
      ["second", "second seconds sec secs"],
      ["minute", "minute minutes min mins"],
      ["hour", "hour hours hr hrs"],
      ["day", "day days"],
      ["week", "week weeks"],
      ["month", "month months"],
      ["year", "year years"],
      ["decade", "decade decades"],
      ["am", "am"],
      ["pm", "pm"],
      ["kb", "kb kilobyte kilobytes"],
      ["mb", "mb megabyte megabytes"],
      ["gb", "gb gigabyte gigabytes"],
      ["c", "celsius"],
      ["f", "fahrenheit"],
    ] as const
  ).flatMap(([unit, words]) => words.split(" ").map((word) => [word, unit])),
);

const SIGNS: Readonly<Record<string, string>> = { $: "usd", "€": "eur", "£": "gbp", "¥": "yen" };

export function isUnit(word: string): boolean {
  return UNITS[word] !== undefined;
}

/** The unit of a number token: a sign before it, a sign or word after it; null without one. */
export function unitOf(tokens: readonly Token[], index: number, text: string): string | null {
  const token = tokens[index]!;
  const sign = SIGNS[text[token.start - 1] ?? ""];
  if (sign) return sign;
  if (/^ ?%/.test(text.slice(token.end, token.end + 2))) return "percent";
  const glued = /^[\d.,]+(\p{L}+)$/u.exec(token.word);
  if (glued) return UNITS[glued[1]!] ?? null;
  const next = tokens[index + 1];
  if (!next || !/^[\s-]*$/.test(text.slice(token.end, next.start))) return null;
  return UNITS[next.word] ?? null;
}

const FUTURE = new Set(
  "will shall gonna going plan plans planned planning hope hopes hoped hoping intend intends intended want wants wanted expect expects expected aim aims".split(
    " ",
  ),
);
const POSSIBLE = new Set("may might could perhaps maybe possibly would".split(" "));
const DUTY = new Set("must should ought need needs".split(" "));
const DONE = new Set("did has have had was were been already".split(" "));

/** How certain a sentence is of a verb. */
export type Certainty = "done" | "future" | "possible" | "duty" | "plain";

/** Tokens before a verb among which its auxiliary is. */
const AUXILIARY_REACH = 3;

/** Certainty of the word at `index`, from what stands before it and its ending. */
export function certaintyOf(tokens: readonly Token[], index: number): Certainty {
  let isDone = false;
  let left = AUXILIARY_REACH;
  for (let i = index - 1; i >= 0 && left > 0; i--) {
    if (tokens[i]!.kind !== "negation") left--;
    const word = tokens[i]!.word.replace(/^won['’]t$/, "will").replace(/n['’]t$/, "");
    if (FUTURE.has(word) || /['’]ll$/.test(word)) return "future";
    if (POSSIBLE.has(word)) return "possible";
    if (DUTY.has(word)) return "duty";
    // "May have lost": the modal before it decides.
    if (DONE.has(word)) isDone = true;
    // What stands between belongs to another verb.
    else if (tokens[i]!.content || (isDone && tokens[i]!.kind !== "negation")) break;
  }
  if (isDone) return "done";
  return /ed$/.test(tokens[index]!.word) ? "done" : "plain";
}

const CONFLICTS = new Set([
  "future>done",
  "done>future",
  "possible>done",
  "possible>future",
  "possible>duty",
  "duty>done",
  "duty>possible",
  "future>possible",
  "future>duty",
  "duty>future",
  "done>possible",
  "done>duty",
]);

/** Whether a summary may not turn the first certainty into the second. */
export function isOtherCertainty(source: Certainty, said: Certainty): boolean {
  return CONFLICTS.has(`${source}>${said}`);
}
