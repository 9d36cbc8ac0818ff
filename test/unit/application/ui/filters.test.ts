import { describe, expect, it } from "vitest";
import {
  activeFilters,
  filterFromParams,
  withFilter,
  withoutFilter,
  withoutFilters,
  withParam,
} from "../../../../src/application/ui/lib/filters.ts";

describe("filters in an address", () => {
  it("asks for nothing when none is set", () => {
    expect(filterFromParams(new URLSearchParams("q=ledger&sort=oldest"))).toBeUndefined();
  });

  it("takes both days of a range whole, in the reader's time zone", () => {
    const filter = filterFromParams(new URLSearchParams("after=2024-05-01&before=2024-05-31"));
    expect(filter).toEqual({
      after: new Date(2024, 4, 1).getTime(),
      before: new Date(2024, 5, 1).getTime(),
    });
  });

  it("keeps years below 100 in their century", () => {
    const filter = filterFromParams(new URLSearchParams("after=0079-08-24"));
    expect(new Date(filter?.after ?? 0).getFullYear()).toBe(79);
  });

  it("drops values that the engine doesn't know", () => {
    expect(filterFromParams(new URLSearchParams("kind=poem&keep=all&after=soon"))).toBeUndefined();
    expect(filterFromParams(new URLSearchParams("kind=mail&keep=exact"))).toEqual({
      kinds: ["mail"],
      keep: ["exact"],
    });
  });

  it("adds names, replaces days, removes one or all, and leaves the question alone", () => {
    let params = new URLSearchParams("q=ledger");
    params = withFilter(params, "speaker", "Ada");
    params = withFilter(params, "speaker", "Grace");
    params = withFilter(params, "speaker", "Ada");
    params = withFilter(params, "after", "2024-01-01");
    params = withFilter(params, "after", "2024-02-01");
    expect(activeFilters(params).map((filter) => filter.label)).toEqual([
      "from: 2024-02-01",
      "speaker: Ada",
      "speaker: Grace",
    ]);
    expect(filterFromParams(withoutFilter(params, "speaker", "Ada"))?.speakers).toEqual(["Grace"]);
    expect(withoutFilters(params).toString()).toBe("q=ledger");
    expect(withParam(params, "q", "").get("q")).toBeNull();
  });
});
