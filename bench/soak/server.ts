/**
 * A session with `llm-compress serve`: several clients ask and change at once, and the server is
 * killed in the middle of it. What has an answer must hold; what has none may have happened or not.
 */

import { checkHits, newSlot, type Action, type SoakStore } from "./actions.ts";
import { assert, type Slot } from "./model.ts";
import { ended, startCli } from "./process.ts";

const CLIENTS = 3;
const MAX_REQUESTS = 60;

/** Null when the server is gone. */
type Ask = (method: string, path: string, body?: unknown) => Promise<unknown>;

export const serve: Action = async (store, kill) => {
  const { random, cli } = store;
  const child = startCli(cli, ["serve", "--port", "0", "--json"]);
  const ending = ended(child, null);
  const url = await new Promise<string | null>((resolve) => {
    let head = "";
    child.stdout!.on("data", (text: string) => {
      head += text;
      if (head.includes("\n")) resolve((JSON.parse(head) as { url: string }).url);
    });
    void ending.then(() => resolve(null));
  });
  assert(url !== null, () => "FAILED: the server did not start");
  const timer = kill
    ? setTimeout(() => void child.kill("SIGKILL"), random.next() ** 2 * 4_000)
    : null;
  let requests = 0;
  const ask: Ask = async (method, path, body) => {
    requests++;
    let response: Response;
    let answer: unknown;
    try {
      response = await fetch(url + path, {
        method,
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      });
      answer = await response.json();
    } catch {
      return null;
    }
    assert(
      response.ok,
      () => `FAILED: ${method} ${path} gave ${response.status}: ${JSON.stringify(answer)}`,
    );
    return answer;
  };
  const client = async (): Promise<void> => {
    while (requests < MAX_REQUESTS && child.exitCode === null && child.signalCode === null)
      await request(store, ask);
  };
  try {
    await Promise.all(Array.from({ length: CLIENTS }, client));
  } finally {
    if (timer) clearTimeout(timer);
    if (kill) child.kill("SIGKILL");
    else child.kill("SIGTERM");
    store.model.busy.clear();
  }
  const { killed } = await ending;
  store.steps.push(`serve, ${requests} requests${killed ? "   (killed)" : ""}`);
  return { name: "serve", killed };
};

async function request(store: SoakStore, ask: Ask): Promise<void> {
  const { model, random } = store;
  const dice = random.next();
  if (dice < 0.35) return remember(store, ask);
  if (dice < 0.65) {
    const isLive = random.chance(0.5);
    const [slot] = random.sample(model.surely(isLive ? "live" : "gone"), 1);
    if (!slot) return;
    model.busy.add(slot);
    const found = await ask("POST", "/v1/recall", { query: slot.word });
    model.busy.delete(slot);
    if (found) checkHits(found as Parameters<typeof checkHits>[0], slot, isLive);
    return;
  }
  const free = model.surely("live").filter((slot) => !store.unfinished?.slots.includes(slot));
  const [slot] = random.sample(free, 1);
  if (!slot) return remember(store, ask);
  model.busy.add(slot);
  if (dice < 0.8) {
    const title = `title ${store.serials.next++}`;
    slot.title.add(title);
    const done = await ask("PATCH", `/v1/memories/${slot.id}`, { metadata: { title } });
    if (done) slot.title = new Set([title]);
  } else {
    const erased = dice > 0.93;
    const after = erased ? "gone" : "forgotten";
    slot.presence.add(after);
    const done = await ask("DELETE", `/v1/memories/${slot.id}?erase=${erased}`);
    if (done) slot.presence = new Set([after]);
  }
  model.busy.delete(slot);
}

async function remember(store: SoakStore, ask: Ask): Promise<void> {
  const { model, random, cli } = store;
  const slots: Slot[] = Array.from({ length: random.within(1, cli.models ? 2 : 12) }, () =>
    model.add(newSlot(store, "note"), null),
  );
  const items = slots.map(({ text, source, timestamp }) => ({
    text,
    timestamp,
    metadata: { source },
  }));
  for (const slot of slots) model.busy.add(slot);
  const answer = await ask("POST", "/v1/memories", {
    items,
    ...(cli.models ? {} : { embed: false }),
  });
  for (const slot of slots) model.busy.delete(slot);
  if (!answer) return;
  const { receipts } = answer as { receipts: { status: string; id: string }[] };
  receipts.forEach(({ status, id }, i) => {
    const slot = slots[i]!;
    assert(status === "stored", () => `TWICE: ${slot.source} was ${status}`);
    slot.id = id;
    slot.presence = new Set(["live"]);
  });
}
