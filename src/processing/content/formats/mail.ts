/**
 * One mail (RFC 5322 + MIME) → one item: the body a person reads as text; who, when, what about and
 * which thread as fields; the raw bytes as `original`.
 */

import PostalMime, { type Address, type Email } from "postal-mime";
import { AppError, isAbortError } from "../../../errors.ts";
import { META } from "../../../model/memory.ts";
import { readBytes } from "../blob-reader.ts";
import { fixWindows1252 } from "../decoding.ts";
import { saneTimestamp } from "../dates.ts";
import { htmlToText } from "../html-text.ts";
import {
  baseMetadata,
  timestampOf,
  type ParseContext,
  type ParsedEntry,
  type SourceFile,
} from "../parsed-item.ts";
import { withCharsets } from "./mail-charset.ts";
import { messageIds } from "./mail-thread.ts";

const MAX_LISTED_RECIPIENTS = 20;
const MAX_FIELD_CHARS = 1000;

function oneLine(value: string): string {
  return fixWindows1252(value)
    .replaceAll(/[\s\0]+/g, " ")
    .trim()
    .slice(0, MAX_FIELD_CHARS);
}

function formatAddress(address: Address): string {
  if (address.group)
    return oneLine(`${address.name}: ${address.group.map(formatAddress).join(", ")}`);
  const name = oneLine(address.name);
  const mailbox = oneLine(address.address);
  if (name === "" || name === mailbox) return mailbox;
  return mailbox === "" ? name : `${name} <${mailbox}>`;
}

/** The first "From " line of an mbox, or the obsolete ">From " that some stores leave in front. */
function withoutEnvelope(bytes: Uint8Array): { mail: Uint8Array; envelope: string } {
  const isFrom = (at: number): boolean =>
    bytes[at] === 0x46 &&
    bytes[at + 1] === 0x72 &&
    bytes[at + 2] === 0x6f &&
    bytes[at + 3] === 0x6d &&
    bytes[at + 4] === 0x20;
  if (!isFrom(0) && !(bytes[0] === 0x3e && isFrom(1))) return { mail: bytes, envelope: "" };
  const end = bytes.indexOf(10);
  if (end < 0) return { mail: bytes, envelope: "" };
  const envelope = new TextDecoder("latin1").decode(bytes.subarray(0, Math.min(end, 300)));
  return { mail: bytes.subarray(end + 1), envelope };
}

/** Date header, else the newest hop's, else the mbox line's, else the file's own time. */
function mailTimestamp(
  email: Email,
  envelope: string,
  fileTime: number | undefined,
): number | undefined {
  const sent = saneTimestamp(email.date === undefined ? undefined : Date.parse(email.date));
  if (sent !== undefined) return sent;
  for (const header of email.headers) {
    if (header.key !== "received") continue;
    const received = saneTimestamp(
      Date.parse(header.value.slice(header.value.lastIndexOf(";") + 1).trim()),
    );
    if (received !== undefined) return received;
  }
  const written = /\b[A-Z][a-z]{2} [A-Z][a-z]{2}\s+\d.*\d{4}.*$/.exec(envelope)?.[0];
  return (
    saneTimestamp(written ? Date.parse(`${written} UTC`) : undefined) ?? saneTimestamp(fileTime)
  );
}

/** The list that a mail came by, as its headers name it: "ilug.linux.ie", "ilug@linux.ie". */
function mailingList({ headers }: Email): string | undefined {
  const valueOf = (key: string): string | undefined =>
    headers.find((header) => header.key === key)?.value.slice(0, 500);
  const id = /<([^<>\s]+)>\s*$/.exec(valueOf("list-id") ?? "")?.[1];
  const name = id ?? /list ([^\s;,]+)/.exec(valueOf("mailing-list") ?? "")?.[1];
  return (name ?? valueOf("x-beenthere"))?.trim().toLowerCase().slice(0, 100) || undefined;
}

function bodyText(email: Email): string {
  const plain = email.text?.replaceAll("\r\n", "\n").trim() ?? "";
  if (plain !== "") return fixWindows1252(plain);
  return email.html ? htmlToText(fixWindows1252(email.html)).text.trim() : "";
}

function byteLength(content: ArrayBuffer | Uint8Array | string): number {
  return typeof content === "string" ? content.length : content.byteLength;
}

/**
 * One mail from its raw bytes.
 *
 * @throws AppError `corrupt_data` when it can't be read as a mail, `invalid_input` when it says nothing
 */
export async function parseMailBytes(
  bytes: Uint8Array,
  file: SourceFile,
  locator: string,
  context: ParseContext,
): Promise<ParsedEntry> {
  const { mail, envelope } = withoutEnvelope(bytes);
  let email: Email;
  try {
    email = await PostalMime.parse(withCharsets(mail));
  } catch (error) {
    if (isAbortError(error)) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new AppError("corrupt_data", `${locator} can't be read as a mail: ${message}`, {
      hint: "The file may be cut off or damaged; export it again from the mail program.",
      cause: error,
    });
  }
  if (email.headers.length === 0)
    throw new AppError("corrupt_data", `${locator} has no mail header.`, {
      hint: "The file may be cut off, or it isn't a mail; rename it to .txt to add it as text.",
    });
  const subject = oneLine(email.subject ?? "");
  const attachments = email.attachments
    .filter((part) => !part.related || part.filename)
    .map(
      (part) => `${oneLine(part.filename ?? part.mimeType)} (${byteLength(part.content)} bytes)`,
    );
  // A mail without any words is remembered by its subject, else by what it carries.
  const text = bodyText(email) || subject || attachments.join(", ");
  if (text === "")
    throw new AppError("invalid_input", `${locator} has neither text nor subject.`, {
      hint: "There is nothing to remember in it; leave it out.",
    });

  const metadata = baseMetadata(file, "mail", "message/rfc822");
  const set = (key: string, value: string | undefined): void => {
    if (value) metadata[key] = value;
  };
  const recipients = [...(email.to ?? []), ...(email.cc ?? [])];
  const listed = recipients.slice(0, MAX_LISTED_RECIPIENTS).map(formatAddress).filter(Boolean);
  const sender = email.from ?? email.sender;
  set(META.title, subject);
  set(META.speaker, sender && formatAddress(sender));
  set(META.recipients, listed.join(", "));
  set(META.externalId, messageIds(email.messageId)[0]);
  set(META.replyTo, messageIds(email.inReplyTo)[0] ?? messageIds(email.references).at(-1));
  set(META.thread, context.threads.threadOf(email));
  set(META.list, mailingList(email));
  set("attachments", attachments.join(", "));
  return {
    text,
    original: bytes,
    ...timestampOf(mailTimestamp(email, envelope, file.lastModified)),
    metadata,
    locator,
  };
}

/** A file that holds one mail. */
export async function* parseMail(
  file: SourceFile,
  context: ParseContext,
): AsyncGenerator<ParsedEntry> {
  yield await parseMailBytes(await readBytes(file.blob), file, file.path, context);
}
