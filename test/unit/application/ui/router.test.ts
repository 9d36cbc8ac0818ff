import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { href, parseRoute } from "../../../../src/application/ui/lib/router.ts";

describe("addresses", () => {
  it("leads home from nothing", () => {
    expect(parseRoute("").page).toBe("home");
    expect(parseRoute("#/").page).toBe("home");
    expect(href("home")).toBe("#/");
  });

  it("names an unknown page instead of guessing", () => {
    expect(parseRoute("#/nowhere").page).toBe("unknown");
    expect(parseRoute("#/memory").page).toBe("unknown");
  });

  it("leaves out empty parameters", () => {
    expect(href("search", { params: { q: "ledger", speaker: undefined, kind: "" } })).toBe(
      "#/search?q=ledger",
    );
  });

  it("reads back every id and question it wrote", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", minLength: 1 }).filter((text) => text.isWellFormed()),
        fc.string({ unit: "binary", minLength: 1 }).filter((text) => text.isWellFormed()),
        (id, q) => {
          const route = parseRoute(href("memory", { id, params: { q } }));
          expect(route.page).toBe("memory");
          expect(route.id).toBe(id);
          expect(route.params.get("q")).toBe(q);
        },
      ),
    );
  });

  it("lets a page about one thing carry its id, and go without where that means all", () => {
    expect(parseRoute("#/episodes/e1")).toMatchObject({ page: "episodes", id: "e1" });
    expect(parseRoute("#/episodes")).toMatchObject({ page: "episodes", id: null });
    expect(parseRoute("#/compare/m1?view=judge")).toMatchObject({ page: "compare", id: "m1" });
    expect(parseRoute("#/models/x")).toMatchObject({ page: "models", id: null });
  });

  it("doesn't fail on a damaged escape", () => {
    expect(parseRoute("#/memory/%E0%A4%A").id).toBe("%E0%A4%A");
  });
});
