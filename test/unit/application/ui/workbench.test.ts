import { beforeAll, describe, expect, it } from "vitest";
import {
  barsOf,
  curveOf,
  heatMapOf,
  heatOf,
  ratioOf,
  spreadLabels,
  tensorTitle,
  variantName,
  writeCosine,
} from "../../../../src/application/ui/lib/workbench-charts.ts";
import {
  effective,
  estimateBytes,
  matchingPreset,
  obstacleFor,
  PRESETS,
  titleOf,
  toSettings,
  warningsFor,
} from "../../../../src/application/ui/lib/workbench-settings.ts";
import { ownDocuments, splitTexts } from "../../../../src/application/ui/lib/workbench-split.ts";
import { VARIANT_NAME } from "../../../../src/ports/embedder-variants.ts";
import { quantize } from "../../../../src/quantization/quantizer.ts";
import type { QuantizationReport } from "../../../../src/quantization/report.ts";
import type { SourceInfo, WorkbenchRun } from "../../../../src/quantization/workbench.ts";
import { loadZstd } from "../../../../src/storage/zstd.ts";
import { openTinyBert, TINY_CONFIG } from "../../quantization/support/tiny-bert.ts";

const [same, fast, small, smallest] = PRESETS.map(({ form }) => form) as [
  (typeof PRESETS)[0]["form"],
  (typeof PRESETS)[0]["form"],
  (typeof PRESETS)[0]["form"],
  (typeof PRESETS)[0]["form"],
];
let info: SourceInfo;
let report: QuantizationReport;

beforeAll(async () => {
  const file = await openTinyBert();
  info = {
    name: file.name,
    format: file.format,
    sizeBytes: file.sizeBytes,
    tensors: [...file.tensors.values()],
    networkReason: null,
    hasTokenizer: true,
  };
  const options = { codec: await loadZstd(), config: TINY_CONFIG };
  ({ report } = await quantize(file, toSettings(same, "tiny"), options));
});

