/** A language worker whose model is a script: for what happens around models, without loading one. */

import { AppError, throwIfAborted } from "../../src/errors.ts";
import { serveLanguageModels } from "../../src/platform/browser/language/language-host.ts";
import type { WorkerScope } from "../../src/platform/browser/worker-scope.ts";

/** The last message says what happens: "count N", "crash", "hang", "die". */
serveLanguageModels(self as unknown as WorkerScope, (spec, { onProgress }) => {
  onProgress(0.5);
  return Promise.resolve({
    info: { contextTokens: spec.contextTokens, backend: "script" },
    async *stream(request, signal) {
      const [command, count] = request.messages.at(-1)!.content.split(" ");
      if (command === "crash")
        throw new AppError("model_failed", "It crashed.", { retryable: true });
      if (command === "die") self.close();
      if (command === "hang" || command === "die")
        await new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason as Error)),
        );
      let text = "";
      for (let i = 1; i <= Number(count); i++) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        throwIfAborted(signal);
        text += `${i} `;
        yield `${i} `;
      }
      return {
        text,
        finishReason: "stop" as const,
        usage: { inputTokens: 1, outputTokens: Number(count) },
        model: spec.name,
      };
    },
    close: () => Promise.resolve(),
  });
});
