/** The kernels of the workbench: those of a hardware graphics processor where there is one, else the processor's. */

import { cpuKernels } from "../../quantization/kernels/cpu-kernels.ts";
import { GpuKernels } from "../../quantization/kernels/gpu-kernels.ts";
import { GPU_FEATURES } from "../../quantization/kernels/gpu-runner.ts";
import type { QuantizationKernels } from "../../quantization/kernels/kernels.ts";
import { ResilientKernels } from "../../quantization/kernels/resilient-kernels.ts";
import { webGpuObstacle } from "./ort-runtime.ts";
import { webGpu } from "./webgpu-device.ts";

/** Never rejects for want of a graphics processor. */
export async function openKernels(): Promise<QuantizationKernels> {
  const cpu = await cpuKernels();
  // An emulated one is slower than this thread.
  if ((await webGpuObstacle()) !== null) return cpu;
  const got = await webGpu.request(GPU_FEATURES);
  if ("unavailable" in got) return cpu;
  try {
    const gpu = await GpuKernels.create(got.device, { name: got.name, cpu });
    return new ResilientKernels(gpu, cpu);
  } catch {
    // The report names what computed.
    got.device.destroy();
    return cpu;
  }
}
