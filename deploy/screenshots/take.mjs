// Takes the pictures of the console that the README links, of a demo that runs:
//
//   deploy/install-tools.sh console && cargo build && target/debug/instep demo --drift
//   INSTEP_CONFIG=... instep sync      # with the --config that the demo prints
//   # change a rule in the rules.toml beside it, and: instep reload
//   node deploy/screenshots/take.mjs http://127.0.0.1:PORT     # the demo's address
//
// They are made small by pngquant, if it is there. The page for signing in is of a process that has
// users of its own: give its address as a second argument.

import { createRequire } from "node:module";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const require = createRequire(fileURLToPath(new URL("../../target/tools/console/package.json", import.meta.url)));
const { chromium } = require("playwright-core");
const [base, closed] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath: process.env.INSTEP_CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});

/** A picture of what stands at the top of a page. */
async function shot(name, path, { height = 900, at = base, ...options } = {}) {
  const context = await browser.newContext({ baseURL: at, viewport: { width: 1100, height }, ...options });
  const page = await context.newPage();
  await page.goto(path);
  const whole = await page.evaluate(() => document.documentElement.scrollHeight);
  const [width, most] = [page.viewportSize().width, page.viewportSize().height];
  await page.screenshot({ path: here + name + ".png", fullPage: true, clip: { x: 0, y: 0, width, height: Math.min(whole, most) } });
  await context.close();
  spawnSync("pngquant", ["--force", "--ext", ".png", "--skip-if-larger", "--strip", "64", here + name + ".png"]);
}

/** The address behind the first link whose address begins so. */
async function first(path, begins) {
  const page = await browser.newPage({ baseURL: base });
  await page.goto(path);
  const found = await page.locator(`main a[href^="${begins}"]`).first().getAttribute("href");
  await page.close();
  return found;
}

const dead = await first("/console/deliveries?state=dead&event=employee.updated", "/console/deliveries/");
const person = await first(dead, "/console/people/");
const cause = await first("/console/failures", "/console/failures/");
const version = await first("/console/rules", "/console/rules/bob/");

// A preview that somebody must confirm.
const page = await browser.newPage({ baseURL: base });
await page.goto("/console/deliveries?state=done");
await page.getByLabel("All that fit the filter").check();
await page.getByLabel("Why", { exact: true }).fill("the LMS was set back by a day");
await page.getByRole("button", { name: "Preview the replay" }).click();
await page.getByText("It can be confirmed until").waitFor();
const preview = new URL(page.url()).pathname;
await page.close();
const runs = await browser.newPage({ baseURL: base });
await runs.goto("/console/runs");
const run = await runs.locator("tr", { hasText: "Full sync of" }).locator("a").first().getAttribute("href");
await runs.close();

const phone = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 1.5 };
await shot("now", "/console", { height: 1250 });
await shot("now-dark", "/console", { colorScheme: "dark" });
await shot("now-phone", "/console", phone);
await shot("people", "/console/people?q=" + person.split("/").pop());
await shot("person", person, { height: 1000 });
await shot("deliveries", "/console/deliveries");
await shot("delivery", dead);
await shot("failures", "/console/failures");
await shot("cause", cause, { height: 1000 });
await shot("preview", preview, { height: 1250 });
await shot("runs", "/console/runs");
await shot("run", run, { height: 1250 });
await shot("slice", run + "/slices/deactivate");
await shot("rules", "/console/rules");
await shot("difference", version);
await shot("audit", "/console/audit");
if (closed) await shot("sign-in", "/console", { at: closed, height: 500 });
await browser.close();
