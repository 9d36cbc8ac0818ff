/** The pages around language models: comparing, judging, models, costs, episodes, retention, context. */

import { createServer, request as forward, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { startOpenAiServer, type LlmServer } from "../support/llm-servers/index.ts";
import { dropFiles, expect, expectImported, openPage, remember, search, test } from "./browser.ts";

const MINUTES = `The harbour council met on 12 March 2024 in Bergen. Ingrid Solheim reported that two
boats broke their moorings in the storm on Sunday night. The repairs of the moorings cost 48,000
kroner and take three weeks. Until the repairs are done the ferry to Askøy leaves from the south
pier. Nobody was hurt in the storm. Knut Aasen asked whether the insurance pays for the repairs.
Ingrid Solheim expects a letter from the insurer by 22 March 2024. The council agreed to buy four
new fenders for the north pier. Liv Dahl will order the fenders from a yard in Stavanger. She was
told that they cost 6,200 kroner apiece. The lights on the north pier will be looked at in April.
There was some talk about the coffee machine in the office, which drips. Most thought that it can
wait. The next meeting of the council is on 9 April 2024 at the harbour office.`;

/** A changed number: what a gate is for. */
const FALSE_SUMMARY =
  "Ingrid Solheim reported that two boats broke their moorings. The repairs of the moorings cost 84,000 kroner and take three weeks.";

const NEW_PAGES = ["compare", "compare?view=judge", "models", "costs", "episodes", "retention"];

function mail(index: number, day: string, from: string, body: string): string {
  return [
    `Subject: ${index === 1 ? "" : "Re: "}Moorings on the north pier`,
    `From: ${from} <${from.split(" ")[0]!.toLowerCase()}@harbour.example>`,
    "To: crew@harbour.example",
    `Date: ${day} +0100`,
    `Message-ID: <moorings-${index}@harbour.example>`,
    ...(index === 1 ? [] : [`In-Reply-To: <moorings-${index - 1}@harbour.example>`]),
    ...(index === 1
      ? []
      : [
          `References: ${Array.from({ length: index - 1 }, (_, at) => `<moorings-${at + 1}@harbour.example>`).join(" ")}`,
        ]),
    "Content-Type: text/plain; charset=utf-8",
    "",
    body,
    "",
  ].join("\r\n");
}

const THREAD = [
  mail(
    1,
    "Mon, 11 Mar 2024 09:15:00",
    "Ingrid Solheim",
    "Two boats broke their moorings on the north pier in the storm on Sunday. The boats are the Havfrue and the Stormfugl. Nobody was hurt. The ferry to Askøy leaves from the south pier until the moorings are repaired. I asked the yard in Stavanger for an offer.",
  ),
  mail(
    2,
    "Tue, 12 Mar 2024 10:02:00",
    "Knut Aasen",
    "The yard in Stavanger offers to repair the moorings for 48,000 kroner. The work takes three weeks and can begin on 18 March 2024. The insurer wants photographs of the broken ropes. I took them this morning and sent them to the insurer.",
  ),
  mail(
    3,
    "Thu, 14 Mar 2024 16:40:00",
    "Liv Dahl",
    "The council accepted the offer of the yard in Stavanger for 48,000 kroner. The insurer pays 30,000 kroner of it. The rest comes from the fund for the piers. The yard begins on 18 March 2024 with the mooring of the Havfrue.",
  ),
  mail(
    4,
    "Mon, 8 Apr 2024 08:30:00",
    "Ingrid Solheim",
    "The yard finished the moorings on the north pier on 5 April 2024. The ferry to Askøy leaves from the north pier again from 9 April 2024. The Havfrue and the Stormfugl are back at their places. Thank you all for your patience with the south pier.",
  ),
];

/** A page may only ask servers that allow its origin; the stand-in behind it needn't know of that. */
async function allowOrigins(target: string): Promise<{ url: string; close: () => void }> {
  const server: Server = createServer((incoming, outgoing) => {
    const cors = {
      "access-control-allow-origin": "*",
      "access-control-allow-headers": "*",
      "access-control-allow-methods": "*",
      "access-control-expose-headers": "*",
    };
    if (incoming.method === "OPTIONS") {
      outgoing.writeHead(204, cors).end();
      return;
    }
    const { origin: _origin, host: _host, ...headers } = incoming.headers;
    const onward = forward(
      new URL(incoming.url ?? "/", target),
      { method: incoming.method ?? "GET", headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...cors });
        answer.pipe(outgoing);
      },
    );
    onward.on("error", () => outgoing.writeHead(502, cors).end());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function installEmbedder(page: Page): Promise<void> {
  await page.goto("./#/remember");
  await page
    .getByRole("button", { name: /^Install the model/ })
    .first()
    .click();
  await expect(page.getByText(/^Installed\. Search by meaning works/).first()).toBeVisible({
    timeout: 120_000,
  });
}

async function openMemory(page: Page, query: string): Promise<void> {
  await search(page, query);
  await page.getByRole("article").first().getByRole("link").click();
  await expect(page.getByRole("heading", { name: "How good the summary is" })).toBeVisible();
}

async function expectNoViolations(page: Page, name: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ""}`);
  expect(found, name).toEqual([]);
}

async function expectNoSidewaysScroll(page: Page, name: string): Promise<void> {
  const surplus = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(surplus, `${name} is wider than the screen by`).toBeLessThanOrEqual(0);
}

for (const colorScheme of ["light", "dark"] as const)
  test(`the new pages have no accessibility violations, ${colorScheme}`, async ({ profile }) => {
    const page = await openPage(await profile.start());
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await remember(page, MINUTES, "Minutes of March");
    for (const name of NEW_PAGES) {
      await page.goto(`./#/${name}`);
      await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1);
      await page.waitForTimeout(500);
      await expectNoViolations(page, name);
    }
    await page.goto("./#/models");
    await page.getByRole("button", { name: "Add the model" }).click();
    await expect(page.getByText("The address of the weights is needed.")).toBeVisible();
    for (const summary of await page.locator("details > summary").all()) await summary.click();
    await expectNoViolations(page, "models, all unfolded");
    await page.goto("./#/retention");
    await page.getByRole("button", { name: "Add a rule" }).click();
    await page.getByRole("button", { name: "Preview what would go" }).click();
    await expect(page.getByRole("heading", { name: /would move/ })).toBeVisible();
    await expectNoViolations(page, "retention with a preview");
  });

