import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { AppError, toWireError } from "../../../../src/errors.ts";
import { cellText, toCsv } from "../../../../src/application/ui/lib/csv.ts";
import { explainError } from "../../../../src/application/ui/lib/explain.ts";
import {
  markRuns,
  memoryOrigin,
  memoryTitle,
} from "../../../../src/application/ui/lib/memory-text.ts";
import { RateMeter, shareOf } from "../../../../src/application/ui/lib/rate.ts";
import {
  describeLayers,
  layerShares,
  memoryLayers,
  weakestQuality,
} from "../../../../src/application/ui/lib/strata.ts";
import { timeline } from "../../../../src/application/ui/lib/timeline.ts";

describe("strata", () => {
  const memory = {
    summary: "Übergabe",
    keep: "exact",
    storedBytes: 40,
    originalBytes: 120,
  } as const;

  it("draws real bytes on one scale", () => {
    const layers = memoryLayers(memory);
    expect(layers.map((layer) => layer.bytes)).toEqual([9, 40, 120]);
    expect(layerShares(layers)).toEqual([9 / 120, 40 / 120, 1]);
    expect(describeLayers(layers)).toBe("Summary 9 B, Stored, exact 40 B, Original 120 B");
  });

  it("shows honestly when storing costs more than the original", () => {
    const shares = layerShares(memoryLayers({ ...memory, storedBytes: 240 }));
    expect(shares[1]).toBe(1);
    expect(shares[2]).toBe(0.5);
  });

  it("colours what is kept by its level", () => {
    expect(memoryLayers({ ...memory, keep: "summary" })[1]?.tone).toBe("summary");
  });

  it("takes quality by its weakest measure, and none where nothing was measured", () => {
    const quality = {
      similarity: null,
      coverage: 0.9,
      entityRecall: 0.7,
      numberRecall: 1,
      faithfulness: 1,
    };
    expect(weakestQuality(quality)).toBe(0.7);
  });
});

describe("titles and highlights", () => {
  it("names a memory by its title, else by its first words", () => {
    expect(memoryTitle({ metadata: { title: " Minutes " }, summary: "x" })).toBe("Minutes");
    expect(memoryTitle({ metadata: {}, summary: "We met.\nIt rained." })).toBe(
      "We met. It rained.",
    );
    expect(memoryTitle({ metadata: {}, summary: "" })).toBe("Untitled");
  });

  it("says who and where", () => {
    const metadata = { speaker: "Ada", source: "mails/2024/1.eml", part: "2/3" };
    expect(memoryOrigin({ metadata })).toBe("Ada · 1.eml · 2/3");
  });

  it("never loses or repeats a character, whatever the offsets", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.array(fc.tuple(fc.integer({ min: -2, max: 20 }), fc.integer({ min: -2, max: 20 }))),
        (text, highlights) => {
          const runs = markRuns(text, highlights);
          expect(runs.map((run) => run.text).join("")).toBe(text);
        },
      ),
    );
    expect(markRuns("the ledger", [[4, 10]])).toEqual([
      { text: "the ", marked: false },
      { text: "ledger", marked: true },
    ]);
  });
});

describe("speed of a task", () => {
  it("tells nothing before it has seen enough, then speed and time left", () => {
    const meter = new RateMeter();
    meter.add(0, 0);
    expect(meter.perSecond).toBeNull();
    meter.add(50, 1000);
    expect(meter.perSecond).toBe(50);
    expect(meter.remainingMs(150)).toBe(2000);
  });

  it("tells the share by items once they are counted, by bytes read before, else nothing", () => {
    const stage = "Remembering";
    expect(shareOf({ stage, done: 64, total: null, doneBytes: 0, totalBytes: 400 })).toBeNull();
    expect(shareOf({ stage, done: 64, total: null, doneBytes: 100, totalBytes: 400 })).toBe(0.25);
    expect(shareOf({ stage, done: 64, total: 128, doneBytes: 400, totalBytes: 400 })).toBe(0.5);
    expect(shareOf({ stage, done: 0, total: 0 })).toBeNull();
  });

  it("forgets old speed and starts over with a new stage", () => {
    const meter = new RateMeter();
    meter.add(0, 0);
    meter.add(1000, 1000);
    meter.add(1010, 20_000);
    meter.add(1020, 21_000);
    expect(meter.perSecond).toBe(10);
    meter.add(0, 22_000);
    expect(meter.perSecond).toBeNull();
  });
});

describe("errors in plain words", () => {
  it("says what to do, from an error or from its wire form", () => {
    const error = new AppError("worker_lost", "The worker ended.");
    for (const form of [error, toWireError(error)]) {
      const words = explainError(form);
      expect(words.title).toBe("The engine stopped");
      expect(words.message).toBe("The worker ended.");
      expect(words.action).toBe("reload");
    }
  });

  it("prefers the hint that came with the error", () => {
    const words = explainError(
      new AppError("query_failed", "no such column", { hint: "DESCRIBE it." }),
    );
    expect(words.next).toBe("DESCRIBE it.");
  });

  it("copes with anything thrown", () => {
    expect(explainError("boom").message).toBe("boom");
    expect(explainError(null).title).toBe("That didn't work");
  });
});

describe("CSV", () => {
  it("quotes what needs it and disarms formulas", () => {
    const csv = toCsv({
      columns: [
        { name: "a", type: "VARCHAR" },
        { name: "b", type: "BIGINT" },
      ],
      rows: [
        { a: 'He said "no", twice', b: -3 },
        { a: "=1+1", b: null },
      ],
      rowCount: 2,
      truncated: false,
      elapsedMs: 1,
    });
    expect(csv).toBe('a,b\r\n"He said ""no"", twice",-3\r\n\'=1+1,\r\n');
  });

  it("writes nested values as JSON", () => {
    expect(cellText([{ text: "Ada" }])).toBe('[{"text":"Ada"}]');
    expect(cellText(undefined)).toBe("");
  });
});

describe("timeline", () => {
  it("fills months without memories with zero", () => {
    const { unit, points } = timeline([
      { value: "2024-05", count: 2 },
      { value: "2024-02", count: 1 },
    ]);
    expect(unit).toBe("month");
    expect(points.map((point) => point.count)).toEqual([1, 0, 0, 2]);
  });

  it("gathers long spans, losing none", () => {
    const months = [
      { value: "1790-01", count: 5 },
      { value: "1799-12", count: 1 },
      { value: "2021-01", count: 4 },
    ];
    const { unit, points } = timeline(months);
    expect(unit).toBe("decade");
    expect(points[0]).toEqual({ label: "1790s", count: 6 });
    expect(points.reduce((sum, point) => sum + point.count, 0)).toBe(10);
  });

  it("is empty for nothing, and skips what is no month", () => {
    expect(timeline([{ value: "unknown", count: 3 }]).points).toEqual([]);
  });
});
