/**
 * Which conversation a mail belongs to.
 *
 * The key is the oldest known ancestor: the first of References, else In-Reply-To, else the mail's
 * own Message-ID; what was learnt from earlier mails of the same import is used to reach further up.
 * A reply that names no ancestor, or none that is known, joins the thread of the same subject.
 */

/** Most ids kept; the oldest are dropped first, so that memory stays bounded. */
const MAX_ENTRIES = 200_000;
const MAX_PAUSE_MS = 60 * 24 * 3_600_000;

export interface MailIds {
  messageId?: string | undefined;
  inReplyTo?: string | undefined;
  references?: string | undefined;
  subject?: string | undefined;
  /** As in the header. */
  date?: string | undefined;
}

/** The ids in a header value, without their angle brackets, at most 100. */
export function messageIds(value: string | undefined): string[] {
  if (!value) return [];
  const bracketed = Array.from(
    value.slice(0, 20_000).matchAll(/<([^<>\s]{3,998})>/g),
    (match) => match[1]!,
  );
  return bracketed.slice(0, 100);
}

/** The subject without "Re:", "Fwd:", "AW:", list tags and case. */
export function normalizeSubject(subject: string): string {
  let text = subject.slice(0, 1000).trim();
  for (;;) {
    const shorter = text
      .replace(/^(?:re|fwd?|aw|wg|sv|vs|antw|tr|rif|res|enc)(?:\[\d+\])?\s*:\s*/i, "")
      .replace(/^\[[^\]]{1,40}\]\s*/, "");
    if (shorter === text) break;
    text = shorter;
  }
  return text.replaceAll(/\s+/g, " ").toLowerCase();
}

export class ThreadIndex {
  #threads = new Map<string, string>();
  /** Subject → when it was last written about. */
  readonly #dates = new Map<string, number>();

  /** The thread of a mail; remembers its ids for those that follow. */
  threadOf(ids: MailIds): string | undefined {
    const own = messageIds(ids.messageId)[0];
    const ancestors = [...messageIds(ids.references), ...messageIds(ids.inReplyTo).slice(0, 1)];
    const subject = normalizeSubject(ids.subject ?? "");
    const isReply = /^\s*(?:re|aw|sv|antw)(?:\[\d+\])?\s*:/i.test(ids.subject ?? "");
    let thread: string | undefined;
    for (const id of ancestors) {
      thread = this.#threads.get(`id:${id}`);
      if (thread) break;
    }
    const date = Date.parse(ids.date ?? "");
    // Answers to a mail that isn't here belong together all the same.
    if (!thread && isReply && subject && this.#isNear(subject, date))
      thread = this.#threads.get(`subject:${subject}`);
    thread ??= ancestors[0];
    if (!thread && isReply && subject) thread = `subject:${subject}`;
    thread ??= own ?? (subject ? `subject:${subject}` : undefined);
    if (!thread) return undefined;
    for (const id of own ? [...ancestors, own] : ancestors) this.#remember(`id:${id}`, thread);
    if (subject && !this.#threads.has(`subject:${subject}`))
      this.#remember(`subject:${subject}`, thread);
    if (subject && Number.isFinite(date)) this.#dates.set(subject, date);
    return thread;
  }

  /** The same subject after months is another conversation; without dates it isn't known. */
  #isNear(subject: string, date: number): boolean {
    const last = this.#dates.get(subject);
    return last === undefined || !Number.isFinite(date) || Math.abs(date - last) <= MAX_PAUSE_MS;
  }

  #remember(key: string, thread: string): void {
    if (this.#threads.has(key)) return;
    if (this.#threads.size >= MAX_ENTRIES) {
      const oldest = this.#threads.keys().next().value;
      if (oldest !== undefined) this.#threads.delete(oldest);
    }
    this.#threads.set(key, thread);
  }
}
