/**
 * Reads LongMemEval (Wu et al., 2025; longmemeval_s, _m or _oracle): a question over a history of its
 * own, sessions between a user and an assistant. Every message is a turn; the evidence is the messages
 * marked `has_answer`, and the sessions named in `answer_session_ids`. Questions that nothing answers
 * ("…_abs") have no evidence and are left out, as the authors do.
 */

import type { Conversation, Turn } from "./locomo.ts";

interface RawMessage {
  role: string;
  content: string;
  has_answer?: boolean;
}

interface RawItem {
  question_id: string;
  question_type: string;
  question: string;
  question_date?: string;
  haystack_dates: string[];
  haystack_session_ids: string[];
  haystack_sessions: RawMessage[][];
  answer_session_ids: string[];
}

export function isLongMemEval(data: unknown): data is RawItem[] {
  const first: unknown = Array.isArray(data) ? data[0] : undefined;
  return (
    typeof first === "object" &&
    first !== null &&
    "haystack_sessions" in first &&
    "question" in first
  );
}

/** One conversation per question; empty histories and questions without evidence are left out. */
export function readLongMemEval(name: string, items: readonly RawItem[]): Conversation[] {
  return items
    .filter((item) => !item.question_id.endsWith("_abs"))
    .map((item) => readItem(name, item))
    .filter(({ questions }) => questions[0]!.evidence.length > 0);
}

function readItem(name: string, item: RawItem): Conversation {
  const turns: Turn[] = [];
  const evidence: string[] = [];
  const answers = new Set(item.answer_session_ids);
  const sessionEvidence: number[] = [];
  item.haystack_sessions.forEach((messages, session) => {
    const start = parseDate(item.haystack_dates[session] ?? "");
    const sessionId = item.haystack_session_ids[session] ?? String(session);
    if (answers.has(sessionId)) sessionEvidence.push(session);
    messages.forEach((message, i) => {
      const text = message.content.trim();
      if (text === "") return;
      const id = `${session}:${i}`;
      turns.push({ id, session, speaker: message.role, text, timestamp: start + i * 1000 });
      if (message.has_answer === true) evidence.push(id);
    });
  });
  const now = item.question_date === undefined ? 0 : parseDate(item.question_date);
  return {
    name: `${name} ${item.question_id}`,
    turns,
    questions: [
      {
        text: item.question,
        category: item.question_type,
        evidence,
        sessionEvidence,
        ...(now === 0 ? {} : { now }),
      },
    ],
  };
}

/** "2023/05/30 (Tue) 23:40" → ms since epoch (UTC); 0 when it is none. */
function parseDate(text: string): number {
  const match = /(\d{4})\/(\d{1,2})\/(\d{1,2})(?:\D+(\d{1,2}):(\d{2}))?/.exec(text);
  if (!match) return 0;
  const [, year, month, day, hour = "0", minute = "0"] = match;
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute));
}
