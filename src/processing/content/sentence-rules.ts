/**
 * Where a sentence ends inside one block of text.
 *
 * Rules instead of `Intl.Segmenter`: that one breaks after "Mr.", "e.g." and "J.", differs between
 * engines, and corrections on top of it need the same look-ahead as deciding here. Terminators of
 * all scripts come from Unicode's Sentence_Terminal property.
 */

const words = (list: string): ReadonlySet<string> => new Set(list.split(" "));

/** Never end a sentence: a name or a number follows. */
const TITLES = words(
  "mr mrs ms messrs mme mlle dr prof st mt ft gen sen rep gov pres capt cpt cmdr lt col maj sgt rev hon " +
    "fr sr sra srta dra ud hr hrn herr vs v cf viz resp approx ca bzw bspw ggf evtl inkl zzgl ing dipl " +
    "assoc dept univ ibid e.g i.e eg ie z.b d.h u.a o.ä p.ex al- attn fwd supt adm brig amb atty min max a.k.a aka",
);
/** An abbreviation only in front of a number: "No. 5", "Fig. 2", "Jan. 3". */
const BEFORE_NUMBER = words(
  "no nos nr fig figs eq eqs p pp pg vol vols ch chap sec sect art par ex tab ver op cit ed eds ann " +
    "pág núm jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun abs",
);
/** May end a sentence: decided by the word that follows. */
const MAY_END = words(
  "inc ltd co corp bros llc plc pty pvt lp llp jr sr esq etc al usw ave blvd rd sq bldg est tel ext dist assn cie gmbh " +
    "ag nv bv sa kg hrs mins secs lbs lb oz",
);
/** Words that open sentences far more often than they follow an abbreviation inside one. */
const STARTERS = words(
  "the a an this that these those it he she we they i you in on at but and or so if when while after " +
    "before for from as there here then however what who why how where my our your his her their its " +
    "yes no not with by to once since although because let everyone everybody nobody someone all some many most several " +
    "each every another both please thanks also " +
    "der die das es er sie wir ich le la les il elle",
);
const COMPANY_END = /^(?:Inc|Ltd|Corp|Co|LLC)\./;
const MONTHS =
  /^\s*(?:jan|feb|mär|mar|apr|mai|may|jun|jul|aug|sep|okt|oct|nov|dez|dec|januar|februar|märz|april|juni|juli|august|september|oktober|november|dezember)/i;

const TERMINATORS = /[\p{STerm}…]+/gu;
const CLOSERS = /["'”’»›)\]}」』】）〉》*_`]*/y;
const NEXT_VISIBLE = /[\s"'“”„‘’«‹([{*_¿¡「『（]*/y;
const CJK = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
const LOWER = /\p{Lower}/u;
const UPPER = /\p{Lu}/u;
const DIGIT = /\p{Nd}/u;
const WHITE_SPACE = /\s/;

/** Longest word that is looked at before a full stop; keeps the scan linear. */
const MAX_WORD_CHARS = 24;

/** The token that ends at `end`: letters, digits and inner dots. */
function wordBefore(text: string, from: number, end: number): string {
  const window = text.slice(Math.max(from, end - MAX_WORD_CHARS), end);
  return /[\p{L}\p{M}\p{Nd}.&]*$/u.exec(window)![0];
}

function nextVisible(text: string, at: number, end: number): number {
  NEXT_VISIBLE.lastIndex = at;
  return Math.min(end, at + NEXT_VISIBLE.exec(text)![0].length);
}

function charAt(text: string, at: number): string {
  return at < text.length ? String.fromCodePoint(text.codePointAt(at)!) : "";
}

/** Whether a single full stop after `word` ends a sentence, given what follows. */
function fullStopEnds(text: string, from: number, dot: number, next: number): boolean {
  const word = wordBefore(text, from, dot);
  const following = charAt(text, next);
  const key = word.toLowerCase();
  const opening =
    /^[\p{L}']+/u.exec(text.slice(next, next + MAX_WORD_CHARS))?.[0].toLowerCase() ?? "";
  if (word === "") return true;
  if (/^\p{Nd}+$/u.test(word)) {
    // "1." opens a list item; "3. Oktober" is an ordinal.
    const numberStart = dot - word.length;
    if (word.length <= 3 && numberStart - from < MAX_WORD_CHARS)
      if (text.slice(from, numberStart).trim() === "") return false;
    if (word.length <= 2 && MONTHS.test(text.slice(next, next + 12))) return false;
    return !LOWER.test(following);
  }
  if (TITLES.has(key)) return false;
  if (BEFORE_NUMBER.has(key) && DIGIT.test(following)) return false;
  if (
    /^\p{L}$/u.test(word) &&
    /^[\s("'“‘«[.-]?$/.test(text.slice(Math.max(from, dot - 2), dot - 1))
  ) {
    return (
      word === "I" &&
      /\p{Lower}\s$/u.test(text.slice(Math.max(from, dot - 3), dot - 1)) &&
      !LOWER.test(following)
    );
  }
  // Initialisms (U.S., a.m., Ph.D.) and company endings.
  if (MAY_END.has(key) || /^(?:\p{L}{1,2}\.)+\p{L}{1,2}$/u.test(word)) {
    if (!UPPER.test(following)) return false;
    return STARTERS.has(opening) || key === "etc" || key === "usw";
  }
  // In lower-case writing a sentence opens without a capital; an unknown short word is taken for an abbreviation.
  if (LOWER.test(following)) return /^\p{Lower}{4,}$/u.test(word);
  return true;
}

/** Offsets in (from, end] where a sentence of the block `[from, end)` stops, ascending; the last is `end`. */
export function* sentenceEnds(text: string, from: number, end: number): Generator<number> {
  const block = from === 0 && end === text.length ? text : text.slice(from, end);
  const length = block.length;
  let sentenceStart = 0;
  TERMINATORS.lastIndex = 0;
  for (const match of block.matchAll(TERMINATORS)) {
    const run = match[0];
    const runEnd = match.index + run.length;
    CLOSERS.lastIndex = runEnd;
    const closed = runEnd + CLOSERS.exec(block)![0].length;
    if (closed >= length) break;
    const after = charAt(block, closed);
    const ascii = /^[.!?…]+$/.test(run);
    let ends: boolean;
    if (!ascii) {
      ends = !(DIGIT.test(block[match.index - 1] ?? "") && DIGIT.test(after));
    } else if (!WHITE_SPACE.test(after)) {
      ends = /[!?]/.test(run) && CJK.test(after);
    } else {
      const next = nextVisible(block, closed, length);
      const following = charAt(block, next);
      // "Yahoo! Inc." is a name.
      if (/[!?]/.test(run))
        ends =
          (closed === runEnd || !LOWER.test(following)) &&
          !COMPANY_END.test(block.slice(next, next + 6));
      else if (run !== ".") ends = !LOWER.test(following);
      else if (closed > runEnd) ends = !LOWER.test(following);
      else ends = fullStopEnds(block, sentenceStart, match.index, next);
    }
    if (!ends) continue;
    yield from + closed;
    sentenceStart = closed;
  }
  yield end;
}
