import assert from "node:assert/strict";
import { browserTest } from "../helpers/browser.ts";
import { serveDashboard } from "../helpers/served_dashboard.ts";
import { WholeFleet } from "../helpers/whole_fleet.ts";

browserTest(
  "the fleet page shows new nodes and runs while it is open",
  async (browser) => {
    await using served = await serveDashboard();
    const { world, origin } = served;
    const fleet = new WholeFleet({ nodes: 8, days: 3, now: world.clock.now() });
    const [first = [], ...later] = fleet.batches.map(({ events }) => events);
    await using page = await browser.page();
    await page.goto(origin);
    await page.locator("[data-live-state='live']").waitFor();
    assert.equal(await page.locator("h1").textContent(), "No node has reported yet.");

    await world.fill(...first);
    world.dashboard.live.poke();
    await page.locator("tr[data-node]").first().waitFor();
    assert.equal(await page.locator(".empty").count(), 0);

    for (const events of later) await world.fill(...events);
    world.dashboard.live.poke();
    const names = new Set(fleet.batches.map(({ node }) => node));
    await page.waitForFunction(
      (count) => document.querySelectorAll("tr[data-node]").length >= count,
      names.size,
    );
    const shown = await page.locator("main").innerHTML();
    await page.reload();
    assert.equal(withoutMarks(shown), withoutMarks(await page.locator("main").innerHTML()));
  },
);

/** Returns a page without the parts that only an open page has. */
function withoutMarks(html: string): string {
  return html.replace(/ class="changed"| class=""/g, "");
}
