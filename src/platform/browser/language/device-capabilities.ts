/**
 * What this device can run: asked once per worker, compared with what a model needs. A model is
 * refused only for what it really needs: a library in f32 runs on an adapter without `shader-f16`,
 * also on one that is emulated in software (slowly).
 */

import type { DeviceNeeds } from "../../../model/language-model.ts";

/** The part of a WebGPU adapter that is compared. Null where the browser has no usable one. */
export interface AdapterReport {
  /** Vendor and architecture as the browser names them; may be empty. */
  name: string;
  features: ReadonlySet<string>;
  limits: Readonly<Record<keyof typeof WEBLLM_LIMITS, number>>;
}

export interface DeviceCapabilities {
  webgpu: AdapterReport | null;
  /** Why there is no adapter. */
  webgpuReason?: string;
  /** GB as the browser rounds it (at most 8); undefined where it doesn't say. */
  memoryGb?: number;
}

/** The least that WebLLM 0.2.86 asks of an adapter; below it refuses to start. */
export const WEBLLM_LIMITS = {
  maxBufferSize: 1 << 28,
  maxStorageBufferBindingSize: 1 << 27,
  maxComputeWorkgroupStorageSize: 32 << 10,
  maxStorageBuffersPerShaderStage: 10,
} as const;

interface Gpu {
  requestAdapter(options?: { powerPreference?: string }): Promise<{
    features: ReadonlySet<string>;
    limits: Record<string, number | undefined>;
    info?: { vendor?: string; architecture?: string; description?: string };
  } | null>;
}

let asked: Promise<DeviceCapabilities> | null = null;

/** Never throws; asked once, because an adapter is not free. One that wasn't there may come: asked again. */
export function readDeviceCapabilities(): Promise<DeviceCapabilities> {
  return (asked ??= ask().then((device) => {
    if (!device.webgpu) asked = null;
    return device;
  }));
}

async function ask(): Promise<DeviceCapabilities> {
  const browser = navigator as { gpu?: Gpu; deviceMemory?: number };
  const memory = browser.deviceMemory === undefined ? {} : { memoryGb: browser.deviceMemory };
  if (!browser.gpu) return { webgpu: null, webgpuReason: "This browser has no WebGPU.", ...memory };
  try {
    const adapter = await browser.gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter)
      return { webgpu: null, webgpuReason: "There is no usable graphics processor.", ...memory };
    const limit = (name: keyof typeof WEBLLM_LIMITS) => adapter.limits[name] ?? 0;
    return {
      webgpu: {
        name: [adapter.info?.vendor, adapter.info?.architecture].filter(Boolean).join(" "),
        features: new Set(adapter.features),
        limits: {
          maxBufferSize: limit("maxBufferSize"),
          maxStorageBufferBindingSize: limit("maxStorageBufferBindingSize"),
          maxComputeWorkgroupStorageSize: limit("maxComputeWorkgroupStorageSize"),
          maxStorageBuffersPerShaderStage: limit("maxStorageBuffersPerShaderStage"),
        },
      },
      ...memory,
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { webgpu: null, webgpuReason: `WebGPU could not be asked: ${reason}`, ...memory };
  }
}

/** Why a model can't run on this device, in plain words; null when it can. */
export function deviceObstacle(needs: DeviceNeeds, device: DeviceCapabilities): string | null {
  if (needs.webgpu) {
    if (!device.webgpu)
      return `${device.webgpuReason ?? "There is no WebGPU."} Take a model that runs in WebAssembly.`;
    if (needs.shaderF16 && !device.webgpu.features.has("shader-f16"))
      return "The graphics processor can't compute with 16-bit numbers (shader-f16). Take the model's f32 variant.";
    for (const [name, least] of Object.entries(WEBLLM_LIMITS)) {
      const has = device.webgpu.limits[name as keyof typeof WEBLLM_LIMITS];
      if (has < least)
        return `The graphics processor's ${name} is ${has}, and WebLLM needs ${least}. Take a model that runs in WebAssembly.`;
    }
  }
  // The browser says at most 8, and never exactly: only what can't be is refused.
  if (
    needs.memoryBytes !== undefined &&
    device.memoryGb !== undefined &&
    device.memoryGb < 8 &&
    needs.memoryBytes > device.memoryGb * 1e9
  )
    return `It needs about ${(needs.memoryBytes / 1e9).toFixed(1)} GB of memory, and this device has about ${device.memoryGb} GB. Take a smaller model.`;
  return null;
}

/** Whether a compiled library needs `shader-f16`, by the quantization in a name: "q4f16_1" does, "q4f32_1" doesn't. */
export function needsShaderF16(...names: readonly string[]): boolean {
  for (const name of names) {
    const match = /q\d+[bf](16|32)/i.exec(name);
    if (match) return match[1] === "16";
  }
  return false;
}
