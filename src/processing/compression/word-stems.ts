/**
 * The form of a word by which it is compared: a light stem, and one stem for words that say the same in
 * nearly every sentence. Words that only sometimes agree are left out on purpose.
 */

const GROUPS =
  "begin start commence|call named|buy purchase|ill sick|home house|mom mum mother mommy mummy|dad father daddy|" +
  "kid child children|big large|small little|quick fast rapid|glad happy|help assist aid|repair fix mend|picture photo photograph pic|" +
  "job work|car automobile|wed marry married|phone telephone|movie film|holiday vacation|shop store|flat apartment|lorry truck|" +
  "error mistake|doctor physician|bike bicycle|reply answer respond|mail email e-mail|select choose pick|" +
  "require need|speak talk|whole entire|near close-by|create make|reside live|finish complete|permit allow|" +
  "attempt try|request ask|postpone delay|decide decision|relocate move|attend participate|tired exhausted|" +
  "afraid frightened scared|grandma grandmother|grandpa grandfather|colleague coworker co-worker|firm company|" +
  "salary wage|rise increase climb|fall drop decline decrease|exam test|propose proposal|suggest suggestion|member people";

/** A light stem: enough to match "vetoed" with "veto", never used for display. */
export function stemWord(word: string): string {
  if (word.length <= 3) return word;
  let stem = word.replace(/(?:'s|’s)$/, "");
  stem = stem
    .replace(/(?:ational|ation|ations|ition|itions)$/, "at")
    .replace(/(?:ies|ied)$/, "y")
    .replace(/(?:sses)$/, "ss")
    .replace(/([^aeiou])\1(?:ed|ing)$/, "$1")
    .replace(/(?:ingly|edly|ing|ed|ly|es|s)$/, (ending) =>
      stem.length - ending.length >= 3 ? "" : ending,
    );
  return stem.replace(/(?<=..)e$/, "");
}

/** Irregular verbs: present, then the forms that no rule finds. */
const VERBS =
  "drink drank drunk|swim swam swum|write wrote written|tell told|say said|come came|become became|give gave given|take took taken|" +
  "make made|know knew known|see saw seen|go went gone|leave left|lose lost|win won|buy bought|bring brought|think thought|" +
  "teach taught|catch caught|sell sold|find found|hold held|build built|send sent|spend spent|lend lent|pay paid|meet met|feel felt|" +
  "keep kept|sleep slept|run ran|sit sat|stand stood|understand understood|eat ate eaten|fall fell fallen|drive drove driven|" +
  "break broke broken|choose chose chosen|speak spoke spoken|steal stole stolen|forget forgot forgotten|forgive forgave forgiven|" +
  "grow grew grown|draw drew drawn|throw threw thrown|fly flew flown|show shown|wear wore worn|rise rose risen|ride rode ridden|" +
  "begin began begun|sing sang sung|ring rang rung|shrink shrank shrunk|hear heard|win won|fight fought|hide hidden|bite bit bitten|" +
  "shake shook shaken|wake woke woken|freeze froze frozen|lead led|feed fed|blow blew blown|bear born|swear swore sworn|seek sought";

/** Stem → stem of the first of its group. */
const CANONICAL = new Map<string, string>();
for (const group of [...VERBS.split("|"), ...GROUPS.split("|")]) {
  const words = group.split(" ");
  const first = canonicalStem(stemWord(words[0]!));
  for (const word of words)
    for (const ending of ["", "s", "d", "ed", "ing"]) CANONICAL.set(stemWord(word + ending), first);
}

/** The stem that stands for all words of its group; the stem itself where it has none. */
export function canonicalStem(stem: string): string {
  return CANONICAL.get(stem) ?? stem;
}
