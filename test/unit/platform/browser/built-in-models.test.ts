import { afterEach, describe, expect, it } from "vitest";
import { isAbortError } from "../../../../src/errors.ts";
import { serveBuiltInModels } from "../../../../src/platform/browser/language/built-in-host.ts";
import type {
  BuiltInInterfaces,
  PromptInterface,
  PromptMessage,
  SummarizerInterface,
} from "../../../../src/platform/browser/language/built-in-interfaces.ts";
import type { Availability } from "../../../../src/platform/browser/language/built-in-protocol.ts";
import { ChromeModelSource } from "../../../../src/platform/browser/language/chrome-model-source.ts";

type Present = Exclude<Availability, "absent">;

/** Behaves as the published interfaces do: streams, measures, downloads, throws DOMExceptions. */
class StandIn implements BuiltInInterfaces {
  availability: Present = "available";
  answer = ["The ferry ", "leaves ", "at nine. ", "Pier four."];
  sessions = 0;
  destroyed = 0;
  prompts: { initial: PromptMessage[]; messages: PromptMessage[]; options: object }[] = [];
  summaries: { text: string; context: string | undefined }[] = [];
  contextWindow = 100;

  readonly LanguageModel: PromptInterface = {
    availability: () => Promise.resolve(this.availability),
    create: ({ initialPrompts = [], monitor, signal } = {}) => {
      signal?.throwIfAborted();
      monitor?.({
        addEventListener: (_, listener) => {
          for (const loaded of [0, 0.5, 1]) listener({ loaded });
          this.availability = "available";
        },
      });
      this.sessions++;
      const words = (messages: PromptMessage[]) =>
        messages.reduce((sum, { content }) => sum + content.split(" ").length, 0);
      return Promise.resolve({
        contextWindow: this.contextWindow,
        contextUsage: words(initialPrompts),
        measureContextUsage: (messages) => Promise.resolve(words(messages)),
        promptStreaming: (messages, options = {}) => {
          this.prompts.push({ initial: initialPrompts, messages, options });
          return this.#stream(options.signal);
        },
        destroy: () => void this.destroyed++,
      });
    },
  };

  readonly Summarizer: SummarizerInterface = {
    availability: () => Promise.resolve(this.availability),
    create: () => {
      this.sessions++;
      return Promise.resolve({
        summarizeStreaming: (text, { context, signal } = {}) => {
          this.summaries.push({ text, context });
          return this.#stream(signal);
        },
        destroy: () => void this.destroyed++,
      });
    },
  };

  #stream(signal: AbortSignal | undefined): ReadableStream<string> {
    const pieces = [...this.answer];
    return new ReadableStream<string>(
      {
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 1));
          if (signal?.aborted) controller.error(signal.reason);
          else if (pieces.length === 0) controller.close();
          else controller.enqueue(pieces.shift()!);
        },
      },
      { highWaterMark: 0 },
    );
  }
}

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

function connect(interfaces: BuiltInInterfaces): ChromeModelSource {
  const { port1, port2 } = new MessageChannel();
  const stop = serveBuiltInModels(port1, interfaces);
  const source = new ChromeModelSource(port2);
  opened.push(() => {
    stop();
    void source.close();
  });
  return source;
}

const ask = (content: string) => [{ role: "user" as const, content }];

