import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FileNames, safeSegment } from "../../../../src/application/cli/file-names.ts";

const ID = "018f6a3e-7c1b-7d10-9a52-2f6d1b0c4e11";

describe("names of output files", () => {
  it("keep the source's own path", () => {
    expect(new FileNames(".llmc").next("mails/2024/1.eml", ID)).toBe("mails/2024/1.eml.llmc");
  });

  it.each([
    ["../../etc/passwd", "_/_/etc/passwd.llmc"],
    ["/etc/passwd", "etc/passwd.llmc"],
    ["C:\\notes\\a.txt", "C_/notes/a.txt.llmc"],
    ["con.txt", "_con.txt.llmc"],
    ["a\u0000b\nc", "a_b_c.llmc"],
    [".hidden", "_.hidden.llmc"],
    ["-rf", "_-rf.llmc"],
    ["", "item.llmc"],
    ["x.llmc/y", "x.llmc_/y.llmc"],
  ])("make %j safe", (source, path) => {
    expect(new FileNames(".llmc").next(source, ID)).toBe(path);
  });

  it("tell items of one source apart by their ids, also where only the case differs", () => {
    const names = new FileNames(".llmc");
    expect(names.next("inbox.mbox", ID)).toBe("inbox.mbox.llmc");
    expect(names.next("Inbox.mbox", ID)).toBe("Inbox.mbox-2f6d1b0c4e11.llmc");
    expect(names.next("inbox.mbox", ID)).toBe(`inbox.mbox-${ID}.llmc`);
    expect(names.next("inbox.mbox", ID)).toBe(`inbox.mbox-${ID}-2.llmc`);
  });

  it("are safe and never the same, whatever the sources are called", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "binary", maxLength: 300 }), { maxLength: 20 }),
        (sources) => {
          const names = new FileNames(".llmc");
          const paths = sources.map((source) => names.next(source, ID));
          expect(new Set(paths.map((path) => path.toLowerCase())).size).toBe(paths.length);
          for (const path of paths)
            for (const segment of path.split("/")) {
              expect(segment).not.toMatch(/^\.{0,2}$|[\u0000-\u001f\\:*?"<>|]/u);
              expect(new TextEncoder().encode(segment).length).toBeLessThanOrEqual(255);
              expect(segment.isWellFormed()).toBe(true);
            }
        },
      ),
    );
  });

  it("cut a long segment between characters", () => {
    expect(safeSegment("ä".repeat(200))).toBe("ä".repeat(90));
  });
});
