/**
 * Finished runs in the origin's private file system: `quantization-runs/ID/FILE`. `run.json` is
 * written last: a folder without it is what a cut run left, and is swept before the next.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { z } from "zod";
import { AppError, toError } from "../../errors.ts";
import type { TensorHistogram } from "../../quantization/histogram.ts";
import type { RunFile, KeptRuns, WorkbenchRun } from "../../quantization/workbench.ts";

const ROOT_FOLDER = "quantization-runs";
const RUN_FILE = "run.json";
const HISTOGRAM_FILE = "histograms.json";
const FORMAT = "workbench-run/1";
const ID = /^[\w-]{1,64}$/;

const size = z.number().nonnegative();
const number = z.number();
const scheme = z.object({
  bits: z.union([z.literal(2), z.literal(4), z.literal(8)]),
  symmetric: z.boolean(),
  group: z.union([z.number().int().positive(), z.literal("channel"), z.literal("tensor")]),
});
const recalls = z.object({ recall1: number, recall10: number });
const report = z.object({
  model: z.string(),
  settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  tensors: z.array(
    z.object({
      name: z.string(),
      shape: z.array(size),
      scheme: scheme.nullable(),
      method: z.enum(["gptq", "round-to-nearest", "none"]),
      originalBytes: size,
      packedBytes: size,
      error: z
        .object({
          meanSquaredError: number,
          maxError: number,
          sqnrDb: number.nullable(),
          outputError: number.nullable(),
        })
        .nullable(),
    }),
  ),
  sizes: z.object({
    sourceBytes: size,
    halfPrecisionBytes: size,
    packedBytes: size,
    packageBytes: size,
    networkBytes: size.nullable(),
  }),
  bitsPerWeight: number.nullable(),
  networkReason: z.string().nullable(),
  quality: z
    .object({ count: size, cosineMean: number, cosineP5: number, top10Overlap: number.nullable() })
    .nullable(),
  retrieval: z.object({ queries: size, original: recalls, quantized: recalls }).nullable(),
  // Results of before this was noted came of the scalar code.
  computedBy: z.string().default("scalar code"),
  elapsedMs: number,
});
const runSchema = z.object({
  format: z.literal(FORMAT),
  id: z.string().regex(ID),
  title: z.string(),
  madeAt: number,
  source: z.string(),
  base: z.string().nullable(),
  report,
  files: z.array(z.object({ name: z.string(), sizeBytes: size, sha256: z.string() })),
});
const counts = z.array(size);
const histogramsSchema = z.array(
  z.object({
    name: z.string(),
    min: number,
    max: number,
    from: number,
    to: number,
    before: counts,
    after: counts,
    codes: counts.nullable(),
    levels: z.array(number).nullable(),
  }),
);

async function rootFolder(): Promise<FileSystemDirectoryHandle> {
  try {
    const root = await navigator.storage.getDirectory();
    return await root.getDirectoryHandle(ROOT_FOLDER, { create: true });
  } catch (error) {
    throw new AppError("storage_unavailable", "This browser gives no private file storage here.", {
      hint: "Use a current browser outside of a private window.",
      cause: error,
    });
  }
}

/** Writes everything, the description last. On any failure nothing remains: `storage_full` or as thrown. */
export async function writeRun(
  run: Omit<WorkbenchRun, "files">,
  contents: readonly { name: string; bytes: Uint8Array }[],
  histograms: readonly TensorHistogram[],
): Promise<WorkbenchRun> {
  const root = await rootFolder();
  try {
    const folder = await root.getDirectoryHandle(run.id, { create: true });
    const files: RunFile[] = [];
    for (const { name, bytes } of [
      ...contents,
      { name: HISTOGRAM_FILE, bytes: json(histograms) },
    ]) {
      await write(folder, name, bytes);
      files.push({ name, sizeBytes: bytes.length, sha256: bytesToHex(sha256(bytes)) });
    }
    const kept: WorkbenchRun = { ...run, files };
    await write(folder, RUN_FILE, json({ format: FORMAT, ...kept }));
    return kept;
  } catch (error) {
    await root.removeEntry(run.id, { recursive: true }).catch(() => undefined);
    throw storageError(error);
  }
}

