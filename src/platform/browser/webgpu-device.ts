/** The graphics processor through WebGPU; beyond its core features nothing is needed. */

import type { GpuProvider } from "../../ports/compute.ts";

export const webGpu: GpuProvider = {
  async request(features = []) {
    const { gpu } = navigator as { gpu?: GPU };
    if (!gpu) return { unavailable: "This browser has no WebGPU." };
    try {
      const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
      if (!adapter) return { unavailable: "There is no usable graphics processor." };
      const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
      const device = await adapter.requestDevice({
        requiredFeatures: features.filter((feature) => adapter.features.has(feature)),
        requiredLimits: { maxBufferSize, maxStorageBufferBindingSize },
      });
      const { vendor, architecture, description } = adapter.info;
      return {
        device,
        name: description || [vendor, architecture].filter(Boolean).join(" ") || "WebGPU",
      };
    } catch (error) {
      return {
        unavailable: `WebGPU can't be used: ${error instanceof Error ? error.message : String(error)}`,
      };
    }
  },
};
