/**
 * Several segments → one, in one pass over their terms, without the documents that are gone. In steps:
 * between them a caller may let others run, or wait for the bytes that a step asks for.
 */

import { GroupCursor, type Segment } from "./segment.ts";
import { SegmentWriter, type SegmentDocuments } from "./segment-writer.ts";
import { appendList, emptyList } from "./posting-codec.ts";
import { lengthOf } from "./norms.ts";
import { wait, type Steps } from "./steps.ts";

export interface MergeInput {
  segment: Segment;
  /** New number per document; −1 for those that are gone. Ascending over all inputs. */
  renumber: Int32Array;
}

/** Terms between two steps. */
const STEP_TERMS = 64;

interface Head {
  input: MergeInput;
  cursor: GroupCursor;
  group: number;
}

/** Writes the merged segment through `emit`. */
export function* mergeSegments(
  inputs: readonly MergeInput[],
  emit: (bytes: Uint8Array) => void,
): Steps<void> {
  const writer = new SegmentWriter(yield* mergeDocuments(inputs), emit);
  const heads: Head[] = [];
  for (const input of inputs) {
    const head = { input, cursor: new GroupCursor(input.segment), group: -1 };
    if (yield* openNext(head)) heads.push(head);
  }
  const list = emptyList();
  const same: Head[] = [];
  for (let steps = 1; heads.length > 0; steps++) {
    smallest(heads, same);
    list.count = 0;
    for (const { input, cursor } of same) {
      const size = cursor.docBytes + cursor.positionBytes;
      // What is in memory costs no generator of its own: this is done for every term of every segment.
      const range = input.segment.source.span(cursor.listAt, size);
      const span = range instanceof Promise ? yield* wait(range) : range;
      appendList(span.bytes, span.at, cursor.docBytes, cursor.count, input.renumber, list);
    }
    const { term, size } = same[0]!.cursor;
    if (list.count > 0) writer.add(term, 0, size, list);
    for (const head of same)
      if (!head.cursor.next() && !(yield* openNext(head))) heads.splice(heads.indexOf(head), 1);
    if (steps % STEP_TERMS === 0) yield undefined;
  }
  writer.finish();
}

/** Goes to the first term of the next group; false when there is none. */
function* openNext(head: Head): Steps<boolean> {
  do {
    if (++head.group >= head.input.segment.groups) return false;
    const opened = head.cursor.open(head.group);
    if (opened !== undefined) yield opened;
  } while (!head.cursor.next());
  return true;
}

/** The heads that stand at the smallest term, in the order of their documents. */
function smallest(heads: readonly Head[], same: Head[]): void {
  same.length = 0;
  for (const head of heads) {
    if (same.length === 0) {
      same.push(head);
      continue;
    }
    const order = compareCursors(head.cursor, same[0]!.cursor);
    if (order > 0) continue;
    if (order < 0) same.length = 0;
    same.push(head);
  }
}

function compareCursors(a: GroupCursor, b: GroupCursor): number {
  const length = Math.min(a.size, b.size);
  for (let i = 0; i < length; i++) {
    const difference = a.term[i]! - b.term[i]!;
    if (difference !== 0) return difference;
  }
  return a.size - b.size;
}

function* mergeDocuments(inputs: readonly MergeInput[]): Steps<SegmentDocuments> {
  let count = 0;
  for (const { renumber } of inputs) for (const doc of renumber) if (doc >= 0) count++;
  const norms = new Uint8Array(count);
  const ordinals = new Uint32Array(count);
  let tokens = 0;
  let at = 0;
  for (const { segment, renumber } of inputs) {
    const own = yield* wait(segment.ordinals());
    for (let doc = 0; doc < segment.documents; doc++) {
      if (renumber[doc]! < 0) continue;
      tokens += lengthOf(segment.norms[doc]!);
      ordinals[at] = own[doc]!;
      norms[at++] = segment.norms[doc]!;
    }
  }
  return { norms, ordinals, tokens };
}
