/** A WordPiece tokenizer for the tiny encoder's 200 words: letters, and the commonest English words. */

const SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const LETTERS = [..."abcdefghijklmnopqrstuvwxyz"];
const WORDS =
  "the of and to in that a is for our be we it this with by as not have which are has will on been their from was all an or its no at but they who these so any may his upon more than must peace people government states united congress year years country great nation war time public law under other only every last new now one would can world".split(
    " ",
  );

export function tinyTokenizer(): Record<string, unknown> {
  const pieces = [
    ...new Set([...SPECIAL, ...LETTERS, ...LETTERS.map((letter) => `##${letter}`), ...WORDS]),
  ];
  const special = (content: string) => ({
    id: pieces.indexOf(content),
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map(special),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "BertProcessing",
      sep: ["[SEP]", pieces.indexOf("[SEP]")],
      cls: ["[CLS]", pieces.indexOf("[CLS]")],
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
    },
  };
}
