import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { BATCH_CONTENT_TYPE } from "../../lib/wire/event_names.ts";
import { addresses } from "../../web/shared/addresses.ts";
import { browserTest, type TestBrowser } from "../helpers/browser.ts";
import { type FilledDashboard, serveFilledDashboard } from "../helpers/served_dashboard.ts";
import { failed } from "../helpers/web_events.ts";
import { signIn } from "./dashboard_pages.ts";

browserTest(
  "people can sign in, filter, search, see a run arrive, manage tokens and make the page public, without a mouse",
  async (browser) => {
    await using served = await serveFilledDashboard();
    await signInWithWrongPasswordFirst(browser, served);
    await filterWithoutScript(browser, served);
    await using page = await browser.page();
    await signIn(page, served);
    await filterWhileTyping(page, served);
    await searchReleaseAndRun(page, served);
    await manageToken(page, served);
    await useKeyboardAlone(page, served);
    await seeTimesOfZone(browser, served);
    await makePublic(page, browser, served);
  },
);

async function signInWithWrongPasswordFirst(browser: TestBrowser, { origin, password }: FilledDashboard) {
  await using page = await browser.page({
    expected: [/^console: Failed to load resource: .* status of 403/],
  });
  await page.goto(`${origin}/incidents?node=bot-madrid`);
  assert.equal(new URL(page.url()).pathname, "/sign-in");
  await page.keyboard.type("not the password");
  await page.keyboard.press("Enter");
  assert.match(await page.getByRole("alert").innerText(), /^Wrong password\./);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${origin}/incidents?node=bot-madrid`);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(`${origin}/sign-in`);
  await page.goto(`${origin}/settings`);
  assert.equal(new URL(page.url()).pathname, "/sign-in");
}

async function filterWithoutScript(browser: TestBrowser, served: FilledDashboard) {
  await using page = await browser.page({ javaScript: false });
  await signIn(page, served);
  const all = await rowsOf(page);
  assert.ok(all.includes("bot-warsaw") && all.includes("train-1"));
  await page.getByLabel("State").selectOption({ label: "With problems" });
  await page.getByLabel("Search", { exact: true }).fill("bot-w");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL(/\?q=bot-w&state=trouble&group=any$/);
  assert.deepEqual(await rowsOf(page), ["bot-warsaw"]);
  assert.equal(await page.locator(".filters-result").innerText(), `1 of ${all.length} nodes`);
  await page.getByRole("link", { name: "Show all", exact: true }).click();
  assert.deepEqual(await rowsOf(page), all);
}

async function filterWhileTyping(page: Page, { origin }: FilledDashboard) {
  const all = await rowsOf(page);
  await page.getByLabel("Search", { exact: true }).pressSequentially("train");
  await page.waitForFunction(() => document.querySelectorAll("tr[data-node]").length === 3);
  assert.equal(page.url(), `${origin}/?q=train&state=any&group=any`);
  assert.deepEqual((await rowsOf(page)).toSorted(), ["train-1", "train-2", "train-3"]);
  await page.reload();
  assert.equal((await rowsOf(page)).length, 3);
  await page.getByLabel("Search", { exact: true }).fill("");
  await page.getByLabel("Group").selectOption({ label: "Reference syncs" });
  await page.waitForFunction(() => document.querySelectorAll("tr[data-node]").length === 1);
  assert.equal(page.url(), `${origin}/?state=any&group=references`);
  await page.getByRole("link", { name: "Show all", exact: true }).click();
  await page.waitForURL(`${origin}/`);
  assert.deepEqual(await rowsOf(page), all);
}

async function searchReleaseAndRun(page: Page, { origin, fleet }: FilledDashboard) {
  const digest = fleet.of("published", "train-1").at(-1)?.data.digest ?? "";
  const run = fleet.lastRun("bot-oslo").runId;
  const searches = [
    [digest.replace("sha256:", "").slice(0, 12), addresses.release(digest)],
    [run, addresses.run(run, "bot-oslo")],
  ] as const;
  for (const [text, address] of searches) {
    await page.getByRole("search").getByRole("searchbox").fill(text);
    await page.keyboard.press("Enter");
    await page.waitForURL(origin + address);
  }
}

/** Creates, rotates and revokes the token of a node, which reports with it while the fleet's page is open. */
async function manageToken(page: Page, served: FilledDashboard) {
  const node = "bot-madrid";
  await page.goto(`${served.origin}/settings`);
  await page.getByLabel("Node", { exact: true }).fill(node);
  await page.getByRole("button", { name: "Create node token" }).click();
  const first = await shownSecret(page);
  await seeRunArrive(page, served, node, first);

  await page.goto(`${served.origin}/settings`);
  assert.ok(!(await page.content()).includes(first));
  await page.getByRole("link", { name: `Rotate the token for ${node}` }).click();
  await page.getByRole("button", { name: "Rotate the token" }).click();
  const second = await shownSecret(page);
  assert.equal(await report(served, first), 401);
  assert.equal(await report(served, second), 200);

  await page.getByRole("link", { name: "Back to the settings" }).click();
  await page.getByRole("link", { name: `Revoke the token for ${node}` }).click();
  await page.getByRole("button", { name: "Revoke the token" }).click();
  await page.waitForURL(`${served.origin}/settings?done=revoked`);
  assert.equal(await page.getByRole("status").first().innerText(), "The token was revoked.");
  assert.equal(await report(served, second), 401);
}

async function seeRunArrive(page: Page, served: FilledDashboard, node: string, secret: string) {
  await page.goto(served.origin);
  await page.locator("[data-live-state='live']").waitFor();
  const row = page.locator(`tr[data-node="${node}"]`);
  assert.match(await row.innerText(), /up/);
  const startedAt = served.world.clock.now().toISOString();
  assert.equal(await report(served, secret, [failed(node, { startedAt })]), 200);
  await row.filter({ hasText: "failed" }).waitFor();
  assert.match(await page.locator(".troubles").innerText(), /bot-madrid failed to pull/);
}

/** Posts a batch as nodes do, and returns the status of the answer. */
async function report({ origin }: FilledDashboard, secret: string, events: readonly unknown[] = []) {
  const answer = await fetch(`${origin}/api/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": BATCH_CONTENT_TYPE },
    body: JSON.stringify(events),
  });
  await answer.body?.cancel();
  return answer.status;
}

