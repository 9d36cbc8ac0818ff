import { describe, expect, it } from "vitest";
import { findJsonError, lineAndColumn } from "../../../../src/processing/content/json-text.ts";
import { blobBytes, bytesOf, file, fixture, parse } from "./support.ts";
import fc from "fast-check";

const read = async (name: string): Promise<string> => fixture(name).blob.text();

describe("ChatGPT exports", () => {
  it("give the current path of each conversation; a damaged one doesn't stop the rest", async () => {
    const { items, errors, formats } = await parse(fixture("chatgpt-conversations.json"));
    expect(formats).toEqual(["chatgpt-export"]);
    expect(items.map((item) => [item.metadata.speaker, item.text])).toEqual([
      ["user", "How long should the dough rest at 18 °C?"],
      ["assistant", "About ten to twelve hours. \ud800"],
    ]);
    expect(items[1]?.metadata).toMatchObject({
      thread: "conv-1",
      title: "Sourdough timing",
      external_id: "assistant-1",
      reply_to: "user-1",
      model: "gpt-4",
      kind: "chat",
    });
    expect(items[0]?.timestamp).toBe(1714557601500);
    expect(errors).toMatchObject([
      { locator: "chatgpt-conversations.json#2", code: "corrupt_data" },
    ]);
  });

  it("go on to the newest leaf when the current node is missing", async () => {
    const text = (await read("chatgpt-conversations.json")).replace(
      '"current_node": "assistant-1"',
      '"current_node": null',
    );
    const { items } = await parse(file("conversations.json", text));
    expect(items.at(-1)?.metadata.external_id).toBe("assistant-1");
  });
});

describe("Claude exports", () => {
  it("give text blocks, speakers, replies and the text of attachments", async () => {
    const { items, errors, formats } = await parse(fixture("claude-conversations.json"));
    expect(formats).toEqual(["claude-export"]);
    expect(errors).toEqual([]);
    expect(items.map((item) => [item.metadata.speaker, item.text])).toEqual([
      ["human", "Where do the tomatoes go?"],
      ["human", "Bed 1: south wall, full sun."],
      ["assistant", "Along the south wall.\n\nLeave 60 cm between plants."],
    ]);
    expect(items[0]?.metadata.attachments).toBe("beds.txt (31 bytes), photo.jpg");
    expect(items[1]?.metadata.title).toBe("beds.txt");
    expect(items[2]?.metadata.reply_to).toBe("m-1");
    expect(items[2]?.timestamp).toBe(Date.parse("2024-03-01T09:00:40Z"));
  });
});

