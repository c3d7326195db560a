import assert from "node:assert/strict";
import { browserTest } from "../helpers/browser.ts";
import { openLiveSite } from "./live_site.tsx";

browserTest("a change is shown while the page is open, and the reader's input is kept", async (browser) => {
  await using site = openLiveSite();
  await using page = await browser.page();
  await page.goto(site.origin);
  await page.locator("[data-live-state='live']").waitFor();
  assert.equal(await page.locator(".live-state").textContent(), "Live");
  const paris = page.locator("tr[data-node='bot-paris']");
  const tokyo = page.locator("tr[data-node='bot-tokyo']");
  await tokyo.locator("summary").click();
  await tokyo.locator("a").focus();
  const kept = await tokyo.elementHandle();
  await page.evaluate(() =>
    getSelection()?.selectAllChildren(document.querySelectorAll("tr[data-node] a")[1] ?? document)
  );
  // The highlight ends after two seconds, which a busy machine may need for the check.
  await page.evaluate(() => {
    const marked: string[] = [];
    const note = (changes: MutationRecord[]) => {
      for (const { target } of changes) {
        if (target instanceof HTMLElement && target.matches(".changed")) {
          marked.push(target.dataset["node"] ?? "");
        }
      }
    };
    new MutationObserver(note).observe(document.body, { subtree: true, attributeFilter: ["class"] });
    Object.assign(globalThis, { marked });
  });

  site.shown.rows = new Map([["bot-lima", "42"], ["bot-tokyo", "41"], ["bot-paris", "42"]]);
  site.shown.sentence = "One node is late.";
  // An hour later, by the server's clock.
  site.shown.now = new Date("2026-11-29T09:32:00Z");
  site.send({ version: "v2", nodes: ["bot-paris", "bot-lima"] });

  await paris.locator("summary").filter({ hasText: "42" }).waitFor();
  assert.deepEqual(await page.locator("tr[data-node] a").allTextContents(), [
    "bot-lima",
    "bot-tokyo",
    "bot-paris",
  ]);
  assert.equal(await page.title(), "One node is late. · model-sync");
  assert.deepEqual(await page.evaluate(() => Reflect.get(globalThis, "marked")), ["bot-paris"]);
  assert.equal(await page.evaluate((row) => row?.isConnected, kept), true);
  assert.equal(await tokyo.locator("details").getAttribute("open"), "");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "bot-tokyo");
  assert.equal(await tokyo.locator("time").first().textContent(), "3 h ago");
  assert.equal(await page.evaluate(() => getSelection()?.toString()), "bot-tokyo");
  assert.equal(await page.locator("p[role='status']").textContent(), "One node is late.");
  assert.equal(await page.locator(".filters-result").textContent(), "3 of 3 nodes");

  site.shown.rows.delete("bot-tokyo");
  site.send({ reload: true });
  await tokyo.waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.activeElement?.id), "main");
});

browserTest("a page of one node is not fetched again for changes of others", async (browser) => {
  await using site = openLiveSite(["bot-paris"]);
  await using page = await browser.page();
  await page.goto(site.origin);
  await page.locator("[data-live-state='live']").waitFor();
  const loads = () => site.requests.filter((path) => path === "/").length;
  assert.equal(loads(), 1);
  site.shown.rows.set("bot-paris", "42");
  site.send({ version: "v2", nodes: ["bot-tokyo"] });
  site.send({ version: "v3", nodes: ["bot-tokyo"] });
  site.send({ version: "v4", nodes: ["bot-paris"] });
  await page.locator("summary").filter({ hasText: "42" }).waitFor();
  assert.equal(loads(), 2);
});

browserTest("a page that loses its stream shows that, and reconnects by itself", async (browser) => {
  await using site = openLiveSite();
  await using page = await browser.page();
  await page.goto(site.origin);
  await page.locator("[data-live-state='live']").waitFor();
  await page.evaluate(() => {
    const states: string[] = [];
    new MutationObserver(() => states.push(document.querySelector(".live-state")?.textContent ?? ""))
      .observe(document.querySelector(".live-state") ?? document, { childList: true });
    Object.assign(globalThis, { states });
  });
  site.drop();
  await site.untilStreams(1);
  await page.waitForFunction(() => Reflect.get(globalThis, "states").join() === "Reconnecting…,Live");
});

browserTest("a page whose session has ended stops its requests and links to the sign-in", async (browser) => {
  await using site = openLiveSite();
  await using page = await browser.page({
    expected: [/^console: Failed to load resource: .* status of 401 .*\/api\/v1\/live/],
  });
  await page.goto(site.origin);
  await page.locator("[data-live-state='live']").waitFor();
  site.shown.isSignedOut = true;
  site.drop();
  const state = page.locator("[data-live-state='signed-out']");
  await state.waitFor();
  assert.equal(await state.textContent(), "You are signed out. Sign in");
  assert.equal(await state.locator("a").getAttribute("href"), `${site.origin}/sign-in`);
  assert.equal(await page.locator("tr[data-node]").count(), 2);
});

browserTest(
  "a page that cannot be fetched, or comes from a proxy, changes nothing and is tried again",
  async (browser) => {
    await using site = openLiveSite();
    await using page = await browser.page({
      expected: [/^console: Failed to load resource: .* status of 503/],
    });
    await page.clock.install();
    await page.goto(site.origin);
    await page.locator("[data-live-state='live']").waitFor();
    const loads = () => site.requests.filter((path) => path === "/").length;
    const untilLoads = async (count: number) => {
      while (loads() < count) await page.clock.runFor(500);
    };
    site.shown.sentence = "One node is late.";
    site.shown.fault = () => new Response("restarting", { status: 503 });
    site.send({ version: "v2", nodes: ["bot-paris"] });
    await untilLoads(2);
    site.shown.fault = () => new Response("<h1>A proxy</h1>", { headers: { "content-type": "text/html" } });
    await untilLoads(3);
    assert.equal(await page.title(), "All is well. · model-sync");
    assert.equal(await page.locator("tr[data-node]").count(), 2);
    site.shown.fault = undefined;
    await untilLoads(4);
    await page.waitForFunction(() => document.title.startsWith("One node is late."));
  },
);
