// What people do on the console, from the first page to the audit log.

import { accessible, check, person, shot, withBrowser } from "./browser.mjs";

const run = process.env.INSTEP_RUN;
const somebody = process.env.INSTEP_SOMEBODY;

await withBrowser(async (browser) => {
  await lookWithoutAct(browser);
  await approveInPart(browser);
  await takeAway(browser);
  await confirmReplay(browser);
  await tryAndReload(browser);
  await pauseAndResume(browser);
  await forget(browser);
  await nowhere(browser);
  await audited(browser);
});

function notice(page) {
  return page.locator("main > .notice").first();
}

/** By keyboard alone: a look at what a full sync would change; it comes into the list by itself. */
async function lookWithoutAct(browser) {
  const page = await person(browser);
  await page.goto("/console/runs");
  const before = await page.locator("#runs tbody tr").count();
  await page.getByRole("button", { name: "Only look" }).focus();
  await page.keyboard.press("Enter");
  await notice(page).filter({ hasText: "begins within seconds" }).waitFor();
  check(await notice(page).getAttribute("role") === "status", "what was done is read out");
  await page.locator("#runs tbody tr").nth(before).waitFor();
  const newest = page.locator("#runs tbody tr").first();
  await newest.filter({ hasText: "Plan of a full sync" }).waitFor();
  await newest.getByRole("link").click();
  await page.getByText("would change").first().waitFor();
  await page.context().close();
}

/** Two people decide on the same slice: the second one is told. */
async function approveInPart(browser) {
  const [ann, ben] = [await person(browser), await person(browser)];
  ben.expected.push("409", "422");
  await ann.goto("/console");
  await ann.getByText("6 deactivations held").waitFor();
  await shot(ann, "journey-needs");
  await ann.getByRole("link", { name: "Open the run", exact: true }).click();
  await ben.goto("/console/runs/" + run);
  await ann.getByRole("link", { name: "Who is in it" }).waitFor();
  await shot(ann, "journey-run", {});
  await ann.getByRole("link", { name: "Who is in it" }).click();
  const boxes = ann.getByRole("checkbox");
  check(await boxes.count() === 6, "six are in it");
  await boxes.nth(0).check();
  await boxes.nth(3).check();
  await ann.getByRole("button", { name: "Approve those who are ticked" }).click();
  await notice(ann).filter({ hasText: "Approved" }).waitFor();
  await ann.getByText("approved it for 2 people").waitFor();
  await accessible(ann, "an approved slice");
  await shot(ann, "journey-approved");

  // What she did comes to him by itself; what he had open before is refused.
  await ben.getByText("approved it for 2 people").waitFor();
  const again = await ben.evaluate(async (path) => {
    const body = new URLSearchParams({ do: "approve", slice: "deactivate", whom: "all", seen: "held" });
    const answer = await fetch(path, { method: "POST", body });
    return { status: answer.status, text: await answer.text() };
  }, "/console/runs/" + run);
  check(again.status === 409, "the second one is told: " + again.status);
  check(again.text.includes('role="alert"'), "and why");
  await ann.context().close();
  await ben.context().close();
}

/** A replay shows what it would do, and does it when somebody confirms. */
async function confirmReplay(browser) {
  const page = await person(browser);
  await page.goto("/console/runs");
  await page.getByRole("row").filter({ hasText: "Replay of bob" }).getByRole("link").click();
  const confirm = page.getByRole("button", { name: "Confirm everything" });
  await confirm.waitFor();
  await page.getByText("the rules were tried").waitFor();
  await accessible(page, "a preview of a replay");
  await shot(page, "journey-preview");
  await confirm.click();
  await notice(page).filter({ hasText: "Confirmed for" }).waitFor();
  await page.locator("#standing .badge").filter({ hasText: /^done$/ }).waitFor();
  await page.context().close();
}

/** Reports as files: with ids, and with names by a button. */
async function takeAway(browser) {
  const page = await person(browser);
  await page.goto("/console/runs/" + run);
  check(await page.getByRole("button", { name: "Show names and values" }).count() === 1, "masked");
  await page.goto("/console/runs/" + run + "/slices/deactivate");
  check(await page.locator("td .masked").count() === 6, "names are hidden");
  await page.getByRole("button", { name: "Show names and values" }).click();
  await notice(page).waitFor();
  check(await page.locator("td .masked").count() === 0, "names are shown");
  await accessible(page, "names shown");
  await page.goto("/console/runs/" + run);
  const take = async (role, name) => {
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole(role, { name }).click(),
    ]);
    const chunks = [];
    for await (const chunk of await file.createReadStream()) chunks.push(chunk);
    return { name: file.suggestedFilename(), text: Buffer.concat(chunks).toString("utf8") };
  };
  const bare = await take("link", "Download held.csv with ids only");
  check(/^instep-bob-.*-held\.csv$/.test(bare.name), "its name: " + bare.name);
  check(bare.text.includes('"bob/') && !bare.text.includes('"name"'), "ids only: " + bare.text);
  const full = await take("button", "Download held.csv with names and values");
  check(full.text.includes('"name"'), "with names: " + full.text);
  const document = await take("link", "Download report.json with ids only");
  check(JSON.parse(document.text).personal === "none", "the document");
  const report = await take("link", "Download report.html with ids only");
  check(report.text.includes("</html>"), "the page");
  await page.context().close();
}