describe("other JSON", () => {
  it("calls turns of a conversation chat, and passages of a speech or an article prose", async () => {
    const passage =
      "The harbour had been closed since the storm of the eleventh, and those who knew it best held that it would " +
      "not open again before the spring, when the ice that lay between the two moles had gone out to sea. Until " +
      "then whatever the town needed, from flour to lamp oil, had to be carried over the pass by sledge, which " +
      "took the better part of two days and cost more than most of its people earned in the same time.";
    const chatter =
      "Oh no! That's bad. When did it close? I was there on Friday. It was fine! ".repeat(8);
    const lines = [
      { speaker: "Ingrid Solheim", thread: "report", text: passage },
      { speaker: "Ingrid Solheim", thread: "report", text: "It opens in May." },
      { speaker: "Ann", thread: "family", text: chatter },
      { role: "assistant", text: passage },
      { text: passage },
    ].map((line) => JSON.stringify(line));
    const { items } = await parse(file("records.jsonl", lines.join("\n")));
    expect(items.map((item) => item.metadata.kind)).toEqual([
      "prose",
      "chat",
      "chat",
      "chat",
      "prose",
    ]);
  });

  it("finds records with speaker and text at any depth, with times of their list", async () => {
    const { items, errors } = await parse(fixture("dialogue.json"));
    expect(errors).toEqual([]);
    expect(items.map((item) => item.text)).toEqual([
      "I went to the market on Saturday.",
      "Did you find the blue vase?",
      "My sister moved to Lund.",
    ]);
    expect(items[0]?.metadata).toMatchObject({
      speaker: "Mira",
      external_id: "D1:1",
      thread: "dialogue.json/talk-7/session_1",
    });
    expect(items[0]?.timestamp).toBe(new Date(2023, 4, 8, 13, 56).getTime());
    expect(items[2]?.metadata.thread).toBe("dialogue.json/talk-7/session_2");
    expect(items[2]?.timestamp).toBe(new Date(2023, 5, 27, 10, 37).getTime());
  });

  it("reads lists of strings, chat completions and rich text", async () => {
    expect((await parse(file("a.json", '["one","two"]'))).items.map((item) => item.text)).toEqual([
      "one",
      "two",
    ]);
    const chat = {
      messages: [
        { role: "user", content: [{ type: "text", text: "Hi" }] },
        { role: "assistant", content: "Hello" },
      ],
    };
    const { items } = await parse(file("b.json", JSON.stringify(chat)));
    expect(items.map((item) => [item.metadata.speaker, item.text])).toEqual([
      ["user", "Hi"],
      ["assistant", "Hello"],
    ]);
    const telegram = {
      name: "Ann",
      id: 7,
      messages: [
        {
          id: 1,
          date: "2024-01-02T03:04:05",
          from: "Ann",
          text: ["see ", { type: "link", text: "x.org" }, " ok"],
        },
      ],
    };
    const rich = await parse(file("result.json", JSON.stringify(telegram)));
    expect(rich.items[0]).toMatchObject({
      text: "see x.org ok",
      timestamp: new Date(2024, 0, 2, 3, 4, 5).getTime(),
    });
  });

  it("keeps unknown fields and the metadata of exported memories", async () => {
    const line = JSON.stringify({
      memory_id: "1",
      content: "Text.",
      timestamp: 1714557600000,
      metadata: { source: "a.txt", speaker: "Ann" },
      mood: "glad",
    });
    const { items, formats } = await parse(file("memories.jsonl", `${line}\n`));
    expect(formats).toEqual(["llm-compression-export"]);
    expect(items[0]).toMatchObject({
      text: "Text.",
      timestamp: 1714557600000,
      metadata: { source: "a.txt", speaker: "Ann", mood: "glad", external_id: "1" },
    });
  });

  it("keeps a record whose field only has the name of a conversation's", async () => {
    const note = '{"text":"Remember the boiler code 4711","mapping":{"a":"b"}}';
    const nodes = '{"text":"A tree of notes","mapping":{"a":{"message":{"note":"x"}}}}';
    const { items, errors } = await parse(file("notes.jsonl", `${note}\n${nodes}\n`));
    expect(errors).toEqual([]);
    expect(items.map((item) => item.text)).toEqual([
      "Remember the boiler code 4711",
      "A tree of notes",
    ]);
    expect((await parse(file("note.json", note))).items).toMatchObject([
      { text: "Remember the boiler code 4711" },
    ]);
  });

  it("keeps every text field of a record, and none twice", async () => {
    const records = [
      { text: "Short teaser", description: "The long description.", body: "the body" },
      { content: "Call with Ann", transcript: "We agreed to meet on 5 May." },
      { text: "Only once.", plainText: "Only once.", full_text: "Only once. With its end." },
      { text: "A letter", note: { body: "Written on the back." } },
      { role: "user", message: { role: "assistant", content: "Spoken inside." } },
    ];
    const { items } = await parse(file("r.json", JSON.stringify(records)));
    expect(items.map((item) => item.text)).toEqual([
      "Short teaser\n\nthe body\n\nThe long description.",
      "Call with Ann\n\nWe agreed to meet on 5 May.",
      "Only once. With its end.",
      "A letter",
      "Written on the back.",
      "Spoken inside.",
    ]);
    expect(items.at(-1)?.metadata.speaker).toBe("assistant");
  });

  it("says where records lie too deep to be read", async () => {
    const deep = `${'{"a":'.repeat(70)}{"text":"deep"}${"}".repeat(70)}`;
    const { items, errors } = await parse(file("r.json", `[{"text":"top"},${deep}]`));
    expect(items.map((item) => item.text)).toEqual(["top"]);
    expect(errors).toMatchObject([{ code: "too_large" }]);
    expect(errors[0]?.message).toMatch(/^r\.json#2\.a\.a.* more than 64 levels deep/);
    const lines = await parse(file("r.jsonl", `{"text":"top","more":${deep}}\n${deep}\n`));
    expect(lines.items.map((item) => item.text)).toEqual(["top", deep]);
    expect(lines.errors).toHaveLength(1);
  });

  it("tells threads apart by their file and by the record that holds them", async () => {
    const list = (title: string, ...texts: string[]) =>
      JSON.stringify({ title, listContent: texts.map((text) => ({ text, isChecked: false })) });
    const keep = await parse([
      file("Shopping.json", list("Shopping", "Milk", "Bread")),
      file("Packing.json", list("Packing", "Tent")),
    ]);
    const [milk, bread, tent] = keep.items.map((item) => item.metadata.thread);
    expect(milk).toBe(bread);
    expect(milk).not.toBe(tent);
    const slack = [
      { ts: "1714557600.1", text: "See these", attachments: [{ text: "One" }, { text: "Two" }] },
      { ts: "1714557700.1", text: "And this", attachments: [{ text: "Three" }] },
    ];
    const { items } = await parse(file("slack.json", JSON.stringify(slack)));
    const [, one, two, , three] = items.map((item) => item.metadata.thread);
    expect(one).toBe(two);
    expect(one).not.toBe(three);
    const lines = await parse(
      file(
        "chats.jsonl",
        '{"messages":[{"text":"a"},{"text":"b"}]}\n{"messages":[{"text":"c"}]}\n',
      ),
    );
    const [a, b, c] = lines.items.map((item) => item.metadata.thread);
    expect(a).toBe(b);
    expect(a).not.toBe(c);
  });

  it("gives sessions the dates and ids that are listed beside them", async () => {
    const question = {
      question_id: "q1",
      haystack_dates: ["2023/05/20 (Sat) 02:21", "2023/05/21 (Sun) 10:00"],
      haystack_session_ids: ["s1", "s2"],
      haystack_sessions: [
        [
          { role: "user", content: "I moved to Ghent." },
          { role: "assistant", content: "Nice." },
        ],
        [{ role: "user", content: "I got a dog." }],
      ],
    };
    for (const value of [[question], question]) {
      const { items } = await parse(file("long.json", JSON.stringify(value), 1));
      expect(items.map((item) => [item.text, item.timestamp])).toEqual([
        ["I moved to Ghent.", new Date(2023, 4, 20, 2, 21).getTime()],
        ["Nice.", new Date(2023, 4, 20, 2, 21).getTime()],
        ["I got a dog.", new Date(2023, 4, 21, 10).getTime()],
      ]);
      expect(items.map((item) => item.metadata.thread)).toEqual([
        expect.stringMatching(/s1$/),
        expect.stringMatching(/s1$/),
        expect.stringMatching(/s2$/),
      ]);
    }
  });

  it("leaves out numbers that the parser rounded", async () => {
    const text =
      '[{"id":1234567890123456789,"text":"one"},' +
      '{"id":1234567890123456790,"reply_to":1234567890123456789,"text":"two"},{"id":7,"text":"three"}]';
    const { items } = await parse(file("big.json", text));
    expect(items.map((item) => [item.metadata.external_id, item.metadata.reply_to])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
      ["7", undefined],
    ]);
  });

  it("keeps JSON without texts as data", async () => {
    const text = '{"a": [1, 2, 3]}';
    const { items } = await parse(file("n.json", text));
    expect(items).toMatchObject([{ text, metadata: { kind: "data" } }]);
  });

  it("says line and column of malformed JSON and reads what comes before", async () => {
    const broken =
      '[\n {"text": "one"},\n {"text": "two"},\n {"text" "three"},\n {"text": "four"}\n]';
    const { items, errors } = await parse(file("b.json", broken));
    expect(items.map((item) => item.text)).toEqual(["one", "two", "four"]);
    expect(errors).toHaveLength(1);
    expect(errors[0]?.message).toMatch(/unexpected "\\"" at line 4, column 10/);
    const cut = await parse(file("c.json", broken.slice(0, 30)));
    expect(cut.items.map((item) => item.text)).toEqual(["one"]);
    expect(cut.errors[0]?.message).toMatch(/ends too early at line 3/);
    const object = await parse(file("d.json", '{"a": nope}'));
    expect(object.errors[0]).toMatchObject({ code: "corrupt_data" });
    expect(object.errors[0]?.message).toMatch(/line 1, column 7/);
  });

  it("locates an error exactly where the parser refuses", () => {
    fc.assert(
      fc.property(
        fc.json(),
        fc.nat(),
        fc.constantFrom("", "}", '"', ",", "x", "\\"),
        (json, at, insert) => {
          const place = at % (json.length + 1);
          const text = json.slice(0, place) + insert + json.slice(place);
          let valid = true;
          try {
            JSON.parse(text);
          } catch {
            valid = false;
          }
          expect(findJsonError(text) === null).toBe(valid);
        },
      ),
      { numRuns: 1000 },
    );
    expect(lineAndColumn("a\nbc", 3)).toEqual({ line: 2, column: 2 });
  });

  it("is read in the encoding it is in, whole, damaged or by lines", async () => {
    const latin1 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));
    const utf16 = (text: string): Uint8Array =>
      Uint8Array.from(Buffer.from(`\ufeff${text}`, "utf16le"));
    const lines = '{"text":"café au lait"}\n{"text":"Jürgen kauft Käse für Jörg"}\n';
    const cut = `[${lines.trim().replace("\n", ",")},{"te`;
    const spoken = ["café au lait", "Jürgen kauft Käse für Jörg"];
    for (const encode of [latin1, utf16]) {
      const { items, errors } = await parse(file("x.jsonl", encode(lines)));
      expect(items.map((item) => item.text)).toEqual(spoken);
      expect(errors).toEqual([]);
      const damaged = await parse(file("x.json", encode(cut)));
      expect(damaged.items.map((item) => item.text)).toEqual(spoken);
      expect(damaged.errors).toMatchObject([{ code: "corrupt_data" }]);
    }
  });

  it("fails single lines of JSONL only", async () => {
    const text = '{"text":"a"}\n{"text":\n\n{"text":"b \\ud800"}\n"plain"\n{"n":1}\n';
    const { items, errors } = await parse(file("x.jsonl", text));
    expect(items.map((item) => item.text)).toEqual(["a", "b \ud800", "plain", '{"n":1}']);
    expect(errors).toMatchObject([{ locator: "x.jsonl:2", code: "corrupt_data" }]);
    expect(items[1]?.locator).toBe("x.jsonl:4");
  });
});

