/**
 * Builds the browser's engine inside its worker, and answers the page and the other tabs.
 * Order of a start: take the lock that says "this worker lives" → open the store → expose → tell.
 */

import { expose } from "comlink";
import { createEngine } from "../../create-engine.ts";
import type { Engine } from "../../engine.ts";
import { providerSettingsReader } from "../../engine/provider-settings.ts";
import { SettingsStore } from "../../engine/settings-store.ts";
import { AppError, toWireError } from "../../errors.ts";
import type { FileStore } from "../../ports/file-store.ts";
import { MemoryFileStore } from "../memory/memory-file-store.ts";
import { createBrowserSqlEngine } from "./duckdb.ts";
import { EngineHost, type ModelService } from "./engine-host.ts";
import type { WorkerReady, WorkerStart } from "./engine-links.ts";
import { wrapNotification, type Notification } from "./engine-protocol.ts";
import { BrowserKeyStore } from "./key-store.ts";
import { createBrowserLanguageSources } from "./language/remote-language-sources.ts";
import { installModel, removeModel } from "./model-installer.ts";
import { OpfsFileStore } from "./opfs-file-store.ts";
import { RemoteEmbedderProvider } from "./remote-embedder.ts";
import {
  ChannelEndpoint,
  EVERYONE,
  tabChannelName,
  tabLockName,
  workerLockName,
  type TabMessage,
} from "./tab-channel.ts";
import { holdPulse, pulseEnded } from "./worker-pulse.ts";
import { BrowserVectorWorkers } from "./vector-workers.ts";
import { webGpu } from "./webgpu-device.ts";
import type { WorkerScope } from "./worker-scope.ts";

/** A predecessor's handles are released a moment after it ended. */
const LOCKED_RETRY_MS = 100;
const LOCKED_ATTEMPTS = 50;
/** To ask a server on this machine makes browsers ask the person, who may not even have one. */
const OFF_AT_FIRST = ["ollama"] as const;

export function serveEngine(scope: WorkerScope): void {
  const onStart = (event: Event): void => {
    scope.removeEventListener("message", onStart);
    start(scope, (event as MessageEvent<WorkerStart>).data).then(
      () => scope.postMessage({ ready: true } satisfies WorkerReady),
      (error: unknown) =>
        scope.postMessage({ ready: false, error: toWireError(error) } satisfies WorkerReady),
    );
  };
  scope.addEventListener("message", onStart);
}

async function start(
  scope: WorkerScope,
  { name, epoch, builtInModels }: WorkerStart,
): Promise<void> {
  // Its pulse: the browser releases the lock when the worker ends, however it ends.
  await holdPulse(workerLockName(epoch));
  scope.postMessage({ alive: true } satisfies WorkerReady);
  const embedder = new RemoteEmbedderProvider(
    () =>
      new Worker(new URL("../../../workers/embedding.worker.ts", import.meta.url), {
        type: "module",
        name: "embedding",
      }),
  );
  const fileStore = await openFileStore(name);
  const keys = new BrowserKeyStore();
  const engine = await createEngine({
    fileStore,
    embedder,
    sql: () => Promise.resolve(createBrowserSqlEngine()),
    vectorWorkers: new BrowserVectorWorkers(
      () =>
        new Worker(new URL("../../../workers/vector.worker.ts", import.meta.url), {
          type: "module",
          name: "vectors",
        }),
    ),
    gpu: webGpu,
    keys,
    offAtFirst: OFF_AT_FIRST,
    languageSources: createBrowserLanguageSources({
      keys,
      settings: providerSettingsReader(new SettingsStore(fileStore), OFF_AT_FIRST),
      builtInModels: builtInModels ?? null,
    }),
  });
  const host = new EngineHost(engine, modelService(engine, embedder));
  serveOwnPage(scope, engine, host);
  serveOtherTabs(name, epoch, engine, host);
}

async function openFileStore(name: string): Promise<FileStore> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await OpfsFileStore.open(name);
    } catch (error) {
      const code = error instanceof AppError ? error.code : null;
      // Without a private file system the memory works for as long as the page is open; status says so.
      if (code === "storage_unavailable") return new MemoryFileStore();
      if (code !== "store_locked" || attempt >= LOCKED_ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOCKED_RETRY_MS));
    }
  }
}

function modelService(
  engine: Engine & { unloadModel(): Promise<void> },
  embedder: RemoteEmbedderProvider,
): ModelService {
  const reload = async (): Promise<void> => {
    embedder.reset();
    await engine.unloadModel();
  };
  return {
    state: () => embedder.state(),
    install: async (options) => {
      await installModel(options);
      await reload();
    },
    remove: async () => {
      // The weights first: a search in between must not load them again.
      await removeModel();
      await reload();
    },
  };
}

function serveOwnPage(scope: WorkerScope, engine: Engine, host: EngineHost): void {
  const notify = (notification: Notification) => scope.postMessage(wrapNotification(notification));
  expose(host.createApi(notify).api, scope);
  engine.subscribe((event) => notify({ kind: "engine", event }));
}

function serveOtherTabs(name: string, epoch: string, engine: Engine, host: EngineHost): void {
  const channel = new BroadcastChannel(tabChannelName(name));
  const send = (message: TabMessage): void => channel.postMessage(message);
  const clients = new Map<string, { endpoint: ChannelEndpoint; end: () => void }>();
  const leave = (tabId: string): void => {
    const client = clients.get(tabId);
    clients.delete(tabId);
    client?.endpoint.close();
    client?.end();
  };

  channel.addEventListener("message", (event: MessageEvent<TabMessage>) => {
    const message = event.data;
    if (message.type === "hello") send({ type: "leader", epoch });
    else if (message.type === "bye") leave(message.from);
    else if (message.type === "rpc" && message.to === epoch && !clients.has(message.from)) {
      const endpoint = new ChannelEndpoint(channel, epoch, message.from);
      const notify = (notification: Notification) =>
        send({ type: "notify", to: message.from, data: wrapNotification(notification) });
      const { api, end } = host.createApi(notify);
      clients.set(message.from, { endpoint, end });
      expose(api, endpoint);
      endpoint.receive(message);
      // A tab that crashed, or that the browser discarded, says nothing.
      if (message.pulse) void pulseEnded(tabLockName(message.from)).then(() => leave(message.from));
    }
  });
  engine.subscribe((event) =>
    send({ type: "notify", to: EVERYONE, data: wrapNotification({ kind: "engine", event }) }),
  );
  send({ type: "leader", epoch });
}
