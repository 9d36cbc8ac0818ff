import type { ChatCompletionChunk, ChatCompletionRequestStreaming } from "@mlc-ai/web-llm";
import { afterEach, describe, expect, it } from "vitest";
import { isAbortError } from "../../../../src/errors.ts";
import type { GenerateResult } from "../../../../src/ports/language-model.ts";
import type { WireRequest } from "../../../../src/platform/browser/language/language-protocol.ts";
import {
  loadWebLlm,
  type WebLlmEngine,
  type WebLlmEngineConfig,
  type WebLlmSpec,
} from "../../../../src/platform/browser/language/webllm-runtime.ts";

const SPEC: WebLlmSpec = {
  runtime: "webllm",
  name: "tiny-q0f32",
  title: "Tiny",
  modelUrl: "https://webllm.invalid/1/resolve/main/",
  libraryUrl: "https://webllm.invalid/1/library.wasm",
  contextTokens: 512,
  overrides: { context_window_size: 512 },
  shaderF16: false,
  thinks: false,
};

/** Stands where `MLCEngine` stands: the chunks, the end of an interrupted answer and the errors are its. */
class StandInEngine implements WebLlmEngine {
  readonly config: WebLlmEngineConfig;
  readonly requests: ChatCompletionRequestStreaming[] = [];
  answer = "The ferry leaves at nine.";
  finish: "stop" | "length" = "stop";
  failure: Error | null = null;
  loadFailure: Error | null = null;
  unloaded = 0;
  #interrupted = false;

  constructor(config: WebLlmEngineConfig) {
    this.config = config;
  }

  async reload(): Promise<void> {
    this.config.initProgressCallback({ progress: 0.5, timeElapsed: 1, text: "Loading" });
    if (this.loadFailure) throw this.loadFailure;
  }