describe("chat logs", () => {
  it("of WhatsApp give speakers and times as fields, and the file by their lines", async () => {
    const source = fixture("whatsapp.txt");
    const { items, formats } = await parse(source);
    expect(formats).toEqual(["chat"]);
    expect(items.map((item) => [item.metadata.speaker, item.text])).toEqual([
      [undefined, expect.stringContaining("encrypted")],
      ["Ann", "Are you on your way?"],
      ["Ben Ode", "Yes, two more stops.\nI have the cake\nand the candles"],
      ["Ann", "Happy new year 🎉"],
    ]);
    expect(items[1]?.timestamp).toBe(new Date(2023, 11, 31, 22, 15).getTime());
    expect(items[3]?.timestamp).toBe(new Date(2024, 0, 1, 0, 1).getTime());
    expect(bytesOf(items)).toEqual(await blobBytes(source));
  });

  it("of IRC pass midnight", async () => {
    const { items, formats } = await parse(
      fixture("irc.log", new Date(2024, 4, 2, 0, 10).getTime()),
    );
    expect(formats).toEqual(["chat"]);
    expect(items.map((item) => item.metadata.speaker)).toEqual(["ann", "ben", "ann", "ben"]);
    expect(items[0]?.timestamp).toBe(new Date(2024, 4, 1, 23, 58).getTime());
    expect(items[2]?.timestamp).toBe(new Date(2024, 4, 2, 0, 2).getTime());
  });

  it("in other notations are recognised too", async () => {
    const german = "[31.12.23, 22:15:01] Ann: Kommst du?\n[31.12.23, 22:16:00] Ben: Ja.\n";
    const { items } = await parse(file("chat.txt", german));
    expect(items.map((item) => item.text)).toEqual(["Kommst du?", "Ja."]);
    expect(items[0]?.timestamp).toBe(new Date(2023, 11, 31, 22, 15, 1).getTime());
    const transcript = "Ann: Hello there.\nBen: Hi.\nAnn: How was it?\nBen: Long: very long.\n";
    const talk = await parse(file("talk.txt", transcript));
    expect(talk.items.map((item) => [item.metadata.speaker, item.text])).toEqual([
      ["Ann", "Hello there."],
      ["Ben", "Hi."],
      ["Ann", "How was it?"],
      ["Ben", "Long: very long."],
    ]);
  });

  it("are dated by all their lines: an impossible day decides, then times that go back", async () => {
    const dates = (...days: string[]): string =>
      days
        .map((day, i) => `${day}, 21:${10 + (i % 40)} - ${i % 2 ? "Ann" : "Ben"}: No. ${i}`)
        .join("\n");
    const timesOf = async (text: string): Promise<string[]> =>
      (await parse(file("chat.txt", text))).items.map(({ timestamp }) => {
        const at = new Date(timestamp!);
        return `${at.getFullYear()}-${at.getMonth() + 1}-${at.getDate()}`;
      });
    const january = Array.from({ length: 449 }, (_, i) => `1/${1 + Math.floor(i / 40)}/23`);
    const times = await timesOf(dates(...january, "1/15/23"));
    expect(times[0]).toBe("2023-1-1");
    expect(times[448]).toBe("2023-1-12");
    expect(times[449]).toBe("2023-1-15");
    expect(await timesOf(dates("11/5/23", "12/5/23", "1/6/23"))).toEqual([
      "2023-5-11",
      "2023-5-12",
      "2023-6-1",
    ]);
    expect(await timesOf(dates("11/30/22", "12/5/22", "1/2/23"))).toEqual([
      "2022-11-30",
      "2022-12-5",
      "2023-1-2",
    ]);
    expect(await timesOf(dates("23/05/13", "23/05/14"))).toEqual(["2023-5-13", "2023-5-14"]);
    expect(await timesOf(dates("13/05/23", "14/05/23"))).toEqual(["2023-5-13", "2023-5-14"]);
    expect(await timesOf(dates("13/05/23", "13/05/23"))).toEqual(["2023-5-13", "2023-5-13"]);
  });

  it("keep what nobody said apart, and messages with any line break whole", async () => {
    const text =
      "13/05/23, 21:30 - Ann: I'm off\n13/05/23, 21:31 - Carl left\n13/05/23, 21:32 - You added Dora\n" +
      "13/05/23, 21:33 - Ben: one\u2028two\n14/05/23, 08:00 - Ann: morning\n";
    const expected = [
      ["Ann", "I'm off"],
      [undefined, "Carl left"],
      [undefined, "You added Dora"],
      ["Ben", "one\u2028two"],
      ["Ann", "morning"],
    ];
    for (const written of [text, text.replaceAll("\n", "\r"), text.replaceAll("\n", "\r\n")]) {
      const source = file("chat.txt", written);
      const { items } = await parse(source);
      expect(items.map((item) => [item.metadata.speaker, item.text])).toEqual(expected);
      expect(items[1]?.timestamp).toBe(new Date(2023, 4, 13, 21, 31).getTime());
      expect(bytesOf(items)).toEqual(await blobBytes(source));
    }
  });

  it("with times only pass a day when the clock goes back, and end when their file does", async () => {
    const written = new Date(2024, 4, 7, 12, 0).getTime();
    const clocks = ["18:00", "09:00", "09:05", "22:00", "08:00", "21:00", "10:00", "11:00"];
    const text = clocks.map((clock, i) => `[${clock}] <ann> No. ${i}`).join("\n");
    const { items } = await parse(file("chat.txt", text, written));
    expect(items.map((item) => new Date(item.timestamp!).getDate())).toEqual([
      4, 5, 5, 5, 6, 6, 7, 7,
    ]);
    const named = await parse(file("2024-02-28.txt", text, written));
    expect(named.items.map((item) => new Date(item.timestamp!).getDate())).toEqual([
      28, 29, 29, 29, 1, 1, 2, 2,
    ]);
  });

  it("are not seen in prose, logs and lists", async () => {
    const log = "[10:00:01] INFO: started\n[10:00:02] ERROR: stopped\n".repeat(5);
    expect((await parse(file("a.txt", log))).formats).toEqual(["log"]);
    const prose =
      "He said: no.\n\nThen a long paragraph followed, and nobody: not one: answered.\n";
    expect((await parse(file("b.txt", prose))).formats).toEqual(["text"]);
  });
});
