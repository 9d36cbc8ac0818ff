/** Bytes from a file or stdin as the text they hold, with the bytes kept beside it where the text alone can't give them back. */

import { decodeText } from "../../processing/content/decoding.ts";

export interface TextInput {
  text: string;
  /** The bytes as given, where they are not the UTF-8 of `text` (Latin-1, UTF-16, a byte order mark). */
  original?: Uint8Array;
}

/** `invalid_input` when empty, `unsupported_input` when the bytes are no text; both say `name`. */
export function decodeInput(bytes: Uint8Array, name: string): TextInput {
  const { text, exact } = decodeText(bytes, { name });
  return exact ? { text } : { text, original: bytes };
}
