// Every page of the console in every guise: light and dark, on a phone, at 200 %, without
// JavaScript, by keyboard. `INSTEP_PAGES` holds them as JSON: [{"name": "now", "path": "/console"}].

import { accessible, check, fits, person, shifted, shot, withBrowser } from "./browser.mjs";

const pages = JSON.parse(process.env.INSTEP_PAGES);

const GUISES = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["phone", { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }],
  // At 200 % a window of 1280 px has room for 640.
  ["zoomed", { viewport: { width: 640, height: 450 }, deviceScaleFactor: 2 }],
  ["still", { reducedMotion: "reduce" }],
  ["plain", { javaScriptEnabled: false }],
];

await withBrowser(async (browser) => {
  for (const [guise, options] of GUISES) {
    const page = await person(browser, options);
    for (const { name, path } of pages) {
      const what = `${name} (${guise})`;
      const answer = await page.goto(path);
      if (answer.status() !== 200) {
        check(false, `${what}: ${answer.status()}: ${await page.locator("main").innerText()}`);
        continue;
      }
      const heading = await page.locator("h1").count();
      check(heading === 1, `${what}: ${heading} main headings`);
      if (guise === "plain") {
        // All that can be read is there without a script.
        check((await page.locator("main").innerText()).length > 40, `${what}: nothing to read`);
        continue;
      }
      await fits(page, what);
      await shifted(page, what);
      if (guise === "still") {
        const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((it) => {
          const style = getComputedStyle(it);
          return parseFloat(style.transitionDuration) > 0 || style.animationName !== "none";
        }).length);
        check(moving === 0, `${what}: ${moving} things move`);
        continue;
      }
      await accessible(page, what);
      if (guise === "light") await keyboard(page, what);
      if (guise !== "zoomed") await shot(page, `${name}-${guise}`);
    }
    await page.context().close();
  }
});

/** The way through the page with the tab key: it begins at the skip link, each stop is seen. */
async function keyboard(page, what) {
  await page.keyboard.press("Tab");
  const first = await page.evaluate(() => document.activeElement.className);
  check(first === "skip", `${what}: the first stop is ${first}`);
  await page.keyboard.press("Enter");
  check(await page.evaluate(() => document.activeElement.id) === "main", `${what}: the skip link`);
  const seen = new Set();
  for (let stop = 0; stop < 200; stop++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const it = document.activeElement;
      if (!it || it === document.body) return null;
      const style = getComputedStyle(it);
      const box = it.getBoundingClientRect();
      it.dataset.stop ??= String(Math.random());
      return {
        key: it.dataset.stop, html: it.outerHTML.slice(0, 120),
        outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
        there: box.width > 0 && box.height > 0,
      };
    });
    if (!at || seen.has(at.key)) break;
    seen.add(at.key);
    check(at.outlined && at.there, `${what}: the focus cannot be seen at ${at.html}`);
  }
  await page.evaluate(() => { document.activeElement?.blur(); window.scrollTo(0, 0); });
}
