/** Long work on the whole store, as tasks: tidying up, exporting, erasing. */

import type { ExportFormat } from "../../../engine.ts";
import { formatBytes, formatPlural } from "./format.ts";
import { canPickFolder, packFiles, pickFolder, saveBlob, writeToFolder } from "./export-files.ts";
import { session } from "./session.svelte.ts";
import { tasks } from "./tasks.svelte.ts";

export function compactStore(): void {
  if (tasks.find("compact")) return;
  const { finished } = tasks.start({
    kind: "compact",
    title: "Tidy up the store",
    run: async ({ control, signal, report, conclude }) => {
      const engine = await session.engine();
      const before = (await engine.status()).store.totalBytes;
      await engine.compact({ control, signal, onProgress: report });
      const after = (await engine.status()).store.totalBytes;
      conclude(`The store takes ${formatBytes(after)}, before ${formatBytes(before)}.`);
    },
  });
  void finished.then(() => session.refreshSoon());
}

const EXTENSIONS: Record<ExportFormat, string> = {
  parquet: "parquet",
  jsonl: "jsonl",
  markdown: "md",
};

/** Exports everything: into a folder the owner picks, else as one download. Call it from a click. */
export async function exportEverything(
  format: ExportFormat,
  into: "folder" | "download",
): Promise<void> {
  const folder = into === "folder" && canPickFolder() ? await pickFolder() : null;
  tasks.start({
    kind: "export",
    title: `Export as ${format}`,
    pausable: false,
    run: async ({ signal, report, conclude }) => {
      const engine = await session.engine();
      const onProgress = ({ files, bytes }: { files: number; bytes: number }): void =>
        report({ stage: "Writing", done: files, total: null, doneBytes: bytes });
      const files = engine.exportStore(format);
      if (folder) {
        const done = await writeToFolder(files, folder, { onProgress, signal });
        conclude(
          `${formatPlural(done.files, "file")}, ${formatBytes(done.bytes)}, in “${folder.name}”.`,
        );
        return;
      }
      const { blob, name, progress } = await packFiles(files, { onProgress, signal });
      const day = new Date().toISOString().slice(0, 10);
      const fileName = name ?? `memories-${day}-${EXTENSIONS[format]}.zip`;
      saveBlob(blob, fileName);
      conclude(
        `${formatPlural(progress.files, "file")}, ${formatBytes(progress.bytes)}, as ${fileName}.`,
      );
    },
  });
}

/** Erases every memory, with nothing left in any file. */
export function eraseEverything(): Promise<void> {
  const { finished } = tasks.start({
    kind: "erase",
    title: "Erase everything",
    pausable: false,
    cancellable: false,
    run: async ({ conclude }) => {
      const engine = await session.engine();
      const { ids } = await engine.forget({ all: true }, { erase: true });
      await session.refresh();
      conclude(`${formatPlural(ids.length, "memory", "memories")} erased for good.`);
    },
  });
  return finished;
}