test("the new pages fit on a screen of 360 pixels and are reached there", async ({ profile }) => {
  const page = await openPage(await profile.start({ viewport: { width: 360, height: 740 } }));
  await remember(page, MINUTES, "Minutes of March");
  for (const name of NEW_PAGES) {
    await page.goto(`./#/${name}`);
    await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1);
    await page.waitForTimeout(500);
    await expectNoSidewaysScroll(page, name);
  }
  await page.goto("./#/settings");
  for (const name of ["Models", "Costs", "Retention", "Episodes"]) {
    await page.getByRole("main").getByRole("link", { name, exact: true }).first().click();
    await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
    await page.goBack();
  }
});

test("a memory is compared with its summaries, by keyboard too", async ({ profile }) => {
  const page = await openPage(await profile.start());
  await installEmbedder(page);
  await remember(page, MINUTES, "Minutes of March");
  await openMemory(page, "moorings ferry");
  await page.getByRole("link", { name: "Compare summaries" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Compare: Minutes of March");

  await test.step("candidates, each with its verdict, size and reasons", async () => {
    await expect(page.getByRole("heading", { name: "Candidates" })).toBeVisible({
      timeout: 60_000,
    });
    await expect(page.getByRole("radio").first()).toBeVisible();
    await expect(page.getByText(/the quality gate/).first()).toBeVisible();
    await expect(page.getByText(/above 0\.8\d needed/).first()).toBeVisible();
    await expect(
      page.getByRole("radio", { name: /Sentences of the original/ }).first(),
    ).toBeVisible();
  });

  await test.step("a sentence leads to its source and back, without a mouse", async () => {
    const sentence = page.locator("#linked-summary ~ * [role=button]").first();
    await sentence.focus();
    await page.keyboard.press("Enter");
    await expect(sentence).toHaveAttribute("aria-pressed", "true");
    const quoted = (await page.locator("blockquote").first().innerText()).split(" · match")[0]!;
    expect(MINUTES.replace(/\s+/g, " ")).toContain(quoted.replace(/\s+/g, " ").trim());
    const lit = page.getByRole("region", { name: /^Original/ }).locator("[aria-pressed=true]");
    await expect(lit.first()).toBeVisible();
    await page.getByRole("button", { name: "Show it in the original" }).press("Enter");
    await expect(lit.first()).toBeFocused();
    await page.keyboard.press("Escape");
  });

  await test.step("what was dropped is listed", async () => {
    await expect(page.getByRole("heading", { name: "What was given up" })).toBeVisible();
    await expectNoViolations(page, "compare with a result");
  });

  await test.step("the summary is written again on request", async () => {
    await page.getByLabel("Effort for summaries").selectOption("balanced");
    await page.getByRole("button", { name: "Write the summary again" }).click();
    await expect(page.getByText(/1 summary looked at again/).first()).toBeVisible({
      timeout: 60_000,
    });
  });
});

test("a false summary is refused with its reason, a true one gets its links", async ({
  profile,
}) => {
  const page = await openPage(await profile.start());
  await installEmbedder(page);
  await page.goto("./#/remember");
  await page.getByLabel("Text", { exact: true }).fill(MINUTES);
  await page.getByRole("button", { name: "Compare summaries" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Compare" })).toBeVisible();
  await expect(page.getByLabel("Text", { exact: true })).toHaveValue(MINUTES);
  await page.getByRole("link", { name: "Remember" }).first().click();
  await expect(page.getByLabel("Text", { exact: true })).toHaveValue(MINUTES);
  await page.goBack();
  await page.getByRole("link", { name: "Judge a summary" }).click();
  await expect(page.getByLabel("Original text")).toHaveValue(MINUTES);

  await page.getByLabel("Summary to judge").fill(FALSE_SUMMARY);
  await page.getByRole("button", { name: "Judge it" }).click();
  await expect(page.getByText("Doesn't pass the quality gate")).toBeVisible({ timeout: 60_000 });
  await expect(page.getByText(/84,000/).nth(1)).toBeVisible();

  const honest = MINUTES.replace("Nobody was hurt in the storm. ", "");
  expect(honest).not.toBe(MINUTES);
  await page.getByLabel("Summary to judge").fill(honest);
  await page.getByRole("button", { name: "Judge it" }).click();
  await expect(page.getByText("Passes the quality gate")).toBeVisible({ timeout: 60_000 });
  await page.locator("#linked-summary ~ * [role=button]").nth(1).click();
  await expect(page.getByText(/Word for word from/).first()).toBeVisible();
});

test.describe("with a server for language models", () => {
  let server: LlmServer;
  let gate: { url: string; close: () => void };

  test.beforeEach(async () => {
    server = await startOpenAiServer({ models: ["small-writer"] });
    gate = await allowOrigins(server.url);
  });

  test.afterEach(async () => {
    gate.close();
    await server.close();
  });

  test("it is added, tried, used, counted and removed", async ({ profile }) => {
    const page = await openPage(await profile.start());
    await installEmbedder(page);
    await remember(page, MINUTES, "Minutes of March");
    await page.goto("./#/models");

    await test.step("mistakes are named beside their fields", async () => {
      await page.getByLabel("Where it runs").selectOption("openai-compatible");
      await page.getByLabel("Name, as the server calls it").fill("small writer");
      await page.getByRole("button", { name: "Add the model" }).click();
      await expect(page.getByText("The name is written without spaces.")).toBeVisible();
      await expect(page.getByLabel("Name, as the server calls it")).toBeFocused();
    });

    await test.step("address and key; the key is never shown again", async () => {
      const card = page.locator("details", { hasText: "OpenAI-compatible server" }).last();
      await card.locator("summary").first().click();
      await card.getByLabel("Address").fill("localhost");
      await card.getByRole("button", { name: /^Save address/ }).click();
      await expect(card.getByText("This is not an address.")).toBeVisible();
      await card.getByLabel("Address").fill(`${gate.url}/v1`);
      await card.getByRole("button", { name: /^Save address/ }).click();
      await expect(page.getByText("OpenAI-compatible server: saved.")).toBeVisible();
      await card.getByLabel("Key", { exact: true }).fill("test-key");
      await card.getByRole("button", { name: /^Set the key/ }).click();
      await expect(card.getByText("key held in memory", { exact: false }).first()).toBeVisible();
      await expect(card.getByLabel("Another key")).toHaveValue("");
      expect(await page.content()).not.toContain("test-key");
    });

    await test.step("the model is added and answers", async () => {
      server.respond("I am here.");
      await page.getByLabel("Name, as the server calls it").fill("small-writer");
      await page.getByLabel("Title (optional)").fill("Small writer");
      await page.getByRole("button", { name: "Add the model" }).click();
      const row = page.getByRole("article", { name: "Small writer" });
      await expect(row.getByText("ready", { exact: true })).toBeVisible({ timeout: 30_000 });
      await row.getByRole("button", { name: /^Try it/ }).click();
      await expect(row.getByText("I am here.")).toBeVisible();
      await expectNoViolations(page, "models with one of my own");
    });

    await test.step("the router says why it is taken, and its summary is judged", async () => {
      server.respond(FALSE_SUMMARY);
      await openMemory(page, "moorings ferry");
      await page.getByRole("link", { name: "Compare summaries" }).click();
      await page.getByLabel("Written by").selectOption({ label: "Small writer" });
      await page.getByRole("button", { name: /^Compare( again)?$/ }).click();
      const candidate = page.getByRole("radio", { name: /Small writer/ });
      await expect(candidate.first()).toBeVisible({ timeout: 60_000 });
      await candidate.first().check();
      await expect(page.getByText("Doesn't pass the quality gate").last()).toBeVisible();
      await expect(page.getByText(/84,000/).first()).toBeVisible();
      const asked = server.requests.filter((one) => JSON.stringify(one.body).includes("moorings"));
      expect(asked.length).toBeGreaterThan(0);
    });

    await test.step("calls are counted, and the budget is kept", async () => {
      await page.goto("./#/costs");
      await expect(page.getByRole("heading", { name: "Calls", exact: true })).toBeVisible();
      await expect(
        page.getByRole("region", { name: "Table of calls" }).getByText("Small writer").first(),
      ).toBeVisible();
      await page.getByLabel("Daily budget, US dollars").fill("lots");
      await page.getByRole("button", { name: "Set the budget" }).click();
      await expect(page.getByText("An amount in US dollars is needed")).toBeVisible();
      await page.getByLabel("Daily budget, US dollars").fill("0.25");
      await page.getByRole("button", { name: "Set the budget" }).click();
      await expect(page.getByText("of $0.25")).toBeVisible();
      await expectNoViolations(page, "costs with calls");
      await page.reload();
      await expect(page.getByText("of $0.25")).toBeVisible();
    });

    await test.step("removed, it is gone", async () => {
      await page.goto("./#/models");
      const row = page.getByRole("article", { name: "Small writer" });
      await row.getByRole("button", { name: /^Remove/ }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
      await expect(row).toBeHidden();
    });
  });
});

test("text doesn't leave the device until its owner says so", async ({ profile }) => {
  const page = await openPage(await profile.start());
  await page.goto("./#/models");
  const leave = page.getByLabel(/Text may leave this device/);
  await expect(leave).not.toBeChecked();
  await leave.check();
  await page.goto("./#/settings");
  await expect(page.getByText("You allowed text to leave this device:")).toBeVisible();
  await page.reload();
  await page.goto("./#/models");
  await expect(leave).toBeChecked();
  await leave.uncheck();
  await page.goto("./#/settings");
  await expect(page.getByText("The page sends no text anywhere.")).toBeVisible();
});

test("a thread becomes an episode; old detail fades as set, and comes back", async ({
  profile,
}) => {
  const page = await openPage(await profile.start());
  await installEmbedder(page);
  await page.goto("./#/remember");
  await dropFiles(
    page,
    THREAD.map((text, index) => ({ name: `${index + 1}.eml`, mimeType: "message/rfc822", text })),
  );
  await expectImported(page, /^Remember/, "4 memories,");
  await expect(page.getByText(/^Summaries by/)).toBeVisible();

  await test.step("the thread is one episode with a checked gist", async () => {
    await page.goto("./#/episodes");
    await page.getByRole("button", { name: "Build episodes" }).click();
    await expect(page.getByText(/1 episode with 4 of 4 memories/)).toBeVisible({ timeout: 60_000 });
    await page.getByRole("list", { name: "Episodes" }).getByRole("link").click();
    await expect(page.getByRole("heading", { name: "Members" })).toBeVisible();
    await expect(page.getByRole("article")).toHaveCount(4);
    await expect(page.getByText(/moorings/i).first()).toBeVisible();
    await expectNoViolations(page, "an episode");
    await page.getByRole("article").first().getByRole("link").click();
    await page.getByRole("link", { name: "part of an episode" }).click();
    await expect(page.getByRole("heading", { name: "Gist", exact: true })).toBeVisible();
  });

  await test.step("a rule shows what would go before anything goes", async () => {
    await page.goto("./#/retention");
    await page.getByRole("button", { name: "Add a rule" }).click();
    await page.getByLabel("Older than").fill("soon");
    await page.getByRole("button", { name: "Preview what would go" }).click();
    await expect(page.getByText("An age of one day to 200 years is needed")).toBeVisible();
    await page.getByLabel("Older than").fill("1");
    await page.getByLabel("Unit of the age").selectOption("years");
    await page.getByLabel("then").selectOption("gist");
    await expect(page.getByText("Older than 1 year → keep only the episode's gist")).toBeVisible();
    await page.getByRole("button", { name: "Preview what would go" }).click();
    await expect(page.getByRole("heading", { name: "4 memories would move" })).toBeVisible();
  });

  await test.step("applied, the gist speaks; taken back, the exact text does", async () => {
    await page.getByRole("button", { name: /^Let 4 memories fade/ }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Let them fade" }).click();
    await expect(page.getByText(/4 memories moved/).first()).toBeVisible({ timeout: 60_000 });
    await page.goto("./#/library?keep=gist");
    await expect(page.getByRole("article")).toHaveCount(4);
    await page.getByRole("article").first().getByRole("link").click();
    await expect(page.getByText("Its own detail was let go.")).toBeVisible();

    await page.goto("./#/retention");
    await page.getByRole("button", { name: "Bring back what faded" }).click();
    await expect(page.getByText("4 memories brought back as before.")).toBeVisible();
    await page.goto("./#/library?keep=exact");
    await expect(page.getByRole("article")).toHaveCount(4);
  });

  await test.step("with nothing left to take back it says so, after a reload too", async () => {
    for (const open of [() => page.goto("./#/retention"), () => page.reload()]) {
      await open();
      await expect(page.getByText(/Nothing can be taken back/)).toBeVisible();
      await expect(page.getByRole("button", { name: "Bring back what faded" })).toBeDisabled();
    }
  });
});

test("found memories are packed into a budget of tokens and copied", async ({ profile }) => {
  const context = await profile.start();
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await openPage(context);
  await remember(page, MINUTES, "Minutes of March");
  await search(page, "fenders Stavanger");
  await page.getByRole("button", { name: "Copy as context" }).click();
  await page.getByLabel("At most").selectOption("500");
  const pack = page.getByRole("region", { name: "The text" });
  await expect(pack).toContainText("Stavanger");
  await expect(page.getByText(/of 500 tokens in 1 part/)).toBeVisible();
  await page.getByRole("button", { name: "Copy the text" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("Stavanger");
  await page.getByText("Where each part comes from").click();
  await expectNoViolations(page, "context");
});

test("every new page is reached from the keyboard", async ({ profile }) => {
  const page = await openPage(await profile.start());
  await remember(page, MINUTES, "Minutes of March");
  for (const [typed, heading] of [
    ["models", "Models"],
    ["costs", "Costs"],
    ["episodes", "Episodes"],
    ["retention", "Retention"],
    ["judge", "Compare"],
  ] as const) {
    await page.keyboard.press("Control+k");
    await page.keyboard.type(typed);
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { level: 1, name: heading })).toBeFocused();
  }
});
