import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { browserTest, type TestBrowser } from "../helpers/browser.ts";
import { checkAccessibility, WCAG_TAGS } from "./check_accessibility.ts";
import { type FilledDashboard, serveFilledDashboard } from "../helpers/served_dashboard.ts";
import { type DashboardPage, dashboardPages, signIn } from "./dashboard_pages.ts";

/** Chromium reports the status of an error page as an error of the console. */
const NOT_FOUND = /^console: Failed to load resource: the server responded with a status of 404/;
const WRONG_PASSWORD = /^console: Failed to load resource: the server responded with a status of 403/;

browserTest(
  "every page works with and without scripts, in both schemes and on a phone, and its links work",
  async (browser) => {
    await using served = await serveFilledDashboard();
    const links = new Map<string, string>();
    await using page = await browser.page({ expected: [NOT_FOUND, WRONG_PASSWORD] });
    await withScript(page, served, links);
    await withoutScript(browser, served, links);
    await followLinks(served, links);
    await createToken(page, served);
  },
);

async function withScript(page: Page, served: FilledDashboard, links: Map<string, string>) {
  // Colours that fade have no contrast in between.
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto(`${served.origin}/sign-in`);
  await checkLook(page, "sign-in");
  await page.getByLabel("Password").fill("wrong password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await checkLook(page, "sign-in with an error");
  await signIn(page, served);
  for (const one of dashboardPages(served)) {
    await open(page, served, one);
    assert.deepEqual(await page.locator("main h1").count(), 1, one.name);
    await noteLinks(page, one.name, links);
    await checkLook(page, one.name);
  }
}

/** The page that shows a token is the answer to a form. */
async function createToken(page: Page, { origin }: FilledDashboard) {
  await page.goto(`${origin}/settings`);
  await page.getByLabel("Node", { exact: true }).fill("bot-london");
  await page.getByRole("button", { name: "Create node token" }).click();
  await page.getByText("shown only once").waitFor();
  await checkLook(page, "a new token");
}

async function withoutScript(browser: TestBrowser, served: FilledDashboard, links: Map<string, string>) {
  await using page = await browser.page({ javaScript: false, width: 360, expected: [NOT_FOUND] });
  await signIn(page, served);
  for (const one of dashboardPages(served)) {
    await open(page, served, one);
    const found = new Map<string, string>();
    await noteLinks(page, one.name, found);
    for (const href of found.keys()) assert.ok(links.has(href), `${href} is on ${one.name} without a script`);
    assert.deepEqual(await tooWide(page), [], one.name);
  }
}

async function open(page: Page, { origin }: FilledDashboard, { path, status = 200, name }: DashboardPage) {
  const response = await page.goto(`${origin}${path}`);
  assert.equal(response?.status(), status, name);
}

/** Long tables are shortened, because axe-core needs time for each row. */
const MORE_ROWS = "tbody tr:nth-child(n+12)";

/** Checks the appearance of an opened page: its colours in both schemes, everything else in one. */
async function checkLook(page: Page, name: string): Promise<void> {
  await page.setViewportSize({ width: 360, height: 800 });
  assert.deepEqual(await tooWide(page), [], `${name}, phone`);
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.locator(MORE_ROWS).evaluateAll((rows) => rows.forEach((row) => row.remove()));
  assert.deepEqual((await checkAccessibility(page, WCAG_TAGS)).serious, [], name);
  await page.emulateMedia({ colorScheme: "dark" });
  assert.deepEqual((await checkAccessibility(page, ["color-contrast"])).serious, [], `${name}, dark`);
  await page.emulateMedia({ colorScheme: "light" });
}

/** Returns what makes a page or its navigation scroll sideways. */
async function tooWide(page: Page): Promise<unknown> {
  return await page.evaluate(() => {
    const scrollers = [document.documentElement, ...document.querySelectorAll(".pages")];
    if (scrollers.every(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)) return [];
    return Array.from(document.querySelectorAll("body *"))
      .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
      .map((element) => element.outerHTML.slice(0, 120));
  });
}

/** Collects the addresses that a page links to, each with one page that has the link. */
async function noteLinks(page: Page, name: string, links: Map<string, string>): Promise<void> {
  const hrefs = await page.locator("a[href]").evaluateAll((anchors) =>
    anchors.map((anchor) => anchor.getAttribute("href") ?? "")
  );
  for (const href of hrefs) {
    // Pull requests are on GitHub.
    if (href.startsWith("/")) links.set(href.replace(/#.*/, ""), name);
  }
}

async function followLinks({ origin, world }: FilledDashboard, links: ReadonlyMap<string, string>) {
  const cookie = await world.dashboard.access.sessionCookie({
    host: new URL(origin).host,
    hostname: "127.0.0.1",
    isHttps: false,
    address: "127.0.0.1",
  });
  assert.ok(links.size > 100, `${links.size} links`);
  for (const [href, name] of links) {
    const answer = await world.app.fetch(
      new Request(origin + href, { headers: { cookie: cookie.split(";")[0] ?? "" } }),
      { remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port: 40_000 } },
    );
    await answer.body?.cancel();
    assert.equal(answer.status, 200, `${href} on ${name}`);
  }
}
