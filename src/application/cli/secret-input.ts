/**
 * A secret from stdin: piped, or typed at a terminal without being shown. Never from an argument,
 * where every program of the machine could read it.
 */

import { createAbortError } from "../../errors.ts";
import { readInput } from "./files.ts";
import type { CliHost } from "./host.ts";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const BACKSPACE = /[\u007f\b]/;

/** The first line, without white space around it. */
export async function readSecret(
  host: CliHost,
  question: string,
  signal: AbortSignal,
): Promise<string> {
  if (host.stdin.isTTY) return typeSecret(host, question);
  const text = new TextDecoder().decode(await readInput(host, "-", signal));
  return text.split("\n", 1)[0]!.trim();
}

function typeSecret(host: CliHost, question: string): Promise<string> {
  const stdin = host.stdin as CliHost["stdin"] & { setRawMode?: (raw: boolean) => unknown };
  host.stderr.write(question);
  stdin.setRawMode?.(true);
  return new Promise((resolve, reject) => {
    let secret = "";
    const end = (finish: () => void): void => {
      stdin.off("data", read);
      stdin.setRawMode?.(false);
      stdin.pause();
      host.stderr.write("\n");
      finish();
    };
    const read = (chunk: Buffer | string): void => {
      for (const character of chunk.toString()) {
        if (character === CTRL_C) return end(() => reject(createAbortError()));
        if (character === "\r" || character === "\n" || character === CTRL_D)
          return end(() => resolve(secret.trim()));
        secret = BACKSPACE.test(character) ? secret.slice(0, -1) : secret + character;
      }
    };
    stdin.on("data", read);
    stdin.resume();
  });
}
