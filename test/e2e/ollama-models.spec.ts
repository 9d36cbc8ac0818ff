/** Models on an Ollama server, from the Models page: installed, asked, removed. */

import { startOllamaServer, type LlmServer } from "../support/llm-servers/index.ts";
import { expect, openPage, test } from "./browser.ts";

/** Of the catalogue, so that the page offers it. */
const NAME = "gemma3:4b";
const SIZE_BYTES = 3_338_801_804;

test.describe("with an Ollama server", () => {
  let server: LlmServer;
  test.beforeEach(async () => {
    server = await startOllamaServer({
      models: [],
      library: [
        {
          name: NAME,
          parameterSize: "4.3B",
          sizeBytes: SIZE_BYTES,
          contextTokens: 131_072,
          layers: [{ digest: `sha256:${"d".repeat(64)}`, sizeBytes: SIZE_BYTES }],
        },
      ],
    });
  });
  test.afterEach(() => server.close());

  test("a model is installed on it, answers, and is removed", async ({ profile }) => {
    const page = await openPage(await profile.start());
    await page.goto("./#/models");
    const card = page.locator("details", { hasText: "Ollama" }).last();
    await card.locator("summary").first().click();
    await card.getByLabel("Address").fill(server.url);
    await card.getByRole("button", { name: /^Save address/ }).click();
    await expect(page.getByText("Ollama: saved.")).toBeVisible();

    const row = page.getByRole("article", { name: /Gemma 3 4B/i }).filter({ hasText: "Ollama" });
    // What isn't in use yet stands in a list of its own, which may be folded up.
    for (const fold of await page.locator("details:not([open])", { has: row }).all())
      await fold.locator("summary").first().click();
    await row.getByRole("button", { name: /^Install/ }).click();
    await expect(page.getByRole("dialog")).toContainText("stay on the Ollama server");
    await page.getByRole("dialog").getByRole("button", { name: "Install" }).click();
    await expect(row.getByText("ready", { exact: true })).toBeVisible();

    server.respond("I am here.");
    await row.getByRole("button", { name: /^Try it/ }).click();
    await expect(row.getByText("I am here.")).toBeVisible();

    await row.getByRole("button", { name: /^Remove/ }).click();
    await expect(page.getByRole("dialog")).toContainText("deleted from the Ollama server (");
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await expect(row.getByRole("button", { name: /^Remove/ })).toBeHidden();
    expect(
      server.requests.filter(({ method, path }) => `${method} ${path}` === "DELETE /api/delete"),
    ).toHaveLength(1);
  });
});
