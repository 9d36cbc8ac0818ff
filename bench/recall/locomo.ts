/** Reads LoCoMo conversations (Maharana et al., 2024): turns, questions, evidence. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Turn {
  id: string;
  session: number;
  speaker: string;
  text: string;
  timestamp: number;
}

export interface Question {
  text: string;
  /** "multi-hop", "temporal", … */
  category: string;
  /** Ids of turns. */
  evidence: string[];
  /** Numbers of sessions, where the data set names them; else those of the turns. */
  sessionEvidence?: number[];
  /** When it was asked, ms since epoch. */
  now?: number;
}

export interface Conversation {
  name: string;
  turns: Turn[];
  questions: Question[];
}

const CATEGORIES: Record<number, string> = {
  1: "multi-hop",
  2: "temporal",
  3: "open-domain",
  4: "single-hop",
  5: "adversarial",
};

interface RawTurn {
  speaker: string;
  text?: string;
  dia_id: string;
  blip_caption?: string;
}

interface RawQuestion {
  question: string;
  category: number;
  evidence?: string[];
}

/** All conversations of a folder of JSON files; a file may hold one or a list. */
export function readLocomo(directory: string): Conversation[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .flatMap((file) =>
      parseLocomo(file, JSON.parse(readFileSync(join(directory, file), "utf8")) as unknown),
    );
}

/** The conversations of one file. */
export function parseLocomo(file: string, data: unknown): Conversation[] {
  const list = Array.isArray(data) ? (data as unknown[]) : [data];
  return list.map((one, i) => readConversation(`${file}${list.length > 1 ? `#${i}` : ""}`, one));
}

function readConversation(name: string, data: unknown): Conversation {
  const raw = data as Record<string, unknown> & { conversation?: Record<string, unknown> };
  const sessions = raw.conversation ?? raw;
  const turns: Turn[] = [];
  for (let session = 1; Array.isArray(sessions[`session_${session}`]); session++) {
    const start = parseSessionTime(String(sessions[`session_${session}_date_time`] ?? ""));
    (sessions[`session_${session}`] as RawTurn[]).forEach((turn, i) => {
      const caption = turn.blip_caption ? ` [photo: ${turn.blip_caption}]` : "";
      turns.push({
        id: turn.dia_id,
        session,
        speaker: turn.speaker,
        text: `${turn.text ?? ""}${caption}`.trim(),
        timestamp: start + i * 1000,
      });
    });
  }
  const known = new Set(turns.map((turn) => turn.id));
  const questions = (raw["qa"] as RawQuestion[]).map((question) => ({
    text: question.question,
    category: CATEGORIES[question.category] ?? `category ${question.category}`,
    evidence: [...new Set((question.evidence ?? []).flatMap(normalizeEvidence))].filter((id) =>
      known.has(id),
    ),
  }));
  return { name, turns, questions: questions.filter((question) => question.evidence.length > 0) };
}

/** Some evidence ids are malformed: "D1:05", several in one string. */
function normalizeEvidence(text: string): string[] {
  return Array.from(
    String(text).matchAll(/D:?(\d+):(\d+)/g),
    ([, a, b]) => `D${Number(a)}:${Number(b)}`,
  );
}

/** "1:56 pm on 8 May, 2023" → ms since epoch (UTC). */
function parseSessionTime(text: string): number {
  const match = /(\d+):(\d+)\s*(am|pm) on (\d+) (\w+), (\d{4})/i.exec(text);
  if (!match) return 0;
  const [, hour, minute, half, day, month, year] = match;
  const date = Date.parse(`${day} ${month} ${year} UTC`);
  const hours = (Number(hour) % 12) + (half!.toLowerCase() === "pm" ? 12 : 0);
  return date + (hours * 60 + Number(minute)) * 60_000;
}