describe("the workbench's settings", () => {
  it("know their preset again, whatever has no effect", () => {
    for (const { id, form } of PRESETS) expect(matchingPreset({ ...form })?.id).toBe(id);
    expect(matchingPreset({ ...fast, group: 64 })?.id).toBe("fast");
    expect(matchingPreset({ ...small, group: 64 })).toBeUndefined();
  });

  it("are ones that the quantizer takes", () => {
    expect(toSettings(fast, "m")).toMatchObject({ bits: 8, arithmetic: "int8", smooth: true });
    expect(toSettings(smallest, "m")).toMatchObject({ gptq: true, mixed: { bitsPerWeight: 3.3 } });
    expect(effective({ ...fast, bits: 4 })).toMatchObject({ int8: false, smooth: false });
    expect(toSettings({ ...small, bits: 32 }, "m")).toMatchObject({ bits: 32, gptq: false });
  });

  it("warn of two bits with one scale for a row or for all", () => {
    for (const group of ["tensor", "channel"] as const)
      expect(warningsFor({ ...same, bits: 2, group }).join()).toMatch(/nothing useful/);
    expect(warningsFor({ ...same, bits: 2, group: 32 }).join()).toMatch(/GPTQ/);
    expect(warningsFor(smallest)).toEqual([]);
    expect(warningsFor(same)).toEqual([]);
  });

  it("say what is missing for GPTQ", () => {
    expect(obstacleFor(small, info)).toBeNull();
    expect(obstacleFor(small, { ...info, hasTokenizer: false })).toMatch(/tokenizer\.json/);
    expect(obstacleFor(small, { ...info, networkReason: "No config." })).toMatch(/can't be run/);
    expect(obstacleFor(same, { ...info, networkReason: "No config." })).toBeNull();
  });

  it("estimate the size that comes out", () => {
    const estimate = estimateBytes(same, info.tensors);
    expect(Math.abs(estimate / report.sizes.packedBytes - 1)).toBeLessThan(0.01);
    expect(estimateBytes(smallest, info.tensors)).toBeLessThan(estimate);
  });

  it("name a run so that it can be a variant", () => {
    expect(titleOf(small)).toBe("INT4, groups of 128, GPTQ");
    for (const { form } of PRESETS) expect(variantName(titleOf(form))).toMatch(VARIANT_NAME);
    expect(variantName("…")).toBe("variant");
  });
});

describe("the workbench's pictures", () => {
  it("put every quantized matrix into the map or beside it", () => {
    const { rows, columns, others } = heatMapOf(report);
    expect(rows.map(({ name }) => name)).toEqual(["Block 1", "Block 2"]);
    expect(columns.map(({ name }) => name)).toEqual(
      ["Query", "Key", "Value", "Attention out", "Widen", "Narrow"], // prettier-ignore
    );
    expect(rows.flatMap(({ cells }) => cells)).not.toContain(null);
    expect(others.map(({ name }) => tensorTitle(name))).toEqual(["Table of words"]);
    expect(tensorTitle("model.layers.4.self_attn.q_proj.weight")).toBe("Block 5, self_attn.q_proj");
  });

  it("are darkest where most was lost", () => {
    const tensors = heatMapOf(report).rows.flatMap(({ cells }) => cells.filter((one) => one !== null)); // prettier-ignore
    const heat = heatOf("sqnr", tensors);
    const worst = tensors.reduce((a, b) => (a.error!.sqnrDb! < b.error!.sqnrDb! ? a : b));
    expect(heat(worst)).toBe(1);
    expect(Math.min(...tensors.map(heat))).toBe(0);
  });

  it("show nine tenths and 0.999 apart, and sizes from left to right", () => {
    const run = (id: string, networkBytes: number, cosineMean: number): WorkbenchRun => ({
      id,
      title: id,
      madeAt: 0,
      source: "w",
      base: null,
      files: [],
      report: {
        ...report,
        sizes: { ...report.sizes, networkBytes },
        quality: { count: 20, cosineMean, cosineP5: cosineMean, top10Overlap: null },
      },
    });
    const runs = [run("a", 24e6, 0.9996), run("b", 18e6, 0.988), run("c", 10e6, 0.93)];
    const { points, sizeTicks, qualityTicks } = curveOf(runs);
    expect(points.map(({ x }) => x)).toEqual([...points.map(({ x }) => x)].sort((a, b) => b - a));
    expect(points.map(({ y }) => y)).toEqual([...points.map(({ y }) => y)].sort((a, b) => a - b));
    for (const { x, y } of points) expect(Math.min(x, y, 1 - x, 1 - y)).toBeGreaterThan(0);
    expect(sizeTicks.length).toBeGreaterThan(2);
    expect(qualityTicks.map(({ cosine }) => writeCosine(cosine))).toEqual(
      ["0.99990", "0.9990", "0.990", "0.90"], // prettier-ignore
    );
    expect(curveOf([run("alone", 1e6, 1)]).points).toHaveLength(1);
    expect(ratioOf(runs[0]!.report)).toBeCloseTo(report.sizes.halfPrecisionBytes / 24e6);
  });

  it("keep labels apart and bars within the picture", () => {
    expect(spreadLabels([10, 12, 60], 15)).toEqual([10, 25, 60]);
    const histogram = {
      name: "w", min: -1, max: 1, from: -1, to: 1, before: [1, 4, 0], after: [0, 9, 0], codes: null, levels: null,
    }; // prettier-ignore
    for (const { before, after, x, width } of barsOf(histogram)) {
      expect(Math.max(before, after, x + width)).toBeLessThanOrEqual(1.0001);
      expect(Math.min(before, after, x)).toBeGreaterThanOrEqual(0);
    }
  });
});

describe("the workbench's text", () => {
  const paragraph = (i: number): string =>
    `The ferry number ${i} left the south pier at dawn. Its captain wrote ${i} lines in the log before noon.`;
  const letter = Array.from({ length: 12 }, (_, i) => paragraph(i)).join("\n\n");

  it("measures with documents that calibration hasn't seen", () => {
    const { calibration, heldOut } = splitTexts(ownDocuments(letter), 100);
    expect(calibration).toHaveLength(18);
    expect(heldOut).toHaveLength(6);
    expect(heldOut.filter((text) => calibration.includes(text))).toEqual([]);
    expect(heldOut[0]).toContain("number 3");
  });

  it("takes the first sentences of all documents before the second of any", () => {
    const { calibration } = splitTexts(ownDocuments(letter), 9);
    expect(calibration.every((text) => text.startsWith("The ferry"))).toBe(true);
  });

  it("cuts a single paragraph into sentences", () => {
    expect(ownDocuments(letter.replaceAll("\n\n", " "))).toHaveLength(24);
  });
});