export async function listRuns(): Promise<KeptRuns> {
  const kept: KeptRuns = { runs: [], damaged: [] };
  for await (const [id, entry] of (await rootFolder()).entries()) {
    if (entry.kind !== "directory") continue;
    const folder = entry as FileSystemDirectoryHandle;
    // Without a description it is being written, or was cut.
    if ((await fileIn(folder, RUN_FILE)) === null) continue;
    try {
      kept.runs.push(await readRun(folder, id));
    } catch {
      kept.damaged.push(id);
    }
  }
  kept.runs.sort((a, b) => b.madeAt - a.madeAt);
  return kept;
}

/** Removes what cut runs left. Only while no run writes. */
export async function sweepRuns(): Promise<void> {
  const root = await rootFolder();
  const cut: string[] = [];
  for await (const [id, entry] of root.entries())
    if (
      entry.kind === "directory" &&
      (await fileIn(entry as FileSystemDirectoryHandle, RUN_FILE)) === null
    )
      cut.push(id);
  for (const id of cut) await root.removeEntry(id, { recursive: true }).catch(() => undefined);
}

export async function removeRun(id: string): Promise<void> {
  await (await rootFolder()).removeEntry(id, { recursive: true }).catch((error: unknown) => {
    if ((error as { name?: string }).name !== "NotFoundError") throw toError(error);
  });
}

/** A file of a kept run. `not_found`, or `corrupt_data` when its size isn't what was written. */
export async function openRunFile(id: string, name: string): Promise<File> {
  const folder = await (await rootFolder()).getDirectoryHandle(id).catch(() => null);
  const known =
    folder && (await readRun(folder, id)).files.find((candidate) => candidate.name === name);
  const file = folder && known ? await fileIn(folder, name) : null;
  if (file === null) throw new AppError("not_found", `This run has no file ${name}.`);
  return file;
}

export async function readHistograms(id: string): Promise<TensorHistogram[]> {
  const file = await openRunFile(id, HISTOGRAM_FILE);
  return histogramsSchema.parse(JSON.parse(await file.text()));
}

/** Throws `corrupt_data` when its files aren't all there in full. */
async function readRun(folder: FileSystemDirectoryHandle, id: string): Promise<WorkbenchRun> {
  const description = await fileIn(folder, RUN_FILE);
  const parsed = runSchema.safeParse(JSON.parse((await description?.text()) ?? "null"));
  if (!parsed.success || parsed.data.id !== id)
    throw new AppError("corrupt_data", "The description of this run can't be read.");
  for (const { name, sizeBytes } of parsed.data.files)
    if ((await fileIn(folder, name))?.size !== sizeBytes)
      throw new AppError("corrupt_data", `${name} of this run is missing or cut.`, {
        hint: "Remove the run and make it again.",
      });
  const { format: _format, ...run } = parsed.data;
  return run;
}

async function fileIn(folder: FileSystemDirectoryHandle, name: string): Promise<File | null> {
  try {
    return await (await folder.getFileHandle(name)).getFile();
  } catch {
    return null;
  }
}

/** A file gets its bytes when it is closed: all or none. */
async function write(
  folder: FileSystemDirectoryHandle,
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  const stream = await (await folder.getFileHandle(name, { create: true })).createWritable();
  await stream.write(bytes as Uint8Array<ArrayBuffer>);
  await stream.close();
}

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

function storageError(error: unknown): Error {
  if ((error as { name?: string } | null)?.name !== "QuotaExceededError") return toError(error);
  return new AppError("storage_full", "The browser gives this site no room for the result.", {
    hint: "Remove earlier results, or free some disk space, then run it again; nothing of it was kept.",
    retryable: true,
    cause: error,
  });
}
