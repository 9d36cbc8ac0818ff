/**
 * The language of a text.
 *
 * Scripts that belong to one language decide at once; then function words, which make up a third of
 * any running text; only then the n-gram library (tinyld, light). On 800 English list mails the
 * library alone was right for 91 % of them, because rare names and code look like other languages.
 */

import { detectAll } from "tinyld/light";

const SAMPLE_CHARS = 2000;
/** Shorter texts are guessed wrongly too often. */
const MIN_LETTERS = 12;

/** Frequent words that few other languages of the list share. */
const FUNCTION_WORDS: Record<string, string> = {
  en: "the and of to is that it for was with you this have are not be from they his her which would there what their been has were will can if about who when your just at by my we she he an or as but how do does did i'm it's don't",
  de: "der die das und ist nicht ein eine einen dem den mit sich auf für auch es an als wir ich sie er war wird sind haben hat bei oder aus wenn noch nach über einem einer zum zur kann aber wie nur vom ihr mir mich",
  fr: "le la les des et est une dans que qui pour pas sur avec ce il elle nous vous sont du au aux plus par mais ne cette être ont été leur ses je mon ma c'est j'ai l'on très comme",
  es: "el la los las de que y en un una por con para del se lo su al como más pero sus está son este esta ya muy también fue hay yo mi nos cuando porque todo desde",
  it: "il la lo gli di che e è un una per con non del della sono si da come più ma anche nel alla dei delle questo questa ho ha mi ci io sono stato essere quando perché",
  pt: "o a os as de que e do da em um uma para com não por mais dos das se na no ao como mas foi ele ela são você está muito também já eu meu minha isso quando",
  nl: "de het een van en is dat niet op te zijn voor met die aan er ook als maar om hij ze wij je ik naar bij was wordt worden deze dit nog heeft heb hebben uit over wel kan",
  sv: "och att det som en är på för av med den till inte har de ett om jag var men sig så vi från kan ska hon han när också eller mycket",
  da: "og at det er en til på som af for med den ikke der har jeg de et om var men sig så vi fra kan skal hun han når også eller meget",
  no: "og at det er en til på som av for med den ikke har jeg de et om var men seg så vi fra kan skal hun han når også eller mye",
  fi: "ja on ei se että hän ovat oli mutta kun niin joka myös tai jos minä sinä me he ole olen sitä tämä kuin vain nyt",
  pl: "i w na z się nie do to jest że o jak ale po od za są tak być dla przez czy już tylko może ma go który która było jego",
  cs: "a je se na že v to s z do o ale jak pro jsou by ve po tak už nebo když který která jsem není bylo jeho také",
  ro: "și în de la cu o că nu este un pe mai din pentru sunt să se care ce a fost dar au fi ca acest această",
  hu: "a az és hogy nem is egy van meg de ez volt csak már ha mint vagy még el ki azt ezt amely minden nagyon",
  tr: "ve bir bu da de için ile ne çok daha gibi ama var o mi değil olarak sonra kadar ben sen her en ya",
  id: "yang dan di ini itu dengan untuk tidak dari dalam akan pada juga ke ada saya kami adalah atau oleh sudah bisa",
  vi: "và của là có không được cho một những trong với các người này đã khi tôi để cũng như",
  ru: "и в не на что я с он как это по но она к у из за то так его же от было мы вы они был для только уже",
  uk: "і в не на що я з він як це по але вона до у за та так його від було ми ви вони був для тільки вже є й",
  bg: "и в не на че се да за от с са е по като но това ще към той тя ми съм беше който има",
};

const LANGUAGES_OF_WORD = new Map<string, string[]>();
for (const [language, list] of Object.entries(FUNCTION_WORDS))
  for (const word of new Set(list.split(" ")))
    LANGUAGES_OF_WORD.set(word, [...(LANGUAGES_OF_WORD.get(word) ?? []), language]);

/** Scripts that belong to one language in practice, with the share of letters that decides. */
const SCRIPTS: readonly [language: string, script: RegExp, share: number][] = [
  // Japanese mixes in Han; a few kana are enough to know it.
  ["ja", /[\p{Script=Hiragana}\p{Script=Katakana}]/gu, 0.15],
  ["ko", /\p{Script=Hangul}/gu, 0.5],
  ["zh", /\p{Script=Han}/gu, 0.5],
  ["th", /\p{Script=Thai}/gu, 0.5],
  ["el", /\p{Script=Greek}/gu, 0.5],
  ["he", /\p{Script=Hebrew}/gu, 0.5],
];

/** Three pieces of a long text, so that a foreign quote at its start doesn't decide. */
export function sampleOf(text: string, characters: number): string {
  if (text.length <= characters) return text;
  const piece = Math.floor(characters / 3);
  const middle = Math.floor((text.length - piece) / 2);
  return [text.slice(0, piece), text.slice(middle, middle + piece), text.slice(-piece)].join("\n");
}

/** The language whose function words win clearly, each word shared out among its languages. */
function byFunctionWords(words: readonly string[]): string | null {
  const votes = new Map<string, number>();
  for (const word of words) {
    const languages = LANGUAGES_OF_WORD.get(word);
    if (!languages) continue;
    for (const language of languages)
      votes.set(language, (votes.get(language) ?? 0) + 1 / languages.length);
  }
  const [best, second] = [...votes].sort((a, b) => b[1] - a[1]);
  if (!best || best[1] < 2) return null;
  return best[1] >= 1.3 * (second?.[1] ?? 0) ? best[0] : null;
}

/** ISO 639-1 code, "und" when the text is too short or unclear. Looks at 2,000 characters. */
export function detectLanguage(text: string): string {
  const sample = sampleOf(text, SAMPLE_CHARS)
    .replaceAll(/https?:\/\/\S+|\S+@\S+/g, " ")
    .replaceAll("’", "'")
    .replaceAll(/[^\p{L}\p{M}\s']+/gu, " ");
  const letters = sample.match(/\p{L}/gu)?.length ?? 0;
  for (const [language, script, share] of SCRIPTS) {
    const count = sample.match(script)?.length ?? 0;
    if (count >= 2 && count > letters * share) return language;
  }
  if (letters < MIN_LETTERS) return "und";
  const words = sample.toLowerCase().split(/\s+/).filter(Boolean);
  const voted = byFunctionWords(words);
  if (voted) return voted;
  const [best] = detectAll(sample);
  return best && /^[a-z]{2}$/.test(best.lang) ? best.lang : "und";
}
