import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readLines } from "../../../../src/processing/language/line-reader.ts";
import { readJsonLines } from "../../../../src/processing/language/ndjson.ts";
import { readServerSentEvents } from "../../../../src/processing/language/sse.ts";
import { TextGate } from "../../../../src/processing/language/text-gate.ts";

/** The bytes in pieces that end anywhere, also inside of a character. */
async function* chunked(text: string, cuts: number[]): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const place of [...places, bytes.length]) {
    yield bytes.slice(from, place);
    from = place;
  }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const cuts = fc.array(fc.nat(), { maxLength: 30 });
const plainText = fc
  .string({ unit: "grapheme", maxLength: 20 })
  .map((s) => s.replace(/[\r\n]/g, " "));
const lineEnd = fc.constantFrom("\n", "\r\n", "\r");

describe("lines of a byte stream", () => {
  it("are the same however the network cuts them", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(plainText, lineEnd)), cuts, async (lines, where) => {
        // A CR and an empty line's LF are one end: such pairs can't be told apart.
        const ends = lines.map(([, end]) => end);
        const ambiguous = lines.some(
          ([text], at) => at > 0 && text === "" && ends[at - 1] === "\r" && ends[at] === "\n",
        );
        fc.pre(!ambiguous && !lines.some(([text]) => text.startsWith("\uFEFF")));
        const text = lines.map(([line, end]) => line + end).join("");
        expect(await collect(readLines(chunked(text, where)))).toEqual(lines.map(([line]) => line));
      }),
    );
  });

  it("refuse one that doesn't end", async () => {
    async function* endless() {
      for (;;) yield new Uint8Array(1024 * 1024).fill(65);
    }
    await expect(collect(readLines(endless()))).rejects.toMatchObject({ code: "model_failed" });
  });
});

describe("server-sent events", () => {
  it("are the same however the network cuts them", async () => {
    const event = fc.record({
      event: fc.constantFrom("message", "content_block_delta", "ping"),
      data: fc.array(plainText, { minLength: 1, maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event), lineEnd, cuts, async (events, end, where) => {
        const text = events
          .map(({ event: name, data }) =>
            [`event: ${name}`, ": a comment", ...data.map((line) => `data: ${line}`), "", ""].join(
              end,
            ),
          )
          .join("");
        expect(await collect(readServerSentEvents(chunked(text, where)))).toEqual(
          events.map(({ event: name, data }) => ({ event: name, data: data.join("\n") })),
        );
      }),
    );
  });

  it("take fields without a space, without a value, and drop an event that was cut", async () => {
    const text = "\uFEFFdata:a\ndata\ndata: b\nid: 7\nretry: 10\n\nevent: x\n\ndata: cut";
    expect(await collect(readServerSentEvents(chunked(text, [])))).toEqual([
      { event: "message", data: "a\n\nb" },
    ]);
  });
});

describe("JSON lines", () => {
  it("are the same however the network cuts them", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue()), cuts, async (values, where) => {
        const text = values.map((value) => `${JSON.stringify(value)}\n`).join("");
        const events = await collect(readJsonLines(chunked(text, where)));
        expect(events.map(({ data }) => JSON.parse(data) as unknown)).toEqual(
          values.map((value) => JSON.parse(JSON.stringify(value)) as unknown),
        );
      }),
    );
  });
});

describe("the gate of an answer's text", () => {
  const pieces = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "#", "\n"), maxLength: 6 }));

  it("ends before the first stop sequence, however the text comes", () => {
    fc.assert(
      fc.property(
        pieces,
        fc.array(fc.string({ unit: fc.constantFrom("a", "b", "#"), minLength: 1, maxLength: 4 }), {
          maxLength: 3,
        }),
        (deltas, stop) => {
          const gate = new TextGate({ stop, maxChars: 10_000 });
          let text = "";
          for (const delta of deltas) text += gate.push(delta);
          text += gate.end();
          const whole = deltas.join("");
          // The first end that is complete wins; at one place the shortest sequence is complete first.
          const at = Math.min(
            ...stop.map((s) => whole.indexOf(s)).filter((i) => i !== -1),
            Infinity,
          );
          for (const sequence of stop) expect(text).not.toContain(sequence);
          if (at === Infinity) expect(text).toBe(whole);
          else expect(whole.startsWith(text) && gate.ended === "stop").toBe(true);
        },
      ),
    );
  });

  it("leaves out thoughts at the start, and only there", () => {
    const run = (...deltas: string[]) => {
      const gate = new TextGate({ dropThoughts: true, maxChars: 1000 });
      return deltas.map((delta) => gate.push(delta)).join("") + gate.end();
    };
    expect(run("<th", "ink>let me see <b> </thi", "nk>\n\nThe pier", " is open.")).toBe(
      "The pier is open.",
    );
    expect(run("\n<think></think>Yes")).toBe("Yes");
    expect(run("<thin", "g> is a tag")).toBe("<thing> is a tag");
    expect(run("A <think> in the middle")).toBe("A <think> in the middle");
    expect(run("<think>never ends")).toBe("");
  });

  it("ends at its limit", () => {
    const gate = new TextGate({ maxChars: 5 });
    expect(gate.push("abc") + gate.push("defg") + gate.push("h") + gate.end()).toBe("abcde");
    expect(gate.ended).toBe("length");
  });
});
