/**
 * What search knows of each memory beside its words and its vector, as bytes: who is named where, which
 * memories ask something, and the mark that tells whether a memory is indexed as it is now. Kept as
 * derived data, so that opening a store reads no text.
 *
 * Bytes: magic, version u16, then sections (u32 length, bytes): names of types, marks u32 by ordinal, bits
 * of those that ask, entity texts, their lengths u32 in UTF-16 units, their types u8, counts u32 and
 * ordinals u32 of who names them. Little-endian. The file around it has the checksum.
 */

import { ENTITY_TYPES, type EntityType } from "../model/memory.ts";
import { ByteReader, ByteWriter } from "../storage/bytes.ts";
import { EntityTable } from "./entity-table.ts";
import { OrdinalList } from "./ordinal-list.ts";
import { OrdinalSet } from "./ordinal-set.ts";

const MAGIC = 0x53494c4c; // "LLIS"
const VERSION = 1;

export interface IndexState {
  /** By ordinal: `documentMark`; 0 for one that is not indexed. */
  marks: Uint32Array;
  /** Memories whose text ends in a question. */
  asks: OrdinalSet;
  entities: EntityTable;
}

export function encodeIndexState({ marks, asks, entities }: IndexState): Uint8Array {
  const records = [...entities.records()];
  const ordinals = records.flatMap((record) => [...record.ordinals]);
  const writer = new ByteWriter().u32(MAGIC).u16(VERSION);
  for (const section of [
    new TextEncoder().encode(ENTITY_TYPES.join("\n")),
    bytesOf(marks),
    bytesOf(asks.words),
    new TextEncoder().encode(records.map(({ text }) => text.toWellFormed()).join("")),
    bytesOf(Uint32Array.from(records, ({ text }) => text.length)),
    Uint8Array.from(records, ({ type }) => ENTITY_TYPES.indexOf(type)),
    bytesOf(Uint32Array.from(records, (record) => record.ordinals.size)),
    bytesOf(Uint32Array.from(ordinals)),
  ])
    writer.u32(section.length).bytes(section);
  return writer.finish();
}

/** Null for bytes of another version, or that make no sense. */
export function decodeIndexState(bytes: Uint8Array): IndexState | null {
  try {
    const reader = new ByteReader(bytes, "search state");
    if (reader.u32() !== MAGIC || reader.u16() !== VERSION) return null;
    const section = (): Uint8Array => reader.bytes(reader.u32());
    const types = decodeText(section()).split("\n") as EntityType[];
    const marks = wordsOf(section());
    const asks = OrdinalSet.ofWords(wordsOf(section()));
    const texts = decodeText(section());
    const lengths = wordsOf(section());
    const typeOf = section();
    const counts = wordsOf(section());
    const ordinals = wordsOf(section());
    if (typeOf.length !== lengths.length || counts.length !== lengths.length) return null;
    const entities = new EntityTable();
    entities.reserve(marks.length);
    let textAt = 0;
    let ordinalAt = 0;
    for (let i = 0; i < lengths.length; i++) {
      const text = texts.slice(textAt, (textAt += lengths[i]!));
      const named = Array.from(ordinals.subarray(ordinalAt, (ordinalAt += counts[i]!)));
      const type = types[typeOf[i]!];
      const isRising = named.every((ordinal, at) => at === 0 || ordinal > named[at - 1]!);
      if (type === undefined || !isRising || (named.at(-1) ?? 0) >= marks.length) return null;
      entities.restore({ text, type, ordinals: new OrdinalList(named) });
    }
    const isWhole =
      textAt === texts.length && ordinalAt === ordinals.length && entities.size === lengths.length;
    return isWhole ? { marks, asks, entities } : null;
  } catch {
    return null;
  }
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

/** A copy: the section may lie at any address. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.slice().buffer);
}

function decodeText(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}
