/**
 * Imports as the Remember page shows them: what was recognised per file, what failed and why, and
 * the originals to retry with. The work itself is the engine's `importStore`.
 */

import type { ImportReport, ImportSource, RecognizedFile } from "../../../engine.ts";
import type { CompressOptions } from "../../../engine.ts";
import {
  belongsTo,
  countFormats,
  describeReport,
  KeepReasons,
  type FormatCount,
} from "./import-report.ts";
import { session } from "./session.svelte.ts";
import { tasks, type Task } from "./tasks.svelte.ts";

/** Files listed one by one; of more, only the counts per format are shown. */
const LISTED_FILES = 200;
const LISTED_REASONS = 8;
const FLUSH_MS = 150;

export type HowToKeep = Pick<CompressOptions, "keep" | "mode" | "model">;

export class ImportRun {
  readonly title: string;
  task = $state.raw<Task | null>(null);
  formats = $state.raw<FormatCount[]>([]);
  files = $state.raw<RecognizedFile[]>([]);
  fileErrors = $state.raw<RecognizedFile[]>([]);
  report = $state.raw<ImportReport | null>(null);
  /** Why memories are kept exactly although summaries were asked for, most frequent first. */
  keepReasons = $state.raw<{ reason: string; count: number }[]>([]);
  #source: ImportSource;
  #options: HowToKeep;
  #pending: RecognizedFile[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(title: string, source: ImportSource, options: HowToKeep) {
    this.title = title;
    this.#source = source;
    this.#options = options;
  }

  start(): Promise<void> {
    const { task, finished } = tasks.start({
      kind: "import",
      title: this.title,
      run: async ({ control, signal, report, conclude }) => {
        const engine = await session.engine();
        const keepReasons = new KeepReasons();
        try {
          this.report = await engine.importStore(this.#source, {
            ...this.#options,
            control,
            signal,
            onProgress: report,
            onFile: (file) => this.#note(file),
            onReceipt: (receipt) => keepReasons.add(receipt),
          });
          conclude(describeReport(this.report));
        } finally {
          this.keepReasons = keepReasons.list(LISTED_REASONS);
          this.#flush();
          session.refreshSoon();
        }
      },
    });
    this.task = task;
    return finished;
  }

  /** The same import again, limited to the files that failed where they can be told apart. */
  retryFailed(): ImportRun {
    let source = this.#source;
    if (source.kind === "files" && this.report) {
      const failed = this.report.failures.map((failure) => failure.source);
      const files = source.files.filter((file) => belongsTo(file, failed));
      if (files.length > 0) source = { kind: "files", files };
    }
    return startImport(`${this.title}, again`, source, this.#options);
  }

  #note(file: RecognizedFile): void {
    this.#pending.push(file);
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const fresh = this.#pending;
    this.#pending = [];
    if (fresh.length === 0) return;
    this.formats = countFormats(this.formats, fresh);
    this.files = [...this.files, ...fresh].slice(0, LISTED_FILES);
    this.fileErrors = [...this.fileErrors, ...fresh.filter((file) => file.error)].slice(
      0,
      LISTED_FILES,
    );
  }
}

class Imports {
  runs = $state.raw<ImportRun[]>([]);
}

export const imports = new Imports();

export function startImport(title: string, source: ImportSource, options: HowToKeep): ImportRun {
  const run = new ImportRun(title, source, options);
  imports.runs = [run, ...imports.runs].slice(0, 10);
  void run.start();
  return run;
}
