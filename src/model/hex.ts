/** Hexadecimal digits as character codes: a string made of codes is one piece, one put together is kept as a tree of pieces. */

const DIGITS = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));

/** Writes the two lower-case digits of a byte from `at` on. */
export function writeHex(byte: number, codes: number[], at: number): void {
  codes[at] = DIGITS[byte >>> 4]!;
  codes[at + 1] = DIGITS[byte & 15]!;
}
