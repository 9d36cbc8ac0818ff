/**
 * Draws the app's icons from `public/icon.svg` in Chromium: `node scripts/make-icons.mjs`.
 * Run it after changing the SVG; the PNGs are committed.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";
import { findChromium } from "./find-chromium.mjs";

const PUBLIC = fileURLToPath(new URL("../public/", import.meta.url));
const svg = readFileSync(`${PUBLIC}icon.svg`, "utf8");

/** A maskable icon fills its square and keeps its picture inside the inner 80 %. */
const maskable = svg
  .replace(/ rx="112"/, "")
  .replace('transform="translate(96 112)"', 'transform="translate(128 140.8) scale(0.8)"');

const ICONS = [
  { name: "icon-192.png", size: 192, source: svg },
  { name: "icon-512.png", size: 512, source: svg },
  { name: "icon-maskable-512.png", size: 512, source: maskable },
];

const system = await findChromium();
const browser = await chromium.launch({
  ...(system === null ? {} : { executablePath: system }),
  args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
});
try {
  for (const { name, size, source } of ICONS) {
    const page = await browser.newPage({ viewport: { width: size, height: size } });
    await page.setContent(
      `<style>*{margin:0}svg{display:block;width:${size}px;height:${size}px}</style>${source}`,
    );
    writeFileSync(PUBLIC + name, await page.screenshot({ omitBackground: true }));
    await page.close();
    console.log(`public/${name}`);
  }
} finally {
  await browser.close();
}
