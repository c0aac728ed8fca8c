// A real browser for the console's tests: pages that note every error and every breach of the
// content security policy, and what is checked of each page.

import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

// The packages lie in target/tools, not beside this file.
const require = createRequire(process.env.INSTEP_TOOLS + "/package.json");
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const base = process.env.INSTEP_CONSOLE;
const shots = process.env.INSTEP_SHOTS;
const failures = [];

// How long anything may take: the machine may be busy with other tests.
export const PATIENCE = 30_000;

/** Notes that something is not as it should be, and goes on. */
export function check(is_so, what) {
  if (!is_so) {
    failures.push(what);
    console.error("FAILED: " + what);
  }
}

/** Opens the browser, does what is asked, and ends with what failed. */
export async function withBrowser(body) {
  const executablePath = process.env.INSTEP_CHROMIUM || "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  try {
    await body(browser);
  } catch (error) {
    failures.push(String(error.stack || error));
  } finally {
    await browser.close();
  }
  for (const failure of failures) console.error("- " + failure);
  console.log(failures.length === 0 ? "all is well" : failures.length + " failed");
  process.exitCode = failures.length === 0 ? 0 : 1;
}

/** A browser window of one person; `options` are playwright's. */
export async function person(browser, options = {}) {
  const context = await browser.newContext({ baseURL: base, viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.expected = [];
  page.on("console", (message) => {
    const text = message.text();
    const known = page.expected.some((part) => text.includes(part));
    if (["error", "warning"].includes(message.type()) && !known) {
      check(false, page.url() + " says: " + text);
    }
  });
  page.on("pageerror", (error) => check(false, page.url() + " breaks: " + error));
  return page;
}

/** What axe-core finds wrong. */
export async function accessible(page, name) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const violation of found.violations) {
    const where = violation.nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(" | ");
    check(false, `${name}: axe: ${violation.id}: ${violation.help}: ${where}`);
  }
}

/** Nothing is wider than the window. */
export async function fits(page, name) {
  const wide = await page.evaluate(() => ({
    page: document.documentElement.scrollWidth,
    window: document.documentElement.clientWidth,
  }));
  check(wide.page <= wide.window, `${name}: ${wide.page} px wide in ${wide.window} px`);
}

/** How much has moved without anybody's doing since the page was opened. */
export async function shifted(page, name) {
  const shift = await page.evaluate(() => new Promise((tell) => {
    let sum = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => tell(sum)));
  }));
  check(shift === 0, `${name}: what is there moves: ${shift}`);
}

/** A picture, if somebody wants pictures. */
export async function shot(page, name, options = { fullPage: true }) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, name + ".png"), ...options });
}
