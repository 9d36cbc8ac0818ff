/** The worker that `browser.ts` measures in. */

import { webGpu } from "../../src/platform/browser/webgpu-device.ts";
import { cpuKernels } from "../../src/quantization/kernels/cpu-kernels.ts";
import { GpuKernels } from "../../src/quantization/kernels/gpu-kernels.ts";
import { GPU_FEATURES } from "../../src/quantization/kernels/gpu-runner.ts";
import { measureKernels, type KernelRow } from "./measure.ts";

export type KernelReport = { rows: KernelRow[]; skipped: string | null } | { failed: string };

async function report(rounds: number): Promise<KernelReport> {
  const cpu = await cpuKernels();
  const rows = await measureKernels(cpu, rounds);
  const got = await webGpu.request(GPU_FEATURES);
  if ("unavailable" in got) return { rows, skipped: got.unavailable };
  const gpu = await GpuKernels.create(got.device, { name: got.name, cpu });
  rows.push(...(await measureKernels(gpu, rounds)));
  return { rows, skipped: null };
}

self.onmessage = async ({ data }: MessageEvent<{ rounds: number }>) => {
  try {
    self.postMessage(await report(data.rounds));
  } catch (error) {
    self.postMessage({ failed: String(error) } satisfies KernelReport);
  }
};
