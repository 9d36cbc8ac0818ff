/**
 * The SDK: what `import … from "llm-compression"` gives, in Node and in the browser alike.
 *
 * To open a store use `llm-compression/node` or `llm-compression/browser`; to bring a platform of
 * your own, implement the ports and call `createEngine`.
 */

export { createEngine, type EnginePorts } from "./create-engine.ts";
export type * from "./engine.ts";
export {
  AppError,
  ERROR_CODES,
  EXIT_CODE,
  fromWireError,
  HTTP_STATUS,
  isAbortError,
  toWireError,
} from "./errors.ts";
export { VERSION } from "./model/version.ts";

export { createMemoryId, isMemoryId } from "./model/id.ts";
export {
  CONTENT_KINDS,
  ENTITY_TYPES,
  META,
  type CompressionMode,
  type ContentKind,
  type Entity,
  type EntityType,
  type KeepLevel,
  type MemoryInput,
  type MemoryPatch,
  type QualityVector,
  type Ratios,
} from "./model/memory.ts";
export type * from "./model/query.ts";
export type * from "./model/embeddings-buffer.ts";
export type * from "./model/language-model.ts";
export { httpCatalogue } from "./model/http-models.ts";
export { TaskControl, type Progress, type TaskOptions } from "./model/task-control.ts";
export {
  cosineSimilarity,
  dequantizeVector,
  EMBEDDING_DIMENSIONS,
  quantizeVector,
  type QuantizedVector,
} from "./model/vector.ts";

export { systemClock, type Clock } from "./ports/clock.ts";
export type * from "./ports/compute.ts";
export type * from "./ports/embedder.ts";
export type * from "./ports/file-store.ts";
export type * from "./ports/language-model.ts";
export type * from "./ports/sql.ts";

export { LLMCompressor } from "./processing/compression/compressor.ts";
export { decodeContainer, encodeContainer } from "./processing/compression/container.ts";
export { EntityExtractor } from "./processing/compression/entities.ts";
export { QualityEvaluator } from "./processing/compression/quality.ts";
export { Reconstructor } from "./processing/compression/reconstructor.ts";
export { SummaryGenerator } from "./processing/compression/summary.ts";

export { CostLedger } from "./processing/language/cost/cost-ledger.ts";
export { LanguageSummaryWriter } from "./processing/language/language-summary-writer.ts";
export { ModelProfiler } from "./processing/language/selection/model-profiler.ts";
export { ModelRouter } from "./processing/language/selection/model-router.ts";
export { ModelSelector } from "./processing/language/selection/model-selector.ts";

export { quantize, Quantizer } from "./quantization/quantizer.ts";
export { GptqCalibrator } from "./quantization/gptq-calibrator.ts";
export type { GptqOptions } from "./quantization/gptq.ts";
export type { QuantizeOptions, QuantizeResult } from "./quantization/quantizer.ts";
export type { QuantizeSettings } from "./quantization/quantize-settings.ts";
export type * from "./quantization/report.ts";
export { recommendSchemes } from "./quantization/recommend.ts";
export { quantizeTensor, dequantizeTensor } from "./quantization/round-to-nearest.ts";
export { cpuKernels } from "./quantization/kernels/cpu-kernels.ts";
export type { CpuKernels, QuantizationKernels } from "./quantization/kernels/kernels.ts";
export { layerError } from "./quantization/layer-error.ts";
export { blobSource, bytesSource, type ByteSource } from "./quantization/tensors/byte-source.ts";
export { openSafetensors } from "./quantization/tensors/safetensors.ts";
export { openPackage, unpackTensor } from "./quantization/package/package-reader.ts";

export { ArrowStorage } from "./storage/arrow-storage.ts";
export { loadZstd, type Zstd } from "./storage/zstd.ts";
export { decodeEnvelope, encodeEnvelope } from "./storage/envelope.ts";
export type * from "./storage/memory-store.ts";

export { SemanticIndex } from "./search/semantic-index.ts";
export { VectorSearch } from "./search/vector-index.ts";
export { scannersFor, VectorPool } from "./search/vector-pool.ts";
export type * from "./search/vector-pool-options.ts";

export { ConnectionLearner } from "./cognitive/connection-learner.ts";
export { NetworkNavigator } from "./cognitive/navigator.ts";

export { createRoutes, type RouteOptions } from "./application/http/routes.ts";
export { loopbackGuard } from "./application/http/loopback-guard.ts";

export { MemoryFileStore, MemoryVolume } from "./platform/memory/memory-file-store.ts";
export { LLMClient } from "./processing/language/client.ts";
export { createHttpSources } from "./processing/language/http-model-source.ts";