  chatCompletion(
    request: ChatCompletionRequestStreaming,
  ): Promise<AsyncIterable<ChatCompletionChunk>> {
    this.requests.push(request);
    this.#interrupted = false;
    return Promise.resolve(this.#chunks());
  }

  async *#chunks(): AsyncGenerator<ChatCompletionChunk> {
    if (this.failure) throw this.failure;
    const frame = {
      id: "1",
      model: SPEC.name,
      object: "chat.completion.chunk",
      created: 1,
    } as const;
    let count = 0;
    for (const piece of this.answer.match(/.{1,4}/gs) ?? []) {
      if (this.#interrupted) break;
      count++;
      await Promise.resolve();
      yield {
        ...frame,
        choices: [
          {
            delta: { role: "assistant", content: piece },
            finish_reason: null,
            index: 0,
            logprobs: null,
          },
        ],
      };
    }
    const finish = this.#interrupted ? "abort" : this.finish;
    yield { ...frame, choices: [{ delta: {}, finish_reason: finish, index: 0 }] };
    yield {
      ...frame,
      choices: [],
      usage: { prompt_tokens: 9, completion_tokens: count, total_tokens: 9 + count },
    } as unknown as ChatCompletionChunk;
  }

  interruptGenerate(): void {
    this.#interrupted = true;
  }

  unload(): Promise<void> {
    this.unloaded++;
    return Promise.resolve();
  }
}

async function load(set: (engine: StandInEngine) => void = () => undefined, spec = SPEC) {
  let engine!: StandInEngine;
  const shares: number[] = [];
  const runtime = await loadWebLlm(
    spec,
    { signal: new AbortController().signal, onProgress: (share) => shares.push(share) },
    (config) => {
      engine = new StandInEngine(config);
      set(engine);
      return Promise.resolve(engine);
    },
  );
  return { engine, runtime, shares };
}

async function read(stream: AsyncGenerator<string, GenerateResult>) {
  const deltas: string[] = [];
  for (;;) {
    const next = await stream.next();
    if (next.done) return { deltas, result: next.value };
    deltas.push(next.value);
  }
}

const ask = (more: Partial<WireRequest> = {}): WireRequest => ({
  messages: [{ role: "user", content: "When does the ferry leave?" }],
  ...more,
});
const never = new AbortController().signal;

describe("WebLLM as a runtime (its engine's boundary stood in for)", () => {
  it("asks the engine for the model by the addresses of its own cache", async () => {
    const { engine, shares } = await load();
    expect(engine.config.appConfig).toEqual({
      cacheBackend: "opfs",
      model_list: [
        {
          model: SPEC.modelUrl,
          model_id: SPEC.name,
          model_lib: SPEC.libraryUrl,
          overrides: { context_window_size: 512 },
        },
      ],
    });
    expect(shares).toEqual([0.5]);
    const f16 = await load(undefined, { ...SPEC, shaderF16: true });
    expect(f16.engine.config.appConfig.model_list[0]!.required_features).toEqual(["shader-f16"]);
  });

  it("passes the request on and gives deltas, finish and usage", async () => {
    const { engine, runtime } = await load();
    const schema = { type: "object" };
    const { deltas, result } = await read(
      runtime.stream(ask({ maxTokens: 40, temperature: 0, stop: ["\n\n"] }), never),
    );
    expect(deltas.join("")).toBe("The ferry leaves at nine.");
    expect(result).toEqual({
      text: "The ferry leaves at nine.",
      finishReason: "stop",
      usage: { inputTokens: 9, outputTokens: 7 },
      model: SPEC.name,
    });
    expect(engine.requests[0]).toMatchObject({
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 40,
      temperature: 0,
      stop: ["\n\n"],
    });
    expect(engine.requests[0]).not.toHaveProperty("extra_body");
    engine.answer = '{"pier": 4}';
    await read(runtime.stream(ask({ json: { schema } }), never));
    expect(engine.requests[1]!.response_format).toEqual({
      type: "json_object",
      schema: JSON.stringify(schema),
    });
  });

  it("lets a text arrive as it is where WebLLM inserts it into a template", async () => {
    const { engine, runtime } = await load();
    const content = "Fees: $5, $$ and $& of `$'it$`', $1 each.";
    await read(runtime.stream(ask({ messages: [{ role: "user", content }] }), never));
    const given = engine.requests[0]!.messages[0]!.content as string;
    // As its conversation template does it.
    expect("<user>{user_message}</user>".replace("{user_message}", given)).toBe(
      `<user>${content}</user>`,
    );
  });

  it("says when the answer was cut by its length", async () => {
    const { runtime } = await load((engine) => (engine.finish = "length"));
    expect((await read(runtime.stream(ask(), never))).result.finishReason).toBe("length");
  });

  it("refuses an answer that isn't the JSON that was asked", async () => {
    const schema = {
      type: "object",
      properties: { pier: { type: "integer" } },
      required: ["pier"],
    };
    for (const [answer, reason] of [
      ["It is pier four.", /didn't answer with JSON/],
      ['{"pier": "four"}', /another form: pier/],
    ] as const) {
      const { runtime } = await load((engine) => (engine.answer = answer));
      await expect(read(runtime.stream(ask({ json: { schema } }), never))).rejects.toMatchObject({
        code: "model_failed",
        message: expect.stringMatching(reason),
      });
    }
  });

  it("interrupts the engine when cancelled, and answers again", async () => {
    const { engine, runtime } = await load((e) => (e.answer = "one two three ".repeat(200)));
    const abort = new AbortController();
    let seen = 0;
    const reading = (async () => {
      for await (const _ of runtime.stream(ask(), abort.signal)) if (++seen === 2) abort.abort();
    })();
    await expect(reading).rejects.toSatisfy(isAbortError);
    expect(seen).toBe(2);
    engine.answer = "Yes.";
    expect((await read(runtime.stream(ask(), never))).result.text).toBe("Yes.");
  });

  it("keeps thoughts out of the answer of a model that thinks", async () => {
    const spec = { ...SPEC, name: "Qwen3-0.6B", thinks: true };
    const { engine, runtime } = await load(
      (e) => (e.answer = "<think>\n\n</think>\n\nNine."),
      spec,
    );
    const { deltas, result } = await read(runtime.stream(ask(), never));
    expect([deltas.join(""), result.text]).toEqual(["Nine.", "Nine."]);
    expect(engine.requests[0]!.extra_body).toEqual({ enable_thinking: false });
  });

  it("tells a prompt that is too long, a refused request and a crash apart", async () => {
    const named = (name: string) => Object.assign(new Error("no"), { name });
    for (const [failure, code, retryable] of [
      [named("ContextWindowSizeExceededError"), "too_large", false],
      [named("SystemMessageOrderError"), "invalid_input", false],
      [named("RangeError"), "invalid_input", false],
      [new RangeError("Array buffer allocation failed"), "model_failed", true],
      [new Error("Out of memory"), "model_failed", true],
    ] as const) {
      const { runtime } = await load((engine) => (engine.failure = failure));
      await expect(read(runtime.stream(ask(), never))).rejects.toMatchObject({ code, retryable });
    }
  });

  it("says that a library can't be used, and lets the engine go", async () => {
    let engine!: StandInEngine;
    const work = load((made) => {
      engine = made;
      made.loadFailure = new WebAssembly.LinkError("import object field missing");
    });
    await expect(work).rejects.toMatchObject({
      code: "model_failed",
      hint: expect.stringContaining("v0_2_86"),
    });
    expect(engine.unloaded).toBe(1);
  });

  it("blames the library only for what happens before the weights are read", async () => {
    const failure = new TypeError("t is undefined");
    await expect(load((made) => (made.loadFailure = failure))).rejects.toMatchObject({
      code: "model_failed",
      message: "Tiny failed: t is undefined",
    });
    const early = load((made) => {
      made.reload = () => Promise.reject(failure);
    });
    await expect(early).rejects.toMatchObject({ message: expect.stringMatching(/no library/) });
    const unreachable = load((made) => {
      made.reload = () => Promise.reject(new TypeError("Failed to fetch"));
    });
    await expect(unreachable).rejects.toMatchObject({
      message: "Tiny failed: Failed to fetch",
      hint: expect.stringContaining("install it again"),
    });
  });

  describe("on a device that is lost", () => {
    afterEach(() => void Reflect.deleteProperty(globalThis, "GPUAdapter"));

    it("ends the running answer, which WebLLM would leave waiting", async () => {
      let lose!: (info: { reason: string; message: string }) => void;
      const lost = new Promise((resolve) => (lose = resolve));
      class GPUAdapter {
        requestDevice() {
          return Promise.resolve({ lost });
        }
      }
      Object.assign(globalThis, { GPUAdapter });
      const { engine, runtime } = await load();
      await new GPUAdapter().requestDevice();
      engine.chatCompletion = () =>
        Promise.resolve({
          [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }),
        });
      const reading = read(runtime.stream(ask(), never));
      lose({ reason: "unknown", message: "driver reset" });
      await expect(reading).rejects.toMatchObject({
        code: "model_failed",
        retryable: true,
        message: expect.stringContaining("driver reset"),
      });
    });
  });
});
