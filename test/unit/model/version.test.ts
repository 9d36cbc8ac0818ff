import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { VERSION } from "../../../src/model/version.ts";

it("is the version in package.json", async () => {
  const path = new URL("../../../package.json", import.meta.url);
  const { version } = JSON.parse(await readFile(path, "utf8")) as { version: string };
  expect(VERSION).toBe(version);
});
