/** A model in several safetensors files: `model.safetensors.index.json` names the file of each tensor. */

import { z } from "zod";
import { AppError } from "../../errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { openSafetensors } from "./safetensors.ts";
import type { TensorFile, TensorInfo } from "./tensor-file.ts";

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });
/** A shard is a file beside the index, never a path elsewhere. */
const SHARD_NAME = /^[\w][\w.-]*$/;

/**
 * @param open the source of a shard by its name, as the index has it
 * @throws `corrupt_data` when the index is none, names a tensor that its shard doesn't have, or a path
 */
export async function openSharded(
  index: ByteSource,
  open: (shardName: string) => Promise<ByteSource>,
): Promise<TensorFile> {
  const weightMap = await readIndex(index);
  const shards = new Map<string, TensorFile>();
  for (const name of new Set(Object.values(weightMap))) {
    if (!SHARD_NAME.test(name))
      throw new AppError(
        "corrupt_data",
        `${index.name} names the file "${name.slice(0, 200)}", which is no plain file name.`,
      );
    shards.set(name, await openSafetensors(await open(name)));
  }
  const tensors = new Map<string, TensorInfo>();
  for (const [name, shardName] of Object.entries(weightMap)) {
    const info = shards.get(shardName)!.tensors.get(name);
    if (info === undefined)
      throw new AppError(
        "corrupt_data",
        `${index.name} says that "${name}" is in ${shardName}; it isn't.`,
        {
          hint: "The files are of different downloads: fetch them again together.",
        },
      );
    tensors.set(name, info);
  }
  return {
    format: "safetensors",
    name: index.name,
    sizeBytes: [...shards.values()].reduce((sum, shard) => sum + shard.sizeBytes, 0),
    tensors,
    metadata: {},
    async readFloats(name, rows) {
      const shard = shards.get(weightMap[name] ?? "");
      if (shard === undefined || !tensors.has(name))
        throw new AppError("not_found", `${index.name} has no tensor "${name}".`);
      return shard.readFloats(name, rows);
    },
  };
}

async function readIndex(index: ByteSource): Promise<Record<string, string>> {
  const bytes = await index.read(0, index.sizeBytes);
  try {
    return indexSchema.parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)))
      .weight_map;
  } catch (error) {
    throw new AppError("corrupt_data", `${index.name} is no index of safetensors files.`, {
      hint: 'It should be JSON with a "weight_map" from tensor names to file names.',
      cause: error,
    });
  }
}
