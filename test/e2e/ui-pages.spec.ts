/** Every page: without accessibility violations in light and dark, on a narrow screen, by keyboard alone. */

import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, openPage, remember, search, test } from "./browser.ts";

const LETTER = `The harbour council met on 12 March 2024 in Bergen. Ingrid Solheim reported that two
boats broke their moorings in the storm. The repairs cost 48,000 kroner and take three weeks.
Until then the ferry leaves from the south pier. Nobody was hurt.`;

const PAGES = ["search", "remember", "library", "statistics", "sql", "settings", "nowhere"];

async function expectNoViolations(page: Page, name: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ""}`);
  expect(found, name).toEqual([]);
}

async function expectNoSidewaysScroll(page: Page, name: string): Promise<void> {
  const surplus = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(surplus, `${name} is wider than the screen by`).toBeLessThanOrEqual(0);
}

async function openMemory(page: Page): Promise<void> {
  await search(page, "ferry moorings");
  await page.getByRole("article").first().getByRole("link").click();
  await expect(page.getByRole("heading", { name: "How good the summary is" })).toBeVisible();
}

for (const colorScheme of ["light", "dark"] as const)
  test(`no accessibility violations, ${colorScheme}`, async ({ profile }) => {
    const page = await openPage(await profile.start());
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("A memory for your text");
    await expectNoViolations(page, "first visit");
    await remember(page, LETTER, "Harbour council");
    for (const name of PAGES) {
      await page.goto(`./#/${name}`);
      await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1);
      await page.waitForTimeout(300);
      await expectNoViolations(page, name);
    }
    await search(page, "ferry moorings");
    await expect(page.getByRole("article").first()).toBeVisible();
    await page.getByRole("button", { name: "Filters" }).click();
    await expectNoViolations(page, "results and filters");
    await openMemory(page);
    await expectNoViolations(page, "memory");
    await page.getByRole("button", { name: "Edit" }).click();
    await expectNoViolations(page, "edit dialog");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+k");
    await expect(page.getByRole("combobox")).toBeFocused();
    await expectNoViolations(page, "commands");
  });

test("nothing is wider than a screen of 360 pixels", async ({ profile }) => {
  const page = await openPage(await profile.start({ viewport: { width: 360, height: 740 } }));
  await remember(page, LETTER, "Harbour council");
  for (const name of PAGES) {
    await page.goto(`./#/${name}`);
    await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1);
    await page.waitForTimeout(300);
    await expectNoSidewaysScroll(page, name);
  }
  await openMemory(page);
  await expectNoSidewaysScroll(page, "memory");
});

test("search, open, go back and reach every page without a mouse", async ({ profile }) => {
  const page = await openPage(await profile.start());
  await remember(page, LETTER, "Harbour council");
  // Who goes on from here by keyboard hasn't lost their place.
  await expect(page.getByRole("button", { name: "Remember this" })).toBeFocused();

  await page.keyboard.press("Control+k");
  await page.keyboard.type("library");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Library" })).toBeFocused();

  await page.keyboard.press("Control+k");
  await page.keyboard.type("ferry");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("article").first()).toContainText("ferry");
  await page.keyboard.press("/");
  await expect(page.getByLabel("Search your memories")).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(/harbour council/i);
  await expect(page).toHaveTitle(/^Memory/);

  await page.getByRole("link", { name: "Back" }).press("Enter");
  await expect(page.getByLabel("Search your memories")).toHaveValue("ferry");
});

test("filters live in the address and survive a reload", async ({ profile }) => {
  const page = await openPage(await profile.start());
  await remember(page, LETTER, "Harbour council");
  await page.goto("./#/search?q=ferry&before=2001-01-01");
  await expect(page.getByRole("heading", { name: "Nothing found for “ferry”" })).toBeVisible();
  await page.reload();
  await expect(page.getByRole("button", { name: "Remove filter until: 2001-01-01" })).toBeVisible();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(page.getByRole("article").first()).toContainText("ferry");
});

test("editing checks what is typed; erasing everything asks for the word", async ({ profile }) => {
  const page = await openPage(await profile.start());
  await remember(page, LETTER, "Harbour council");
  await openMemory(page);
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByRole("button", { name: "Add a field" }).click();
  await page.getByLabel("Value of the new field").fill("blue");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("This value needs a field name.")).toBeVisible();
  await page.getByLabel("Field name").last().fill("colour");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("colour", { exact: true })).toBeVisible();

  await page.goto("./#/settings");
  await page.getByRole("button", { name: "Erase everything…" }).click();
  const erase = page.getByRole("dialog").getByRole("button", { name: "Erase everything" });
  await expect(erase).toBeDisabled();
  await page.getByLabel("Type erase to confirm").fill("erase");
  await erase.click();
  await page.goto("./#/library");
  await expect(page.getByRole("heading", { name: "Nothing is kept yet" })).toBeVisible();
});
