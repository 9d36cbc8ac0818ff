/**
 * Lies and honest rewordings made of real sentences by rules: what the gate is tested with.
 * An attack changes what a sentence states; a rewording doesn't. Each returns null where it doesn't apply.
 */

export type Change = (sentence: string, other: string) => string | null;

const AUXILIARY =
  /\b(is|are|was|were|has|have|had|can|could|will|would|should|must|did|does|do)\b(?! not|n't)/;

/** Replaces the first of some words; null when none is there. */
function exchange(sentence: string, pairs: readonly (readonly [string, string])[]): string | null {
  for (const [from, to] of pairs) {
    const pattern = new RegExp(`\\b${from}\\b`);
    if (pattern.test(sentence) && !new RegExp(`\\b${to}\\b`, "i").test(sentence))
      return sentence.replace(pattern, to);
  }
  return null;
}

function both(pairs: string): (readonly [string, string])[] {
  return pairs.split(" ").flatMap((pair) => {
    const [a, b] = pair.split("/") as [string, string];
    return [
      [a, b],
      [b, a],
    ] as const;
  });
}

const NAME = /(?<=[\p{Ll},] )\p{Lu}\p{Ll}{3,}(?!\p{L}| ?\p{Lu})/gu;
function namesIn(sentence: string): string[] {
  return [...new Set(sentence.match(NAME) ?? [])].filter(
    (name) =>
      !/^(?:January|February|March|April|June|July|August|September|October|November|December|Congress|Government)$/.test(
        name,
      ),
  );
}

function swap(sentence: string, a: string, b: string): string {
  return sentence.replace(new RegExp(`\\b(?:${a}|${b})\\b`, "g"), (name) => (name === a ? b : a));
}

export const ATTACKS: Readonly<Record<string, Change>> = {
  "insert not": (s) => (AUXILIARY.test(s) ? s.replace(AUXILIARY, "$1 not") : null),
  "insert never": (s) => (AUXILIARY.test(s) ? s.replace(AUXILIARY, "$1 never") : null),
  "remove not": (s) => {
    const turned = s.replace(
      /\b(?:not|never) |(?<=\b(?:do|does|did|is|are|was|were|has|have|had|could|would|should))n['’]t\b/,
      "",
    );
    return turned === s || /\b(?:not only|do not doubt)\b/.test(s) ? null : turned;
  },
  "failed to": (s) => {
    const turned = s.replace(
      /\b(to) (?=(?:make|give|take|provide|keep|support|establish|secure|help|build|find|get)\b)/,
      "failing to ",
    );
    return turned === s ? null : turned;
  },
  "swap names": (s) => {
    const [a, b] = namesIn(s);
    if (!a || !b || new RegExp(`${a},? (?:and|or) ${b}|${a}, `).test(s)) return null;
    return swap(s, a, b);
  },
  "foreign name": (s, other) => {
    const [mine] = namesIn(s);
    const theirs = namesIn(other).find((name) => !s.includes(name));
    return mine && theirs ? s.replaceAll(new RegExp(`\\b${mine}\\b`, "g"), theirs) : null;
  },
  "changed digit": (s) =>
    /\d/.test(s) ? s.replace(/\d(?=\D*$)/, (digit) => String((Number(digit) + 3) % 10)) : null,
  "changed number word": (s) =>
    exchange(s, both("two/five three/seven four/nine six/eight hundred/thousand million/billion")),
  opposite: (s) =>
    exchange(
      s,
      both(
        "increased/decreased increase/decrease accepted/rejected rose/fell more/less higher/lower before/after won/lost bought/sold approved/rejected improve/worsen strengthen/weaken began/ended open/closed peace/war good/bad better/worse easy/hard easier/harder large/small great/small old/new love/hate first/last always/never with/without above/below domestic/foreign possible/impossible happy/sad early/late long/short",
      ),
    ),
  quantifier: (s) =>
    exchange(s, [
      ["all", "some"],
      ["every", "no"],
      ["some", "all"],
      ["many", "few"],
      ["most", "some"],
      ["none", "all"],
      ["several", "all"],
    ]),
  certainty: (s) =>
    exchange(s, [
      ["will be", "was"],
      ["will have", "had"],
      ["may", "must"],
      ["might", "will"],
      ["should", "may"],
      ["must", "may"],
      ["could", "will"],
    ]),
  unit: (s) =>
    /\d/.test(s) || /\b(?:two|three|four|five|six|seven|eight|nine|ten|twenty|thirty)\b/.test(s)
      ? exchange(
          s,
          both(
            "years/months miles/kilometers dollars/euros days/weeks minutes/hours percent/dollars pounds/kilograms acres/hectares hours/days weeks/months",
          ),
        )
      : null,
};

/** Names of two clauses joined into what nobody said: the subject of one with the rest of the other. */
export function mergedClauses(sentence: string, other: string): string | null {
  const [name] = namesIn(sentence);
  const rest =
    /^(?:\p{Lu}\p{L}+(?: \p{Lu}\p{L}+)?|I|We|He|She|They|You) (?=\p{Ll}{2,} )(.{25,})$/u.exec(
      other,
    )?.[1];
  if (
    !name ||
    !rest ||
    other.includes(name) ||
    (other.startsWith("I ") === false &&
      /^(?:The|This|That|These|Those|It|And|But|For|With|Our|My|Its|His|Her|In|On|At|To|As|If|So|What|When|How|Why|Where|Not|No|All|Some|There|By|Now|Then|Part|Let|Even|Although)\b/.test(
        other,
      ))
  )
    return null;
  return `${name} ${rest}`;
}

const WORD_NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split(
  " ",
);
const LONG_MONTHS =
  "January February March April May June July August September October November December".split(
    " ",
  );

/** Rewordings that keep what is said. */
export const REWORDINGS: Readonly<Record<string, Change>> = {
  contract: (s) => {
    const made = s.replace(
      /\b(did|does|do|is|are|was|were|has|have|had|would|should|could) not\b/,
      "$1n't",
    );
    return made === s ? null : made;
  },
  expand: (s) => {
    const made = s.replace(
      /\b(did|does|do|is|are|was|were|has|have|had|would|should|could)n['’]t\b/,
      "$1 not",
    );
    return made === s ? null : made;
  },
  "digits for words": (s) => {
    const made = s.replace(
      /\b(two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b(?!-| (?:hundred|thousand|million|billion|score))(?<!-\w+)/,
      (word) => String(WORD_NUMBERS.indexOf(word)),
    );
    return made === s ? null : made;
  },
  "words for digits": (s) => {
    const made = s.replace(
      /(?<![\d.,:/$€£-])\b([2-9]|1[0-2])\b(?![\d.,:/%-])/,
      (digits) => WORD_NUMBERS[Number(digits)]!,
    );
    return made === s ? null : made;
  },
  "short month": (s) => {
    for (const month of LONG_MONTHS)
      if (month.length > 4 && new RegExp(`\\b${month} \\d`).test(s))
        return s.replace(month, month.slice(0, 3));
    return null;
  },
  "drop opening": (s) => {
    const made = s.replace(
      /^(?:However|Well|So|Also|Indeed|Moreover|Therefore|Fortunately|And|But|Now),? (\p{L})/u,
      (_, letter: string) => letter.toUpperCase(),
    );
    return made === s ? null : made;
  },
  "join with semicolon": (s, other) =>
    s.length < 160 && other.length < 160 && /[.]$/.test(s)
      ? `${s.slice(0, -1)}; ${other.charAt(0).toLowerCase() === "i" ? other : other.charAt(0).toLowerCase() + other.slice(1)}`
      : null,
  "thousands without comma": (s) => {
    const made = s.replace(/(?<=\d),(?=\d{3}\b)/g, "");
    return made === s ? null : made;
  },
};
