/** The state of the workbench page: weights, runs that are kept, and the tasks that install and run. */

import type { TensorHistogram } from "../../../quantization/histogram.ts";
import type {
  InstallState,
  SourceInfo,
  Workbench,
  WorkbenchRequest,
  WorkbenchRun,
  WorkbenchSource,
} from "../../../quantization/workbench.ts";
import { openBrowserWorkbench } from "../compose.ts";
import { runPausable } from "./pausable.ts";
import { tasks, type Task } from "./tasks.svelte.ts";
import { usedBytes } from "./workbench-charts.ts";
import { formatBytes } from "./format.ts";

/** Of the weights table: what the page's own embedder was made of. */
export const OWN_MODEL = "all-MiniLM-L6-v2";

class WorkbenchState {
  install = $state.raw<InstallState | null>(null);
  files = $state.raw<readonly File[]>([]);
  useFiles = $state(false);
  info = $state.raw<SourceInfo | null>(null);
  sourceError = $state.raw<unknown>(null);
  runs = $state.raw<WorkbenchRun[] | null>(null);
  damaged = $state.raw<string[]>([]);
  runsError = $state.raw<unknown>(null);
  selectedId = $state<string | null>(null);
  #opening: Promise<Workbench> | null = null;
  #inspection = 0;

  get source(): WorkbenchSource | null {
    if (this.useFiles) return this.files.length === 0 ? null : { kind: "files", files: this.files };
    return this.install?.state === "installed" ? { kind: "installed", name: OWN_MODEL } : null;
  }

  get selected(): WorkbenchRun | null {
    return this.runs?.find(({ id }) => id === this.selectedId) ?? this.runs?.[0] ?? null;
  }

  workbench(): Promise<Workbench> {
    return (this.#opening ??= openBrowserWorkbench());
  }

  async start(): Promise<void> {
    await Promise.all([this.loadRuns(), this.refreshSource()]);
  }

  async loadRuns(): Promise<void> {
    this.runsError = null;
    try {
      const { runs, damaged } = await (await this.workbench()).runs();
      this.runs = runs;
      this.damaged = damaged;
    } catch (error) {
      this.runs = [];
      this.runsError = error;
    }
  }

  /** Looks at the weights that are chosen now. */
  async refreshSource(): Promise<void> {
    const inspection = ++this.#inspection;
    this.sourceError = null;
    this.info = null;
    try {
      const workbench = await this.workbench();
      const install = await workbench.sourceState(OWN_MODEL);
      if (inspection !== this.#inspection) return;
      this.install = install;
      const { source } = this;
      if (source === null) return;
      const info = await workbench.inspect(source);
      if (inspection === this.#inspection) this.info = info;
    } catch (error) {
      if (inspection === this.#inspection) this.sourceError = error;
    }
  }

  chooseFiles(files: readonly File[]): void {
    this.files = files;
    this.useFiles = true;
    void this.refreshSource();
  }

  choose(useFiles: boolean): void {
    this.useFiles = useFiles;
    void this.refreshSource();
  }

  installTask(): Task | undefined {
    return tasks.list.find((task) => task.spec.kind === "weights");
  }

  installOwn(): void {
    const before = this.installTask();
    if (before?.active) return;
    if (before) tasks.dismiss(before);
    const { finished } = tasks.start({
      kind: "weights",
      title: `Install the weights of ${OWN_MODEL}`,
      run: async ({ control, report, conclude }) => {
        const workbench = await this.workbench();
        await runPausable(control, (signal) =>
          workbench.installSource(OWN_MODEL, {
            signal,
            onProgress: ({ doneBytes, totalBytes }) =>
              report({ stage: "Downloading", done: doneBytes, total: totalBytes, doneBytes, totalBytes }), // prettier-ignore
          }),
        );
        conclude("Installed and checked.");
      },
    });
    void finished.then(() => this.refreshSource());
  }

  async removeOwn(): Promise<void> {
    try {
      await (await this.workbench()).removeSource(OWN_MODEL);
      await this.refreshSource();
    } catch (error) {
      this.sourceError = error;
    }
  }

  runTasks(): Task[] {
    return tasks.list.filter((task) => task.spec.kind === "quantize" && task.state !== "done");
  }

  /** Runs after those before it; its result is shown when it ends. */
  run(makeRequest: () => Promise<WorkbenchRequest>, title: string): void {
    const { finished } = tasks.start({
      kind: "quantize",
      title: `Shrink: ${title}`,
      pausable: false,
      run: async ({ signal, report, conclude }) => {
        report({ stage: "Gathering text", done: 0, total: null });
        const request = await makeRequest();
        const run = await (await this.workbench()).run(request, { signal, onProgress: report });
        conclude(`${formatBytes(usedBytes(run.report))}, from ${formatBytes(run.report.sizes.sourceBytes)}.`); // prettier-ignore
        this.selectedId = run.id;
      },
    });
    void finished.then(() => this.loadRuns());
  }

  async histograms(id: string): Promise<TensorHistogram[]> {
    return (await this.workbench()).histograms(id);
  }

  async remove(id: string): Promise<void> {
    await (await this.workbench()).removeRun(id);
    if (this.selectedId === id) this.selectedId = null;
    await this.loadRuns();
  }
}

export const workbench = new WorkbenchState();
