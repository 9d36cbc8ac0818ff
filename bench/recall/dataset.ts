/** Conversations with questions from a folder or file, whichever of the known formats they have. */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { parseLocomo, type Conversation } from "./locomo.ts";
import { isLongMemEval, readLongMemEval } from "./longmemeval.ts";

export interface Dataset {
  name: "LoCoMo" | "LongMemEval" | "mailing lists";
  conversations: Conversation[];
}

/** Reads every `.json` of a folder, or one file. Throws when there is none, or when formats are mixed. */
export function readDataset(path: string): Dataset {
  const files = statSync(path).isDirectory()
    ? readdirSync(path)
        .filter((file) => file.endsWith(".json"))
        .sort()
        .map((file) => join(path, file))
    : [path];
  const sets = files.map((file): Dataset => {
    const data = JSON.parse(readFileSync(file, "utf8")) as unknown;
    return isLongMemEval(data)
      ? { name: "LongMemEval", conversations: readLongMemEval(basename(file), data) }
      : { name: "LoCoMo", conversations: parseLocomo(basename(file), data) };
  });
  const [first] = sets;
  if (first === undefined) throw new Error(`There is no JSON file in ${path}.`);
  if (sets.some((set) => set.name !== first.name))
    throw new Error(`${path} holds both LoCoMo and LongMemEval files: measure them one at a time.`);
  return { name: first.name, conversations: sets.flatMap((set) => set.conversations) };
}
