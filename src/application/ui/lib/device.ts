/** What this device and browser offer to models that run in them, asked once. */

import type { Device } from "./language-words.ts";

interface GpuNavigator {
  gpu?: { requestAdapter(): Promise<{ features: { has(name: string): boolean } } | null> };
  deviceMemory?: number;
}

let known: Promise<Device> | null = null;

export function thisDevice(): Promise<Device> {
  known ??= look();
  return known;
}

async function look(): Promise<Device> {
  const { gpu, deviceMemory } = navigator as unknown as GpuNavigator;
  const memoryBytes = deviceMemory === undefined ? null : deviceMemory * 1024 ** 3;
  if (!gpu) return { webgpu: false, shaderF16: false, memoryBytes };
  try {
    const adapter = await gpu.requestAdapter();
    return {
      webgpu: adapter !== null,
      shaderF16: adapter?.features.has("shader-f16") ?? false,
      memoryBytes,
    };
  } catch {
    return { webgpu: null, shaderF16: null, memoryBytes };
  }
}
