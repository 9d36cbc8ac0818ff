/**
 * The two builds of ONNX Runtime Web as the browser loads them: each chunk and its wasm only when it
 * is used, from the application's own origin.
 */

import type { Env } from "onnxruntime-web";
import wasmBinaryUrl from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import wasmModuleUrl from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import webgpuBinaryUrl from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url";
import webgpuModuleUrl from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url";
import type { OrtModule } from "../../processing/embedding/onnx-session.ts";
import { keepForOffline } from "./runtime-parts.ts";

/** ONNX Runtime for WASM. The thread count holds for the life of the worker. */
export async function loadWasmRuntime(threads: number): Promise<OrtModule> {
  const ort = await import("onnxruntime-web/wasm");
  const paths = absolutePaths(wasmModuleUrl, wasmBinaryUrl);
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = paths;
  await keepForOffline([paths.mjs, paths.wasm]);
  return ort;
}

/** ONNX Runtime for WebGPU. */
export async function loadWebGpuRuntime(): Promise<OrtModule> {
  const ort = await import("onnxruntime-web/webgpu");
  const paths = absolutePaths(webgpuModuleUrl, webgpuBinaryUrl);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = paths;
  await keepForOffline([paths.mjs, paths.wasm]);
  return ort;
}

/** The runtime resolves relative paths against its own chunk, so it gets absolute ones. */
function absolutePaths(
  mjs: string,
  wasm: string,
): Env.WasmFilePaths & { mjs: string; wasm: string } {
  return { mjs: new URL(mjs, location.href).href, wasm: new URL(wasm, location.href).href };
}

/** Null when a hardware WebGPU adapter is there, else why it isn't used. */
export async function webGpuObstacle(): Promise<string | null> {
  const gpu = (navigator as { gpu?: Gpu }).gpu;
  if (!gpu) return "this browser has no WebGPU";
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (!adapter) return "there is no usable graphics processor";
  const { vendor = "", architecture = "", device = "", description = "" } = adapter.info ?? {};
  const name = [vendor, architecture, device, description].filter(Boolean).join(" ");
  if (adapter.isFallbackAdapter || adapter.info?.isFallbackAdapter || SOFTWARE.test(name))
    return `the WebGPU adapter is emulated in software (${name || "unnamed"})`;
  return null;
}

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|basic render|software/i;

/** The part of WebGPU that is asked. */
interface Gpu {
  requestAdapter(): Promise<{
    isFallbackAdapter?: boolean;
    info?: {
      vendor?: string;
      architecture?: string;
      device?: string;
      description?: string;
      isFallbackAdapter?: boolean;
    };
  } | null>;
}
