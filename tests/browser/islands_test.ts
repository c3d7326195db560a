import assert from "node:assert/strict";
import { browserTest } from "../helpers/browser.ts";
import { openLiveSite } from "./live_site.tsx";

browserTest(
  "times are in the reader's zone, by the server's clock, and the server gets the zone",
  async (browser) => {
    await using site = openLiveSite();
    await using page = await browser.page({ timeZone: "Asia/Tokyo" });
    await page.goto(site.origin);
    await page.locator("p[data-zone='Asia/Tokyo']").waitFor();
    const texts = () => page.locator("tr[data-node='bot-paris'] time").allTextContents();
    assert.deepEqual(await texts(), ["2 h ago", "today 15:31"]);
    assert.equal(await page.locator(".zone").textContent(), "Times in Asia/Tokyo");
    assert.equal(await page.locator("time").first().getAttribute("title"), "2026-11-29 06:31:08 UTC");

    // The page refreshes once by itself, because charts contain times in the server's zone.
    await site.until(() => site.requests.filter((path) => path === "/").length === 2);
    const [cookie] = await page.context().cookies();
    assert.deepEqual([cookie?.name, cookie?.value, cookie?.sameSite], ["zone", "Asia/Tokyo", "Lax"]);
    await page.reload();
    assert.deepEqual(await texts(), ["2 h ago", "today 15:31"]);
    await page.locator("[data-live-state='live']").waitFor();
    assert.equal(site.requests.filter((path) => path === "/").length, 3);
  },
);

browserTest("texts like `2 h ago` are updated while the page is open", async (browser) => {
  await using site = openLiveSite();
  await using page = await browser.page();
  await page.clock.install({ time: "2020-01-01T00:00:00Z" });
  await page.goto(site.origin);
  const ago = page.locator("tr[data-node='bot-paris'] time[data-time='ago']");
  assert.equal(await ago.textContent(), "2 h ago");
  await page.clock.runFor("59:00");
  assert.equal(await ago.textContent(), "2 h ago");
  await page.clock.runFor("01:10");
  assert.equal(await ago.textContent(), "3 h ago");
});

browserTest("a filter applies while the reader types, and its address can be shared", async (browser) => {
  await using site = openLiveSite();
  await using page = await browser.page();
  await page.goto(site.origin);
  const field = page.locator("form[data-filter] input");
  // The reader continues to type during the request.
  await page.route("**/?q=tok", async (route) => {
    await field.evaluate((field: HTMLInputElement) => field.value = "toky");
    await route.continue();
  });
  await field.pressSequentially("tok");
  await page.locator("tr[data-node='bot-paris']").waitFor({ state: "detached" });
  assert.equal(page.url(), `${site.origin}/?q=tok`);
  assert.equal(await page.locator(".filters-result").textContent(), "1 of 2 nodes");
  assert.equal(await field.inputValue(), "toky");
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("name")), "q");

  await page.unrouteAll();
  await page.reload();
  assert.equal(await page.locator("tr[data-node]").count(), 1);
  await field.fill("nothing");
  await page.locator(".empty").waitFor();
  await field.fill("");
  await page.locator("tr[data-node='bot-paris']").waitFor();
  const parts = await page.locator("main > *").evaluateAll((parts) => parts.map(({ tagName }) => tagName));
  assert.deepEqual(parts, ["HEADER", "P", "FORM", "TABLE", "P", "SPAN"]);
  assert.equal(page.url(), `${site.origin}/`);

  await field.fill("af9620290d58");
  await page.waitForURL(`${site.origin}/releases/af9620290d58`);
  await page.goBack();
  assert.equal(page.url(), `${site.origin}/`);

  await using plain = await browser.page({ javaScript: false });
  await plain.goto(site.origin);
  assert.equal(await plain.locator(".copy").isVisible(), false);
  await plain.locator("form[data-filter] input").fill("tok");
  await plain.locator("form[data-filter] button").click();
  await plain.waitForURL(`${site.origin}/?q=tok`);
  assert.equal(await plain.locator("tr[data-node]").count(), 1);
});

browserTest("a command is copied, with the clipboard's interface and without it", async (browser) => {
  await using site = openLiveSite();
  for (const isSecure of [true, false]) {
    await using page = await browser.page();
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.goto(site.origin);
    await page.evaluate(() => navigator.clipboard.writeText("something else"));
    // The interface that is missing on a page over plain HTTP from another machine.
    if (!isSecure) await page.evaluate(() => Reflect.deleteProperty(Navigator.prototype, "clipboard"));
    await page.locator(".copy").click();
    await page.locator(".copy").filter({ hasText: "Copied" }).waitFor();
    await page.locator("#typed input").focus();
    await page.keyboard.press("Control+V");
    assert.equal(await page.locator("#typed input").inputValue(), "model-sync pull");
  }
});

browserTest(
  "a hidden tab holds no stream, keeps its title, and is live again when it is visible",
  async (browser) => {
    await using site = openLiveSite();
    await using page = await browser.page();
    await page.clock.install();
    await page.goto(site.origin);
    await page.locator("[data-live-state='live']").waitFor();
    const setHidden = (hidden: boolean) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    await setHidden(true);
    await page.clock.runFor("00:11");
    await site.untilStreams(0);
    site.shown.sentence = "One node is down.";
    await page.clock.runFor("01:02");
    await page.waitForFunction(() => document.title.startsWith("One node is down."));
    assert.equal(site.streams(), 0);
    site.shown.sentence = "All is well again.";
    await setHidden(false);
    await page.clock.runFor("00:01");
    await page.waitForFunction(() => document.title.startsWith("All is well again."));
    await site.untilStreams(1);
  },
);
