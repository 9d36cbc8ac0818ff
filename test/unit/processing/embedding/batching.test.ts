import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packBatch, planBatches } from "../../../../src/processing/embedding/batching.ts";

describe("planBatches", () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 256 }), { maxLength: 200 });

  it("puts every text with tokens into exactly one batch, within the limits", () => {
    fc.assert(
      fc.property(
        lengths,
        fc.integer({ min: 1, max: 1024 }),
        fc.integer({ min: 1, max: 64 }),
        (rows, maxTokens, maxRows) => {
          const batches = planBatches(rows, { maxTokens, maxRows });
          const planned = batches.flat().sort((a, b) => a - b);
          expect(planned).toEqual(rows.flatMap((length, index) => (length > 0 ? [index] : [])));
          for (const batch of batches) {
            const longest = Math.max(...batch.map((index) => rows[index]!));
            expect(batch.length).toBeLessThanOrEqual(maxRows);
            if (batch.length > 1) expect(batch.length * longest).toBeLessThanOrEqual(maxTokens);
          }
        },
      ),
    );
  });

  it("wastes little on padding: texts of like length share a batch", () => {
    const mixed = Array.from({ length: 400 }, (_, index) => 5 + ((index * 37) % 120));
    const padded = planBatches(mixed, { maxTokens: 256, maxRows: 32 }).reduce(
      (sum, batch) => sum + batch.length * Math.max(...batch.map((index) => mixed[index]!)),
      0,
    );
    const real = mixed.reduce((sum, length) => sum + length, 0);
    expect(padded / real).toBeLessThan(1.05);
  });
});

describe("packBatch", () => {
  it("pads on the right with mask 0", () => {
    const batch = packBatch([Int32Array.of(101, 7, 102), Int32Array.of(101, 102)]);
    expect(batch).toMatchObject({ rows: 2, columns: 3, lengths: [3, 2] });
    expect([...batch.inputIds]).toEqual([101n, 7n, 102n, 101n, 102n, 0n]);
    expect([...batch.attentionMask]).toEqual([1n, 1n, 1n, 1n, 1n, 0n]);
  });
});
