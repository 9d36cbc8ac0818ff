/** What a newcomer does, in the order they do it, on one browser profile. */

import { dropFiles, expect, openPage, remember, search, test } from "./browser.ts";

const FERRY = `Subject: Ferry timetable
From: Ingrid Solheim <ingrid@harbour.example>
To: crew@harbour.example
Date: Tue, 12 Mar 2024 09:15:00 +0100
Message-ID: <ferry-1@harbour.example>
Content-Type: text/plain; charset=utf-8

The ferry to Bergen leaves from the south pier until the repairs are done.
Two boats broke their moorings in the storm on Sunday.
The works cost 48,000 kroner.
`;
const CAKE = "# Plum cake\n\nGrandmother's plum cake needs six eggs and a pound of plums.\n";
const EXPORT = JSON.stringify([
  {
    title: "Train to Oslo",
    create_time: 1709900000,
    mapping: {
      root: { id: "root", parent: null, children: ["a"], message: null },
      a: {
        id: "a",
        parent: "root",
        children: ["b"],
        message: {
          id: "a",
          author: { role: "user" },
          create_time: 1709900001,
          content: { content_type: "text", parts: ["Which train goes to Oslo in the morning?"] },
        },
      },
      b: {
        id: "b",
        parent: "a",
        children: [],
        message: {
          id: "b",
          author: { role: "assistant" },
          create_time: 1709900002,
          content: { content_type: "text", parts: ["The 06:52 from Bergen arrives at 13:35."] },
        },
      },
    },
    current_node: "b",
  },
]);

test("from a first visit to an offline memory that survives the browser", async ({ profile }) => {
  let context = await profile.start();
  let page = await openPage(context);

  await test.step("the first visit says what this is, and how big the model's download is", async () => {
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("A memory for your text");
    await expect(page.getByRole("button", { name: /^Install the model/ })).toBeVisible();
    await expect(page.getByText(/2\d(\.\d)? MB/).first()).toBeVisible();
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  });

  await test.step("files are recognised and remembered; a picture is refused in plain words", async () => {
    await dropFiles(page, [
      { name: "ferry.eml", mimeType: "message/rfc822", text: FERRY },
      { name: "cake.md", text: CAKE },
      { name: "conversations.json", text: EXPORT },
      {
        name: "picture.png",
        text: Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13),
      },
    ]);
    await expect(page.getByText("4 memories,")).toBeVisible({ timeout: 60_000 });
    await expect(page.getByText("1 item could not be remembered")).toBeVisible();
    await expect(
      page.getByRole("listitem").filter({ hasText: "picture.png" }).first(),
    ).toBeVisible();
    for (const format of ["Mails", "Markdown", "ChatGPT export"])
      await expect(page.getByLabel("Recognised").getByText(format)).toBeVisible();
  });

  await test.step("keyword search works before any model is there", async () => {
    await search(page, "ferry bergen");
    await expect(page.getByRole("article").first()).toContainText("ferry to Bergen");
    await expect(page.locator("mark").first()).toHaveText(/ferry/i);
  });

  await test.step("the model is installed with progress; what was remembered gets its vectors", async () => {
    await page.goto("./#/settings");
    await page
      .getByRole("button", { name: /^Install the model/ })
      .first()
      .click();
    await expect(page.getByText("Installed.").first()).toBeVisible({ timeout: 60_000 });
    await search(page, "dessert recipe with fruit");
    await expect(page.getByRole("article").first()).toContainText("plum", { timeout: 60_000 });
  });

  await test.step("a result opens with its summary, ratios and the exact original", async () => {
    await page.getByRole("article").first().getByRole("link").click();
    await expect(page.getByText("Grandmother's plum cake needs six eggs").first()).toBeVisible();
    await expect(page.getByText(/kept exactly/i).first()).toBeVisible();
  });

  await test.step("after a reload, and offline after another, everything works", async () => {
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.reload();
    await context.setOffline(true);
    await page.reload();
    await search(page, "which boats were damaged by bad weather");
    await expect(page.getByRole("article").first()).toContainText(/moorings|storm/, {
      timeout: 60_000,
    });
    await context.setOffline(false);
  });

  await test.step("after the browser was closed and started again, all is there", async () => {
    await profile.quit();
    context = await profile.start();
    page = await openPage(context);
    await search(page, "train to oslo");
    await expect(page.getByRole("article").first()).toContainText(/Oslo|06:52/);
    await page.goto("./#/library");
    await expect(page.getByText("Plum cake").first()).toBeVisible();
  });
});

test("what was forgotten can be brought back, and what was erased can't be found", async ({
  profile,
}) => {
  const page = await openPage(await profile.start());
  await remember(page, "The spare key is under the blue flowerpot.", "Spare key");
  await search(page, "flowerpot");
  await page.getByRole("article").first().getByRole("link").click();
  await page.getByRole("button", { name: "Forget" }).first().click();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: /forget/i })
    .click();
  await page.getByRole("button", { name: "Undo" }).click();
  await search(page, "flowerpot");
  await expect(page.getByRole("article").first()).toContainText("blue flowerpot");
});

test("installs as an app: the manifest, its icons and the service worker are there", async ({
  profile,
}) => {
  const page = await openPage(await profile.start());
  const manifest = await page.evaluate(async () => {
    const link = document.querySelector<HTMLLinkElement>('link[rel="manifest"]');
    return link ? ((await (await fetch(link.href)).json()) as Record<string, unknown>) : null;
  });
  expect(manifest).toMatchObject({ display: "standalone", start_url: "./" });
  const icons = manifest!["icons"] as { src: string; sizes: string }[];
  expect(icons.map((icon) => icon.sizes)).toEqual(expect.arrayContaining(["192x192", "512x512"]));
  for (const icon of icons) expect((await page.request.get(`./${icon.src}`)).status()).toBe(200);
  const scope = await page.evaluate(
    async () => (await navigator.serviceWorker.ready).active?.scriptURL ?? "",
  );
  expect(scope).toContain("sw.js");
});