/** An expression on somebody, then new rules. */
async function tryAndReload(browser) {
  const page = await person(browser);
  page.expected.push("422", "404");
  await page.goto("/console/rules");
  const fill = async (expression, key) => {
    await page.getByLabel("Expression, as in a rule").fill(expression);
    await page.getByLabel("Somebody, by id, mail or full name").fill(key);
    await page.getByRole("button", { name: "Try it" }).click();
  };
  await fill("label.work.title|upper", somebody);
  await page.getByRole("heading", { name: "bob/" + somebody }).waitFor();
  await page.getByText("gives").waitFor();
  await accessible(page, "an expression tried");
  await shot(page, "journey-tried");
  await fill("label.work.title|uper", somebody);
  await page.getByRole("alert").filter({ hasText: "does not compile" }).waitFor();
  const kept = await page.getByLabel("Expression, as in a rule").inputValue();
  check(kept === "label.work.title|uper", "what was typed is still there");

  const versions = page.locator("main section").first().locator("tbody tr");
  check(await versions.count() === 1, "one version");
  await page.getByRole("button", { name: "Reload" }).click();
  await notice(page).filter({ hasText: "are live in 1 of 1 processes" }).waitFor();
  check(await versions.count() === 2, "two versions");
  await versions.first().getByRole("link").click();
  await page.locator("ins").filter({ hasText: "|upper" }).waitFor();
  await accessible(page, "a difference");
  await shot(page, "journey-difference");
  await page.context().close();
}

/** The bulk lane is paused for a while, and resumed. */
async function pauseAndResume(browser) {
  const page = await person(browser);
  await page.goto("/console");
  await page.getByText("Pause something").click();
  await page.locator("select[name=scope]").selectOption("lane bulk");
  await page.getByLabel("Why").fill("a look at the new rules");
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await page.locator("#needs").getByText("Paused: lane bulk").waitFor();
  await accessible(page, "a pause");
  await shot(page, "journey-paused");
  await page.getByRole("button", { name: "Resume" }).click();
  await page.locator("#needs").getByText("Paused: lane bulk").waitFor({ state: "detached" });
  await page.context().close();
}

/** Somebody is found by name, forgotten by their id, and found no more. */
async function forget(browser) {
  const page = await person(browser);
  page.expected.push("422");
  const married = async () => {
    await page.goto("/console/people?q=Married");
    return page.locator("table.list tbody tr").count();
  };
  const before = await married();
  check(before > 1, "some are found by name: " + before);
  const link = page.locator("table.list tbody tr").first().getByRole("link");
  const id = (await link.innerText()).split("/")[1];
  await link.click();
  await page.getByText("Forget this person").click();
  const fill = async (confirm) => {
    await page.getByLabel("Their id").fill(confirm);
    await page.locator("form", { has: page.getByLabel("Their id") }).getByLabel("Why").fill("they asked for it");
    await page.getByRole("button", { name: "Forget", exact: true }).click();
  };
  await accessible(page, "the form that forgets");
  await shot(page, "journey-forget", {});
  await fill("4711");
  await page.getByRole("alert").filter({ hasText: "type their id" }).waitFor();
  await page.getByText("Forget this person").click();
  await fill(id);
  await notice(page).filter({ hasText: "was forgotten" }).waitFor();
  check(await married() === before - 1, "one fewer is found");
  await page.goto("/console/people/bob/" + id);
  await page.getByText("nothing new of them is kept").waitFor();
  await page.getByRole("button", { name: "Lift it" }).waitFor();
  await accessible(page, "somebody who was forgotten");
  await page.context().close();
}

/** What is not there is told inside the frame. */
async function nowhere(browser) {
  const page = await person(browser);
  page.expected.push("404");
  for (const path of ["/console/nothing", "/console/runs/nothing", "/console/rules/bob/nothing"]) {
    const answer = await page.goto(path);
    check(answer.status() === 404, path + ": " + answer.status());
    await page.getByRole("heading", { name: "Not found" }).waitFor();
    await page.getByRole("navigation", { name: "Console" }).waitFor();
    await accessible(page, path);
  }
  await shot(page, "journey-nowhere");
  await page.context().close();
}

/** Everything that was done stands in the audit log. */
async function audited(browser) {
  const page = await person(browser, { colorScheme: "dark" });
  await page.goto("/console/audit");
  for (const verb of ["sync", "approve", "unmask", "reload", "forget"]) {
    const cell = page.getByRole("cell", { name: verb, exact: true }).first();
    check(await cell.isVisible(), verb + " is in the audit log");
  }
  await accessible(page, "the audit log");
  await shot(page, "journey-audit", {});
  await page.getByLabel("verb").fill("approve");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL(/verb=approve/);
  const verbs = await page.locator("tbody tr td:nth-child(3)").allInnerTexts();
  check(verbs.length > 0 && verbs.every((verb) => verb === "approve"), "filtered: " + verbs);
  await page.context().close();
}
