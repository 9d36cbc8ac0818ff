/** A Chromium with a profile of its own on disk: what a person's browser keeps between starts. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  test as base,
  chromium,
  expect,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from "@playwright/test";
import config from "../../playwright.config.ts";

export class Profile {
  readonly directory: string;
  #context: BrowserContext | null = null;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Starts the browser; called again after `quit`, it is the same profile. */
  async start(
    options: Pick<BrowserContextOptions, "viewport" | "serviceWorkers"> = {},
  ): Promise<BrowserContext> {
    this.#context = await chromium.launchPersistentContext(this.directory, {
      ...config.use!.launchOptions,
      baseURL: config.use!.baseURL!,
      ...options,
    });
    return this.#context;
  }

  async quit(): Promise<void> {
    await this.#context?.close();
    this.#context = null;
  }
}

export const test = base.extend<{ profile: Profile }>({
  // eslint-disable-next-line no-empty-pattern -- Playwright reads the parameter's form
  profile: async ({}, use) => {
    const directory = await mkdtemp(join(tmpdir(), "llm-compression-profile-"));
    const profile = new Profile(directory);
    await use(profile);
    await profile.quit();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  },
});

export { expect };

export async function openPage(context: BrowserContext, path = "./"): Promise<Page> {
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto(path);
  return page;
}

/** Gives files to the page's file picker. */
export async function dropFiles(
  page: Page,
  files: { name: string; mimeType?: string; text: string | Uint8Array }[],
): Promise<void> {
  await page
    .locator('input[type="file"]')
    .first()
    .setInputFiles(
      files.map((file) => ({
        name: file.name,
        mimeType: file.mimeType ?? "text/plain",
        buffer: Buffer.from(file.text),
      })),
    );
}

/** Pastes a text and waits until it is stored. */
export async function remember(page: Page, text: string, title: string): Promise<void> {
  await page.goto("./#/remember");
  await page.getByLabel("Title (optional)").fill(title);
  await page.getByLabel("Text", { exact: true }).fill(text);
  await page.getByRole("button", { name: "Remember this" }).click();
  await expectImported(page, `Remember “${title}”`, "1 memory,");
}

/** Waits until the panel of an import says how much was stored. */
export async function expectImported(
  page: Page,
  title: string | RegExp,
  stored: string,
): Promise<void> {
  const panel = page.getByRole("article", { name: title });
  await expect(panel.getByText(stored)).toBeVisible({ timeout: 60_000 });
}

/** Types a query on the search page and waits for its results. */
export async function search(page: Page, query: string): Promise<void> {
  await page.goto("./#/search");
  await page.getByLabel("Search your memories").fill(query);
}