async function shownSecret(page: Page): Promise<string> {
  const text = await page.getByRole("status").filter({ hasText: "shown only once" }).innerText();
  const secret = /mst_[A-Za-z0-9_-]{43}/.exec(text)?.[0];
  assert.ok(secret !== undefined, text);
  return secret;
}

async function useKeyboardAlone(page: Page, { origin }: FilledDashboard) {
  await page.goto(origin);
  await page.keyboard.press("Tab");
  const skip = page.getByRole("link", { name: "Skip to the content" });
  assert.ok(await skip.evaluate((link) => link === document.activeElement));
  assert.equal((await skip.boundingBox())?.y, 0);
  const stops: string[] = [];
  // Problems have links and commands, and filters and navigation have more.
  for (let tabs = 0; tabs < 80 && stops.at(-1) !== "first row"; tabs++) {
    await page.keyboard.press("Tab");
    stops.push(
      await page.evaluate(() => {
        const focused = document.activeElement;
        if (focused?.matches("tr[data-node]:first-child a") === true) return "first row";
        if (focused?.matches(".search input") === true) return "search";
        return focused?.matches(".filters input") === true ? "filter" : "";
      }),
    );
  }
  assert.deepEqual(stops.filter((stop) => stop !== ""), ["search", "filter", "first row"]);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/nodes\//);

  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "main");
}

async function seeTimesOfZone(browser: TestBrowser, served: FilledDashboard) {
  await using page = await browser.page({ timeZone: "Asia/Kolkata" });
  await signIn(page, served);
  await page.goto(served.origin + addresses.node("bot-london"));
  const next = page.locator(".facts time[data-time='clock']").first();
  assert.equal(await next.innerText(), "tomorrow 11:30");
  assert.match(await next.getAttribute("title") ?? "", /^2026-11-30 06:00:\d\d UTC$/);
  // Chromium uses the zone's older name.
  await page.getByText(/^Times in Asia\/(Kolkata|Calcutta)$/).waitFor();
  // Each request has the zone, so that the server renders the same times.
  const again = await page.reload();
  assert.match(await again?.text() ?? "", />tomorrow 11:30</);
}

async function makePublic(page: Page, browser: TestBrowser, served: FilledDashboard) {
  await page.goto(`${served.origin}/settings`);
  await page.getByRole("button", { name: "Make the page public" }).click();
  await page.getByRole("button", { name: "Make the page private" }).waitFor();

  await using visitor = await browser.page();
  const rows = await served.world.dashboard.fleet.read();
  const hosts = Array.from(rows.rows.values(), ({ host }) => host ?? "");
  for (const path of ["/", "/releases", "/incidents", "/status.json"]) {
    const response = await visitor.goto(served.origin + path);
    assert.equal(response?.status(), 200, path);
    const html = await visitor.content();
    for (const hidden of [...hosts, "/srv/", "git.example.com", "Cannot", "Authentication"]) {
      assert.ok(!html.includes(hidden), `${hidden} is on the public ${path}`);
    }
  }
  await visitor.goto(served.origin);
  const states = await visitor.locator("tr[data-node] .state").allInnerTexts();
  assert.ok(states.includes("down") && states.includes("up") && states.includes("failed"), states.join());
  assert.equal(await visitor.getByRole("link", { name: "Settings" }).count(), 0);
  await visitor.goto(`${served.origin}/settings`);
  assert.equal(new URL(visitor.url()).pathname, "/sign-in");
}

/** Returns the nodes of the rows in their order. */
async function rowsOf(page: Page): Promise<string[]> {
  return await page.locator("tr[data-node]").evaluateAll((rows) =>
    rows.map((row) => row.getAttribute("data-node") ?? "")
  );
}
