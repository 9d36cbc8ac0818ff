/** The "model" behind the stand-in servers: a text or a function of the prompt; by default it repeats what it is told. */

export interface Prompt {
  model: string;
  /** System prompts, joined. */
  system: string;
  /** The last message of the user. */
  user: string;
  messages: { role: string; content: string }[];
  maxTokens?: number | undefined;
  stop: string[];
  temperature?: number | undefined;
  /** Asked for by the protocol's own way. */
  json?: { schema?: Record<string, unknown> } | undefined;
  stream: boolean;
  /** Spent on hidden thinking before the answer, within the limit. */
  thoughtTokens?: number;
  /** Of all messages, as this model counts. */
  inputTokens: number;
}

export interface Reply {
  text: string;
  finishReason?: "stop" | "length" | "filtered";
  /** Replaces the counts; null leaves them out of the answer. */
  usage?: { inputTokens?: number; outputTokens?: number } | null;
}

export type Responder = (prompt: Prompt) => Reply | Promise<Reply>;

/** Pieces of up to eight characters that join to the text: as good as a vocabulary for counting. */
export function tokens(text: string): string[] {
  return text.match(/\s*\S{1,8}|\s+$/gu) ?? [];
}

export function countTokens(messages: readonly { content: string }[]): number {
  return messages.reduce((sum, message) => sum + tokens(message.content).length + 3, 0);
}

/** Says again what the user said; asked for JSON, a document that fits the schema. */
export const echo: Responder = ({ user, json }) => ({
  text: json ? JSON.stringify(json.schema ? fitting(json.schema) : { text: user }) : user,
});

/** The smallest document that fits a plain JSON schema. */
export function fitting(schema: Record<string, unknown>): unknown {
  const options = schema["enum"] as unknown[] | undefined;
  if (options) return options[0];
  switch (schema["type"]) {
    case "object": {
      const properties = (schema["properties"] ?? {}) as Record<string, Record<string, unknown>>;
      return Object.fromEntries(
        Object.entries(properties).map(([name, property]) => [name, fitting(property)]),
      );
    }
    case "array":
      return [fitting((schema["items"] ?? {}) as Record<string, unknown>)];
    case "integer":
    case "number":
      return 1;
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return "text";
  }
}
