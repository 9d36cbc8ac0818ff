import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  filterOptions,
  integerOption,
  metadataOption,
  modeOption,
  parseOptions,
  timeOption,
  toFilter,
} from "../../../../src/application/cli/options.ts";
import { AppError } from "../../../../src/errors.ts";

function failure(run: () => unknown): AppError {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("numbers", () => {
  const schema = z.object({ topK: integerOption(1, 1000) });

  it.each([
    ["1", 1],
    ["1000", 1000],
    ["007", 7],
  ])("takes %s", (text, value) => {
    expect(parseOptions(schema, { topK: text })).toEqual({ topK: value });
  });

  it.each(["0", "1001", "ten", "1.5", "-1", "", "1e3", "99999999999999999999"])(
    "refuses %j, naming the option and the range",
    (text) => {
      const error = failure(() => parseOptions(schema, { topK: text }));
      expect(error.code).toBe("invalid_input");
      expect(error.message).toBe("--top-k: must be a whole number from 1 to 1,000");
    },
  );
});

describe("times", () => {
  it.each([
    ["2024", Date.UTC(2024, 0, 1)],
    ["2024-05", Date.UTC(2024, 4, 1)],
    ["2024-05-01", Date.UTC(2024, 4, 1)],
    ["2024-05-01T10:30:00Z", Date.UTC(2024, 4, 1, 10, 30)],
    ["2024-05-01 10:30Z", Date.UTC(2024, 4, 1, 10, 30)],
    ["2024-05-01T10:30:00+02:00", Date.UTC(2024, 4, 1, 8, 30)],
  ])("reads %s", (text, ms) => {
    expect(timeOption.parse(text)).toBe(ms);
  });

  it.each(["yesterday", "2024-13-01", "2024-02-31", "01.05.2024", "", "2024-05-01T25:00Z"])(
    "refuses %j",
    (text) => {
      expect(timeOption.safeParse(text).success).toBe(false);
    },
  );
});

describe("filters", () => {
  it("are absent when no option states one", () => {
    expect(toFilter(filterOptions.parse({}))).toBeUndefined();
  });

  it("carry every option over", () => {
    const options = filterOptions.parse({
      after: "2024",
      before: "2025",
      source: ["a.mbox", "b.txt"],
      speaker: ["Ada"],
      entity: ["London"],
      kind: ["mail"],
    });
    expect(toFilter(options)).toEqual({
      after: Date.UTC(2024, 0, 1),
      before: Date.UTC(2025, 0, 1),
      sources: ["a.mbox", "b.txt"],
      speakers: ["Ada"],
      entities: ["London"],
      kinds: ["mail"],
    });
  });

  it("name the kinds there are", () => {
    const error = failure(() => parseOptions(filterOptions, { kind: ["novel"] }));
    expect(error.message).toContain("prose, chat, mail");
  });
});

describe("values", () => {
  it("name the choices of an option", () => {
    const error = failure(() => parseOptions(z.object({ mode: modeOption }), { mode: "slow" }));
    expect(error.message).toBe("--mode: must be one of fast, balanced, high");
  });

  it("name an argument without dashes", () => {
    const schema = z.object({ ids: z.array(z.string().min(1, "needs an id")) });
    const error = failure(() => parseOptions(schema, { ids: [""] }, ["ids"]));
    expect(error.message).toBe("IDS: needs an id");
  });

  it("split metadata at the first equals sign", () => {
    expect(metadataOption.parse(["formula=a=b", "empty="])).toEqual({ formula: "a=b", empty: "" });
    expect(metadataOption.safeParse(["no sign"]).success).toBe(false);
    expect(metadataOption.safeParse(["=value"]).success).toBe(false);
  });
});
