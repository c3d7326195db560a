import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { staticFiles } from "../../web/routes/static.ts";
import { browserTest } from "../helpers/browser.ts";
import { checkAccessibility } from "./check_accessibility.ts";
import { openSite, type SitePage } from "./web_site.ts";
import { renderSample, SAMPLES } from "../web/gallery.tsx";

const NAMES = Object.keys(SAMPLES);
/** The widths of a desktop and of the narrowest phone on sale. The stylesheet's test checks each pair of colours. */
const VIEWS = [{ scheme: "light", width: 1280 }, { scheme: "dark", width: 360 }] as const;

const STYLE = new TextDecoder().decode(staticFiles.get("style.css")?.bytes);

/** The gallery without the script, which would request a live stream. */
const PAGES: Readonly<Record<string, SitePage>> = Object.fromEntries([
  ...NAMES.map((name) => [`/${name}`, renderSample(name).replace(/<script[^>]*><\/script>/, "")]),
  ["/static/style.css", () => new Response(STYLE, { headers: { "content-type": "text/css" } })],
  ["/favicon.svg", () => new Response("<svg/>", { headers: { "content-type": "image/svg+xml" } })],
]);

browserTest(
  "nothing in the gallery is wider than the screen, a control below 24 px, or a serious finding of axe-core",
  async (browser) => {
    await using site = openSite(PAGES);
    for (const view of VIEWS) {
      await using page = await browser.page(view);
      for (const name of NAMES) {
        await page.goto(`${site.origin}/${name}`);
        await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true");
        const where = `${name}, ${view.scheme}`;
        assert.deepEqual(await tooWide(page), [], where);
        assert.deepEqual(await tooSmall(page), [], where);
        // The result does not depend on the width, and extremes add nothing: axe-core needs a second there.
        if (view.scheme === "light" || name === "extremes") continue;
        assert.deepEqual((await checkAccessibility(page)).serious, [], where);
      }
    }
  },
);

/** Returns elements that overflow the page, except in scrolling boxes. */
async function tooWide(page: Page): Promise<unknown> {
  return await page.evaluate(() =>
    Array.from(document.querySelectorAll("main *, header *, footer *"))
      .filter((element) => element.closest(".scroll, .pages, .unseen, thead, svg") === null)
      .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
      .map((element) => element.outerHTML.slice(0, 120))
  );
}

/** Returns links and controls that are lower than 24 px (WCAG 2.5.8), of those that are not within a sentence. */
async function tooSmall(page: Page): Promise<unknown> {
  return await page.evaluate(() =>
    Array.from(
      document.querySelectorAll("nav a, td a, th a, .more a, footer a, button, summary, select, input"),
    )
      .filter((element) => element.checkVisibility())
      .filter((element) => element.matches("[type=checkbox]") === false)
      .filter((element) => element.getBoundingClientRect().height < 23.9)
      .map((element) => `${element.getBoundingClientRect().height} ${element.outerHTML.slice(0, 60)}`)
  );
}
