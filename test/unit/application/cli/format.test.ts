import { describe, expect, it } from "vitest";
import {
  formatBytes,
  formatDuration,
  formatPlural,
  formatRatio,
  formatSaving,
  formatTable,
  formatTime,
  truncate,
} from "../../../../src/application/cli/format.ts";
import {
  createPaint,
  printable,
  toJsonLine,
  wantsColor,
} from "../../../../src/application/cli/output.ts";
import { inTimeZone } from "../../model/time-zone.ts";

describe("numbers for a person", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.00 KB"],
    [12_345, "12.3 KB"],
    [999_499, "999 KB"],
    [999_999, "1.00 MB"],
    [5_000_000_000, "5.00 GB"],
    [9e15, "9000 TB"],
  ])("%d bytes are %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it("show a ratio only where there is one", () => {
    expect(formatRatio(3.416)).toBe("3.42x");
    expect(formatRatio(0)).toBe("–");
    expect(formatRatio(Infinity)).toBe("–");
    expect(formatRatio(NaN)).toBe("–");
  });

  it("say larger where nothing was saved", () => {
    expect(formatSaving(3.416)).toBe("3.42x smaller");
    expect(formatSaving(0.5)).toBe("2.00x larger");
    expect(formatSaving(0)).toBe("–");
  });

  it("count in the singular and the plural", () => {
    expect(formatPlural(1, "memory", "memories")).toBe("1 memory");
    expect(formatPlural(12_000, "memory", "memories")).toBe("12,000 memories");
  });

  it("show times as clocks of the machine do, and a dash for none", () => {
    expect(formatTime(Date.UTC(2024, 4, 1, 10, 30))).toBe("2024-05-01 10:30");
    inTimeZone("Asia/Kolkata", () =>
      expect(formatTime(Date.UTC(2024, 4, 1, 10, 30))).toBe("2024-05-01 16:00"),
    );
    expect(formatTime(NaN)).toBe("–");
  });

  it.each([
    [12, "12 ms"],
    [1500, "1.5 s"],
    [125_000, "2 min 5 s"],
  ])("%d ms are %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe("tables", () => {
  it("align columns and cut long cells", () => {
    const table = formatTable(
      [
        { title: "name", maxWidth: 5 },
        { title: "size", align: "right" },
      ],
      [
        ["a", "1"],
        ["abcdefgh", "200000"],
      ],
    );
    expect(table).toBe("name     size\na           1\nabcd…  200000");
  });

  it("never cut a character in two", () => {
    expect(truncate("👍👍👍", 2)).toBe("👍…");
  });
});

describe("text for the terminal", () => {
  it("holds no control sequences of what is stored", () => {
    expect(printable("a\u001b[31mred\u0007 b\n\nc \u202eevil")).toBe(
      "a\ufffd[31mred\ufffd b c \ufffdevil",
    );
  });

  it("is coloured only on a terminal that wants it", () => {
    const terminal = { isTTY: true };
    expect(wantsColor({ env: {} }, terminal, undefined)).toBe(true);
    expect(wantsColor({ env: { NO_COLOR: "1" } }, terminal, undefined)).toBe(false);
    expect(wantsColor({ env: { NO_COLOR: "" } }, terminal, undefined)).toBe(true);
    expect(wantsColor({ env: { TERM: "dumb" } }, terminal, undefined)).toBe(false);
    expect(wantsColor({ env: {} }, terminal, false)).toBe(false);
    expect(wantsColor({ env: {} }, {}, undefined)).toBe(false);
    expect(createPaint(false)("bold", "x")).toBe("x");
    expect(createPaint(true)("bold", "x")).toContain("\u001b[1m");
  });

  it("writes one JSON line with bytes as base64", () => {
    expect(toJsonLine({ a: undefined, bytes: new Uint8Array([0, 255]), n: 2n })).toBe(
      '{"bytes":"AP8=","n":"2"}\n',
    );
  });
});