describe("the browser's built-in models (their published interface stood in for)", () => {
  it("are unavailable, with the reason, where the browser has none", async () => {
    for (const source of [new ChromeModelSource(null), connect({})]) {
      const list = await source.list();
      expect(list.map(({ id, state }) => [id, state])).toEqual([
        ["chrome:prompt", "unavailable"],
        ["chrome:summarizer", "unavailable"],
      ]);
      expect(list[0]!.reason).toContain("no Prompt API");
      await expect(source.open("prompt")).rejects.toMatchObject({ code: "model_missing" });
      await expect(source.install("prompt")).rejects.toMatchObject({ code: "unsupported_input" });
      await expect(source.open("other")).rejects.toMatchObject({ code: "not_found" });
    }
  });

  it.each([
    ["unavailable", "unavailable"],
    ["downloadable", "missing"],
    ["downloading", "partial"],
    ["available", "ready"],
  ] as const)("are shown as what the browser says: %s → %s", async (availability, state) => {
    const browser = new StandIn();
    browser.availability = availability;
    const [prompt] = await connect(browser).list();
    expect(prompt!.state).toBe(state);
  });

  it("are downloaded by the browser on request, with progress, and then ready", async () => {
    const browser = new StandIn();
    browser.availability = "downloadable";
    const source = connect(browser);
    const seen: number[] = [];
    await source.install("prompt", { onProgress: ({ doneBytes }) => seen.push(doneBytes) });
    expect(seen).toEqual([0, 0.5, 1]);
    expect((await source.list())[0]!.state).toBe("ready");
    expect(browser.destroyed).toBe(1);
  });

  it("answer in deltas, with the system's message as the session's", async () => {
    const browser = new StandIn();
    const model = await connect(browser).open("prompt");
    const stream = model.stream({
      messages: [{ role: "system", content: "Be short." }, ...ask("When?")],
    });
    const deltas: string[] = [];
    for (let next = await stream.next(); ; next = await stream.next()) {
      if (!next.done) {
        deltas.push(next.value);
        continue;
      }
      expect(next.value).toMatchObject({
        text: "The ferry leaves at nine. Pier four.",
        finishReason: "stop",
        usage: { inputTokens: 1, estimated: true },
      });
      break;
    }
    expect(deltas).toEqual(browser.answer);
    expect(browser.prompts[0]).toMatchObject({
      initial: [{ role: "system", content: "Be short." }],
      messages: [{ role: "user", content: "When?" }],
    });
    expect([browser.sessions, browser.destroyed]).toEqual([1, 1]);
  });

  it("keep stop words and the limit of tokens, which the interface doesn't know", async () => {
    const model = await connect(new StandIn()).open("prompt");
    const stopped = await model.generate({ messages: ask("When?"), stop: ["at n"] });
    expect([stopped.text, stopped.finishReason]).toEqual(["The ferry leaves ", "stop"]);
    const cut = await model.generate({ messages: ask("When?"), maxTokens: 3 });
    expect([cut.text, cut.finishReason]).toEqual(["The ferry le", "length"]);
  });

  it("never get a prompt that the browser would cut", async () => {
    const browser = new StandIn();
    const model = await connect(browser).open("prompt");
    await expect(model.generate({ messages: ask("word ".repeat(200)) })).rejects.toMatchObject({
      code: "too_large",
    });
    expect(browser.prompts).toEqual([]);
    expect(browser.destroyed).toBe(1);
  });

  it("answer with JSON by the interface's constraint, checked", async () => {
    const browser = new StandIn();
    const model = await connect(browser).open("prompt");
    const schema = {
      type: "object",
      properties: { pier: { type: "integer" } },
      required: ["pier"],
    };
    browser.answer = ['{"pier"', ": 4}"];
    const { text } = await model.generate({ messages: ask("Pier?"), json: { schema } });
    expect(JSON.parse(text)).toEqual({ pier: 4 });
    expect(browser.prompts[0]!.options).toMatchObject({ responseConstraint: schema });
    browser.answer = ["four"];
    await expect(
      model.generate({ messages: ask("Pier?"), json: { schema } }),
    ).rejects.toMatchObject({ code: "model_failed" });
  });

  it("stop when cancelled, and answer again", async () => {
    const browser = new StandIn();
    browser.answer = Array.from({ length: 500 }, (_, index) => `${index} `);
    const model = await connect(browser).open("prompt");
    const abort = new AbortController();
    let seen = 0;
    const reading = (async () => {
      for await (const _ of model.stream({ messages: ask("Count."), signal: abort.signal }))
        if (++seen === 3) abort.abort();
    })();
    await expect(reading).rejects.toSatisfy(isAbortError);
    browser.answer = ["Yes."];
    expect((await model.generate({ messages: ask("Well?") })).text).toBe("Yes.");
  });

  it("summarise with the system's message as context, and give no JSON", async () => {
    const browser = new StandIn();
    const model = await connect(browser).open("summarizer");
    await model.generate({
      messages: [{ role: "system", content: "Names only." }, ...ask("A long text.")],
    });
    expect(browser.summaries).toEqual([{ text: "A long text.", context: "Names only." }]);
    await expect(model.generate({ messages: ask("x"), json: {} })).rejects.toMatchObject({
      code: "invalid_input",
    });
  });

  it("say in plain words what the browser threw", async () => {
    const browser = new StandIn();
    browser.LanguageModel.create = () =>
      Promise.reject(new DOMException("Requires a user gesture", "NotAllowedError"));
    const model = await connect(browser).open("prompt");
    await expect(model.generate({ messages: ask("x") })).rejects.toMatchObject({
      code: "model_failed",
      message: expect.stringContaining("user gesture"),
      hint: expect.stringContaining("clicked"),
    });
  });
});
