/**
 * Conversations of a Claude data export (`conversations.json` with `chat_messages`).
 *
 * A message's text is its `content` blocks of type text (older exports have only `text`). Text that
 * was extracted from an attachment becomes an item of its own in the same thread.
 */

import { META } from "../../../model/memory.ts";
import { parseDateValue } from "../dates.ts";
import { baseMetadata, timestampOf, type ParsedItem, type SourceFile } from "../parsed-item.ts";

interface Message {
  uuid?: unknown;
  text?: unknown;
  content?: unknown;
  sender?: unknown;
  created_at?: unknown;
  parent_message_uuid?: unknown;
  attachments?: unknown;
  files?: unknown;
}

interface Conversation {
  uuid?: unknown;
  name?: unknown;
  created_at?: unknown;
  chat_messages: unknown[];
}

export function isClaudeConversation(value: unknown): value is Conversation {
  return (
    typeof value === "object" &&
    value !== null &&
    Array.isArray((value as { chat_messages?: unknown }).chat_messages)
  );
}

const asText = (value: unknown): string | undefined =>
  typeof value === "string" && value.trim() !== "" ? value : undefined;

const asObjects = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value)
    ? value.filter(
        (part): part is Record<string, unknown> => typeof part === "object" && part !== null,
      )
    : [];

function messageText(message: Message): string {
  const blocks = asObjects(message.content)
    .filter((block) => block.type === "text")
    .map((block) => asText(block.text))
    .filter((text) => text !== undefined);
  return blocks.length > 0 ? blocks.join("\n\n") : (asText(message.text) ?? "");
}

/** The root of a conversation's messages points at this instead of at a message. */
const NO_PARENT = "00000000-0000-4000-8000-000000000000";

/** The messages of one conversation, in their order. */
export function* claudeMessages(
  conversation: Conversation,
  file: SourceFile,
  locator: string,
): Generator<ParsedItem> {
  const thread = asText(conversation.uuid) ?? locator;
  const title = asText(conversation.name);
  let previousId: string | undefined;
  let previousTime = parseDateValue(conversation.created_at);
  for (const [index, message] of (asObjects(conversation.chat_messages) as Message[]).entries()) {
    const id = asText(message.uuid) ?? `${thread}/${index + 1}`;
    const timestamp = parseDateValue(message.created_at) ?? previousTime;
    previousTime = timestamp;
    const common = baseMetadata(file, "chat", "application/json");
    common[META.thread] = thread;
    if (title) common[META.title] = title;
    const sender = asText(message.sender);
    if (sender) common[META.speaker] = sender;
    const attachments = asObjects(message.attachments);
    const names = [...attachments, ...asObjects(message.files)]
      .map((part) => {
        const name = asText(part.file_name);
        return name && typeof part.file_size === "number"
          ? `${name} (${part.file_size} bytes)`
          : name;
      })
      .filter((name) => name !== undefined);
    const time = timestampOf(timestamp, file.lastModified);
    const text = messageText(message);
    if (text.trim() !== "") {
      const metadata: Record<string, string> = { ...common, [META.externalId]: id };
      const parent = asText(message.parent_message_uuid);
      const replyTo = parent === NO_PARENT ? undefined : (parent ?? previousId);
      if (replyTo) metadata[META.replyTo] = replyTo;
      if (names.length > 0) metadata.attachments = names.join(", ");
      yield { text, ...time, metadata, locator: `${locator}/${id}` };
      previousId = id;
    }
    for (const [part, attachment] of attachments.entries()) {
      const extracted = asText(attachment.extracted_content);
      if (!extracted) continue;
      const partId = `${id}/attachment-${part + 1}`;
      const metadata: Record<string, string> = {
        ...common,
        [META.externalId]: partId,
        [META.replyTo]: id,
      };
      const name = asText(attachment.file_name);
      if (name) metadata[META.title] = name;
      yield { text: extracted, ...time, metadata, locator: `${locator}/${partId}` };
    }
  }
}
