import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { measure } from "../../../scripts/check-size.mjs";
import { findChromium } from "../../../scripts/find-chromium.mjs";
import { checkNode, isInstalled } from "../../../scripts/setup.mjs";

let folder: string;
const write = (path: string, content: unknown) => {
  const absolute = join(folder, path);
  mkdirSync(join(absolute, ".."), { recursive: true });
  writeFileSync(absolute, typeof content === "string" ? content : JSON.stringify(content));
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "setup-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("checkNode", () => {
  it("lets Node 20.19 and newer pass and says what to do on an older one", () => {
    for (const version of ["20.19.0", "20.20.2", "22.0.0", "24.1.3"]) checkNode(version);
    for (const version of ["20.18.3", "18.20.0"])
      expect(() => checkNode(version)).toThrow(/needs Node 20\.19 or newer; this is Node/);
  });
});

describe("isInstalled", () => {
  const lock = {
    packages: {
      "": {},
      "node_modules/a": { version: "1.0.0" },
      "node_modules/other-system": { version: "1.0.0", optional: true },
    },
  };

  it("sees missing, stale and complete dependencies", () => {
    write("package-lock.json", lock);
    expect(isInstalled(folder)).toBe(false);
    write("node_modules/.package-lock.json", {
      packages: { "node_modules/a": { version: "0.9.0" } },
    });
    write("node_modules/a/package.json", {});
    expect(isInstalled(folder)).toBe(false);
    write("node_modules/.package-lock.json", {
      packages: { "node_modules/a": { version: "1.0.0" } },
    });
    expect(isInstalled(folder)).toBe(true);
  });

  it("takes half-deleted or unreadable dependencies for missing", () => {
    write("package-lock.json", lock);
    write("node_modules/.package-lock.json", {
      packages: { "node_modules/a": { version: "1.0.0" } },
    });
    expect(isInstalled(folder)).toBe(false);
    write("node_modules/.package-lock.json", "{ broken");
    expect(isInstalled(folder)).toBe(false);
  });
});

describe("findChromium", () => {
  it("takes CHROMIUM_PATH first, and says when it is wrong", async () => {
    expect(await findChromium({ CHROMIUM_PATH: process.execPath })).toBe(process.execPath);
    await expect(findChromium({ CHROMIUM_PATH: "/nowhere/chromium" })).rejects.toThrow(
      /CHROMIUM_PATH is/,
    );
  });

  it("finds a browser on the path", async () => {
    write("bin/chromium", "");
    expect(await findChromium({ PATH: join(folder, "bin") })).toBe(join(folder, "bin", "chromium"));
  });
});

describe("the size budget", () => {
  it("counts what the page loads at once, static imports included, lazy ones not", () => {
    write(
      "index.html",
      '<script type="module" src="./assets/a.js"></script><link href="./assets/a.css">',
    );
    write("assets/a.js", 'import{x}from"./b.js";import("./lazy.js");x();');
    write("assets/b.js", "export const x = () => 1;");
    write("assets/lazy.js", "y".repeat(1000));
    write("assets/a.css", "p{}");
    const [scripts, styles] = measure(folder);
    const before = scripts!.bytes;
    expect(styles!.bytes).toBeGreaterThan(0);
    write("assets/lazy.js", Math.PI.toString().repeat(1000));
    expect(measure(folder)[0]!.bytes).toBe(before);
    write("assets/b.js", `export const x = () => "${Math.random()}";`);
    expect(measure(folder)[0]!.bytes).toBeGreaterThan(before);
  });
});
