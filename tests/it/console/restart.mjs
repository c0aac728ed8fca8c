// A page that is open while the server is restarted: it says so, and is live again by itself. It
// tells the test how far it is, line by line: `open`, `lost`, `back`.

import { check, person, withBrowser } from "./browser.mjs";

await withBrowser(async (browser) => {
  const page = await person(browser);
  page.expected.push("ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY", "Failed to load", "503");
  await Promise.all([
    page.waitForRequest((request) => request.url().endsWith("/console/events")),
    page.goto("/console/runs"),
  ]);
  const before = await page.locator("#runs tbody tr").count();
  console.log("open");
  const status = page.locator("#connection");
  await status.filter({ hasText: "The connection is lost" }).waitFor();
  console.log("lost");
  await status.filter({ hasText: /^$/ }).waitFor({ state: "attached" });
  console.log("back");
  // It is live: what is done elsewhere comes into the list.
  const other = await person(browser);
  await other.goto("/console/runs");
  await other.getByRole("button", { name: "Only look" }).click();
  await page.locator("#runs tbody tr").nth(before).waitFor();
  check(await page.locator("#runs tbody tr").count() > before, "the list goes on");
});
