/** Which parts of a text are not its own words: quotes and signature, where it is a mail or a message. */

import type { ContentKind } from "../../model/memory.ts";
import { quotedSpans, signatureSpan } from "../content/quoted-text.ts";
import type { Span } from "../content/segmentation.ts";

/** Kinds in which a line that starts with ">" is no quote of a message. */
const WITHOUT_QUOTES: ReadonlySet<ContentKind> = new Set(["code", "log", "data", "markdown"]);

/** Quotes and signature of a text; none where its kind has no such thing. */
export function foreignSpans(text: string, kind: ContentKind | undefined): Span[] {
  if (kind !== undefined && WITHOUT_QUOTES.has(kind)) return [];
  const signature = signatureSpan(text);
  return [...quotedSpans(text), ...(signature ? [signature] : [])];
}
