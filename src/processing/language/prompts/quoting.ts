/**
 * Quotes a text as data inside a prompt. The marks around it carry a random number made for this one
 * call, so that no text can hold the closing mark; what imitates marks or the control tokens of chat
 * templates is made harmless. The words of the text stay as they are.
 */

const MARK_BYTES = 12;

/** An unguessable mark: 24 hex digits. */
export function createMark(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(MARK_BYTES));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** "<|im_start|>", "<start_of_turn>", "[INST]", "<<SYS>>", "</s>": a template would read them as its own. */
const CONTROL_TOKENS =
  /<\|(?=[^\n|]{1,40}\|>)|<(?=\/?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn|think|tool_call|system|assistant|user)>)|\[(?=\/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS)\])/gi;
/** Three or more angle brackets in a row could be taken for a mark of ours. */
const MARK_LIKE = /<{2,}|>{3,}/g;

/** The text without anything that could end its quote or pass for a role of the conversation. */
export function neutralize(text: string, mark: string): string {
  return text
    .replaceAll(mark, "…")
    .replace(CONTROL_TOKENS, (token) => `${token[0]} ${token.slice(1)}`)
    .replace(MARK_LIKE, (run) => [...run].join(" "));
}

/** One line for quoting what a check said: no line breaks, no marks, at most `maxChars`. */
export function quoteLine(text: string, mark: string, maxChars = 300): string {
  const line = neutralize(text.replace(/\s+/gu, " ").trim(), mark);
  return line.length <= maxChars ? line : `${line.slice(0, maxChars - 1).toWellFormed()}…`;
}
