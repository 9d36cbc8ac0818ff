/** What a quantization did, as data and as Markdown. Every figure is computed from what was written. */

import type { LayerError } from "./layer-error.ts";
import type { QuantizationScheme } from "./quantized-tensor.ts";
import type { RetrievalQuality, VectorQuality } from "./validation.ts";

export interface TensorReport {
  name: string;
  shape: readonly number[];
  /** Null: kept in float32. */
  scheme: QuantizationScheme | null;
  method: "gptq" | "round-to-nearest" | "none";
  /** In the source file. */
  originalBytes: number;
  /** Codes, scales and zero points. */
  packedBytes: number;
  error: LayerError | null;
}

export interface QuantizationReport {
  model: string;
  settings: Record<string, string | number | boolean>;
  tensors: readonly TensorReport[];
  sizes: {
    sourceBytes: number;
    /** The same values at two bytes each: what "times smaller" is counted against. */
    halfPrecisionBytes: number;
    /** Codes, scales, zero points, and the tensors kept in float32. */
    packedBytes: number;
    /** The Parquet package, after ZSTD. */
    packageBytes: number;
    /** The runnable network; null where none could be built. */
    networkBytes: number | null;
  };
  /** Of the encoder's linear layers (without an encoder: of all matrices in few bits), scales included; null when there are none. */
  bitsPerWeight: number | null;
  /** Why there is no network, in plain words. */
  networkReason: string | null;
  quality: VectorQuality | null;
  retrieval: RetrievalQuality | null;
  /** What computed: the kernels' description. */
  computedBy: string;
  elapsedMs: number;
}

/** The report as a page of text. */
export function reportMarkdown(report: QuantizationReport): string {
  const { sizes, quality, retrieval } = report;
  const lines = [
    `# ${report.model}, quantized`,
    "",
    ...Object.entries(report.settings).map(([key, value]) => `- ${key}: ${value}`),
    "",
    "| what | bytes | of float32 | smaller than half precision |",
    "| --- | ---: | ---: | ---: |",
    sizeRow("source file", sizes.sourceBytes, sizes),
    sizeRow("codes, scales, zero points", sizes.packedBytes, sizes),
    sizeRow("package (Parquet, ZSTD)", sizes.packageBytes, sizes),
    ...(sizes.networkBytes === null ? [] : [sizeRow("network (ONNX)", sizes.networkBytes, sizes)]),
    "",
  ];
  if (report.networkReason !== null) lines.push(`No runnable network: ${report.networkReason}`, "");
  if (quality !== null)
    lines.push(
      `Sentence vectors beside the original's, ${quality.count} texts that calibration hasn't seen: ` +
        `cosine ${quality.cosineMean.toFixed(4)} in the mean, ${quality.cosineP5.toFixed(4)} at the fifth percentile` +
        (quality.top10Overlap === null
          ? "."
          : `; ${(100 * quality.top10Overlap).toFixed(1)} % of the ten nearest texts are the same.`),
      "",
    );
  if (retrieval !== null)
    lines.push(
      `Of ${retrieval.queries} texts cut in two, the first half finds the other as the nearest for ` +
        `${percent(retrieval.quantized.recall1)} (original: ${percent(retrieval.original.recall1)}), ` +
        `among the nearest ten for ${percent(retrieval.quantized.recall10)} (${percent(retrieval.original.recall10)}).`,
      "",
    );
  lines.push(
    "| tensor | shape | bits | group | method | bytes | SQNR dB | max error | noise in the output |",
    "| --- | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |",
    ...report.tensors
      .filter(({ scheme }) => scheme !== null)
      .map(({ name, shape, scheme, method, packedBytes, error }) =>
        [
          "",
          name,
          shape.join(" x "),
          scheme!.bits,
          scheme!.group,
          method,
          packedBytes,
          error?.sqnrDb?.toFixed(1) ?? "–",
          error?.maxError.toPrecision(3) ?? "–",
          error?.outputError === null || error === null
            ? "–"
            : `${(100 * error.outputError).toPrecision(2)} %`,
          "",
        ]
          .join(" | ")
          .trim(),
      ),
    "",
    `Took ${(report.elapsedMs / 1000).toFixed(1)} s, computed by ${report.computedBy}.`,
    "",
  );
  return lines.join("\n");
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function sizeRow(
  what: string,
  bytes: number,
  { sourceBytes, halfPrecisionBytes }: QuantizationReport["sizes"],
): string {
  return `| ${what} | ${bytes} | ${((100 * bytes) / sourceBytes).toFixed(1)} % | ${(halfPrecisionBytes / bytes).toFixed(2)}x |`;
}
