import { describe, expect, it } from "vitest";
import type { Entity } from "../../../../src/model/memory.ts";
import {
  joinMembers,
  quotesFoundIn,
  plainWords,
} from "../../../../src/cognitive/episodes/episode-text.ts";
import {
  decodeProvenance,
  encodeProvenance,
  gistWithout,
  traceGist,
} from "../../../../src/cognitive/episodes/provenance.ts";

const FIRST = "The roof of the boathouse leaks again. Tove will call the carpenter on Friday.";
const REPLY = `I can lend you a tarpaulin until then.

On 3 May 2021, Tove Lind wrote:
> The roof of the boathouse leaks again. Tove will call
> the carpenter on Friday.
`;

const member = (id: string, text: string, speaker: string) => ({
  id,
  text,
  speaker,
  mayQuote: true,
});

describe("the text of an episode", () => {
  it("says who speaks and leaves out what is only quoted from another member", () => {
    const { text, spans } = joinMembers([
      member("a", FIRST, "Tove Lind <tove@example.org>"),
      member("b", REPLY, "Aksel"),
      member("c", "Thanks, Saturday is fine.", "Tove Lind"),
    ]);
    expect(text).toBe(
      `Tove Lind: ${FIRST}\nAksel: I can lend you a tarpaulin until then.\nTove Lind: Thanks, Saturday is fine.`,
    );
    expect(spans.map(({ start, end }) => text.slice(start, end))[0]).toBe(FIRST);
  });

  it("keeps a quote that no member says", () => {
    expect(quotesFoundIn(REPLY, [plainWords("Something else entirely was written here.")])).toEqual(
      [],
    );
    expect(quotesFoundIn(REPLY, [plainWords(FIRST)])).toHaveLength(1);
    expect(joinMembers([member("b", REPLY, "Aksel")]).text).toContain("boathouse");
  });
});

describe("a gist without a member", () => {
  const members = [
    { id: "a", text: FIRST },
    { id: "b", text: "Aksel lends a tarpaulin. Tove will call the carpenter on Friday." },
  ];
  const gist =
    "Tove Lind: The roof of the boathouse leaks again. Tove will call the carpenter on Friday. Aksel: Aksel lends a tarpaulin. They all look forward to summer.";
  const entities = [
    { text: "Aksel", type: "person" as const, confidence: 1 },
    { text: "boathouse", type: "place" as const, confidence: 1 },
  ];

  it("keeps only what somebody else says, and names that are left", () => {
    const provenance = traceGist(gist, members);
    expect(provenance).toEqual([["a"], ["a", "b"], ["b"], []]);
    const left = gistWithout({ text: gist, entities, provenance }, new Set(["a"]), [members[1]!]);
    expect(left.text).toBe(
      "Tove will call the carpenter on Friday. Aksel: Aksel lends a tarpaulin.",
    );
    expect(left.entities.map(({ text }) => text)).toEqual(["Aksel"]);
    expect(left.provenance).toEqual([["b"], ["b"]]);
  });

  const chat = [
    { id: "a", text: "I moved to Ghent last week" },
    { id: "b", text: "I sold the boat to Ilse" },
    { id: "c", text: "See you at the station" },
    { id: "d", text: "Bring the blue kettle" },
  ];
  const asked: [string, string][] = [
    [
      "messages without end marks",
      "Anna: I moved to Ghent last week\nBob: I sold the boat to Ilse\nCarl: See you at the station\nDora: Bring the blue kettle",
    ],
    [
      "messages in one line",
      "I moved to Ghent last week. I sold the boat to Ilse. See you at the station. Bring the blue kettle.",
    ],
  ];
  for (const [name, text] of asked)
    it(`loses one after the other, and nobody else's words: ${name}`, () => {
      let left = { text, entities: [] as Entity[], provenance: traceGist(text, chat) };
      const gone = new Set<string>();
      for (const id of ["c", "a", "d", "b"]) {
        gone.add(id);
        const remaining = chat.filter((member) => !gone.has(member.id));
        left = gistWithout(left, new Set([id]), remaining);
        for (const member of chat)
          expect(left.text.includes(member.text)).toBe(!gone.has(member.id));
        expect(left.provenance).toHaveLength(remaining.length);
      }
    });

  it("is traced anew where its provenance is that of another text, and loses what nobody left says", () => {
    const text =
      "Anna: I moved to Ghent last week Bob: I sold the boat to Ilse.\nSee you at the station.";
    const stored = { text, entities: [], provenance: [["a"], ["b"], ["c"]] };
    const left = gistWithout(stored, new Set(["b"]), [chat[0]!, chat[2]!]);
    expect(left.text).toBe("See you at the station.");
    expect(left.provenance).toEqual([["c"]]);
  });

  it("loses everything when its provenance is unknown or damaged", () => {
    const provenance = decodeProvenance("not json");
    expect(gistWithout({ text: gist, entities, provenance }, new Set(["a"]), []).text).toBe("");
    const known = traceGist(gist, members);
    expect(decodeProvenance(encodeProvenance(known))).toEqual(known);
  });
});
