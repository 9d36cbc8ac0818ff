/**
 * Conversations of a ChatGPT data export (`conversations.json`).
 *
 * Each conversation is a tree (`mapping`); the path from its root to `current_node` is what its owner
 * last saw, edited and regenerated branches lie beside it. Of that path the messages of user and
 * assistant become items; hidden system messages, calls to tools and their raw answers don't.
 */

import { AppError } from "../../../errors.ts";
import { META } from "../../../model/memory.ts";
import { parseDateValue } from "../dates.ts";
import { baseMetadata, timestampOf, type ParsedItem, type SourceFile } from "../parsed-item.ts";

interface Message {
  id?: unknown;
  author?: { role?: unknown; name?: unknown } | null;
  create_time?: unknown;
  content?: { content_type?: unknown; parts?: unknown; text?: unknown } | null;
  recipient?: unknown;
  metadata?: { is_visually_hidden_from_conversation?: unknown; model_slug?: unknown } | null;
}

interface Node {
  id?: unknown;
  message?: Message | null;
  parent?: unknown;
  children?: unknown;
}

interface Conversation {
  id?: unknown;
  conversation_id?: unknown;
  title?: unknown;
  create_time?: unknown;
  update_time?: unknown;
  current_node?: unknown;
  mapping: Record<string, Node>;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Any record may have a `mapping`; that of a conversation has nodes with messages, or names one. */
export function isChatGptConversation(value: unknown): value is Conversation {
  if (!isObject(value) || !isObject(value.mapping)) return false;
  const nodes = Object.values(value.mapping);
  return nodes.length === 0
    ? "current_node" in value
    : nodes.some((node) => isObject(node) && isObject(node.message));
}

const asText = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

/** Node ids from the root to `current_node`, or to the newest leaf where that is missing. */
function currentPath(conversation: Conversation): string[] {
  const { mapping } = conversation;
  let at = asText(conversation.current_node);
  if (at === undefined || !mapping[at]) {
    let newest = -Infinity;
    for (const [id, node] of Object.entries(mapping)) {
      if (Array.isArray(node?.children) && node.children.length > 0) continue;
      const time = Number(node?.message?.create_time ?? 0);
      if (time >= newest) {
        newest = time;
        at = id;
      }
    }
  }
  const path: string[] = [];
  const seen = new Set<string>();
  while (at !== undefined && mapping[at] && !seen.has(at)) {
    seen.add(at);
    path.push(at);
    at = asText(mapping[at]!.parent);
  }
  return path.reverse();
}

function messageText(message: Message): string {
  const { content } = message;
  if (!content) return "";
  if (
    content.content_type === "code" ||
    content.content_type === "text" ||
    content.content_type === "multimodal_text"
  ) {
    if (Array.isArray(content.parts)) {
      const parts = content.parts.map((part: unknown) => {
        if (typeof part === "string") return part;
        // Dictated messages carry their transcript; pictures are only pointers.
        const text = (part as { text?: unknown } | null)?.text;
        return typeof text === "string" ? text : "";
      });
      return parts.filter((part) => part.trim() !== "").join("\n\n");
    }
    return asText(content.text) ?? "";
  }
  return "";
}

/**
 * The messages of one conversation, oldest first.
 *
 * @throws AppError `corrupt_data` when its tree has no path
 */
export function* chatGptMessages(
  conversation: Conversation,
  file: SourceFile,
  locator: string,
): Generator<ParsedItem> {
  const path = currentPath(conversation);
  if (path.length === 0)
    throw new AppError(
      "corrupt_data",
      `${locator}: the conversation has no messages that can be reached.`,
      {
        hint: "Request the export again; the others of this file were read.",
      },
    );
  const thread = asText(conversation.conversation_id) ?? asText(conversation.id) ?? locator;
  let previousId: string | undefined;
  let previousTime = parseDateValue(conversation.create_time);
  for (const nodeId of path) {
    const message = conversation.mapping[nodeId]!.message;
    const role = message?.author?.role;
    if (!message || (role !== "user" && role !== "assistant")) continue;
    if (message.metadata?.is_visually_hidden_from_conversation === true) continue;
    if (typeof message.recipient === "string" && message.recipient !== "all") continue;
    const text = messageText(message);
    if (text.trim() === "") continue;
    const id = asText(message.id) ?? nodeId;
    const metadata = baseMetadata(file, "chat", "application/json");
    metadata[META.speaker] = role;
    metadata[META.thread] = thread;
    metadata[META.externalId] = id;
    const title = asText(conversation.title);
    if (title) metadata[META.title] = title;
    if (previousId) metadata[META.replyTo] = previousId;
    const model = asText(message.metadata?.model_slug);
    if (model) metadata.model = model;
    const timestamp = parseDateValue(message.create_time) ?? previousTime;
    yield {
      text,
      ...timestampOf(timestamp, file.lastModified),
      metadata,
      locator: `${locator}/${id}`,
    };
    previousId = id;
    previousTime = timestamp;
  }
}
