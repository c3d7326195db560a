import assert from "node:assert/strict";
import { browserTest, openBrowser } from "../helpers/browser.ts";
import { checkAccessibility } from "./check_accessibility.ts";
import { openSite } from "./web_site.ts";

const HTML = { "content-type": "text/html" };

const htmlPage = (body: string, head = "") =>
  `<!doctype html><html lang="en"><head><title>A page</title>${head}</head><body><main>${body}</main></body></html>`;

browserTest(
  "errors on the console, exceptions, lost requests and broken rules are faults",
  async (browser) => {
    await using site = openSite({
      "/": htmlPage(`<h1 style="color: red">Hello</h1>`, `<script src="/faults.js"></script>`),
      "/faults.js": `
      console.error("this went wrong");
      fetch("http://elsewhere.test/").catch(() => {});
      setTimeout(() => { throw new Error("nobody caught this"); });`,
      "/no-policy": () => new Response(`<img src="http://elsewhere.test/a.png">`, { headers: HTML }),
    });
    await using strict = await browser.page({
      expected: [
        /^console: this went wrong \(http.*\/faults\.js\)$/,
        /^console: Applying inline style violates the following Content Security Policy directive/,
        /^console: Connecting to 'http:\/\/elsewhere\.test\/' violates/,
        /^console: Fetch API cannot load http:\/\/elsewhere\.test/,
        /^exception: nobody caught this$/,
      ],
    });
    await strict.goto(site.origin);
    await using lax = await browser.page({
      expected: [
        /^request: http:\/\/elsewhere\.test\/a\.png failed: net::ERR_NAME_NOT_RESOLVED$/,
        /^console: Failed to load resource: net::ERR_NAME_NOT_RESOLVED/,
      ],
    });
    await lax.goto(`${site.origin}/no-policy`);
  },
);

browserTest("a fault, and an expected fault that does not happen, fail a test", async () => {
  await using site = openSite({
    "/": htmlPage("<h1>Hello</h1>", `<script src="/faults.js"></script><script>alert(1)</script>`),
    "/faults.js": `console.error("this went wrong");`,
  });
  const closing = async () => {
    await using other = await openBrowser();
    await using page = await other.page({ expected: [/went wrong/, /went right/] });
    await page.goto(site.origin);
  };
  await assert.rejects(closing, (error: Error) => {
    assert.match(error.message, /^The page has faults:\n {2}console: Executing inline script violates .*/);
    assert.match(error.message, /\n {2}expected and not seen: \/went right\/$/);
    return true;
  });
});

browserTest("a page has the scheme, width, zone and language of the test", async (browser) => {
  await using site = openSite({
    "/": htmlPage(
      "<h1>Hello</h1><p></p>",
      `<link rel="stylesheet" href="/s.css"><script src="/s.js" defer></script>`,
    ),
    "/s.css": "body { background: #fff } @media (prefers-color-scheme: dark) { body { background: #000 } }",
    "/s.js": `const { timeZone, locale } = new Intl.DateTimeFormat().resolvedOptions();
      document.querySelector("p").textContent = [timeZone, locale, innerWidth].join(" ");`,
  });
  await using page = await browser.page({
    scheme: "dark",
    width: 390,
    timeZone: "Asia/Tokyo",
    locale: "de-DE",
  });
  await page.goto(site.origin);
  assert.equal(await page.locator("p").textContent(), "Asia/Tokyo de-DE 390");
  const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(background, "rgb(0, 0, 0)");

  const picture = await Deno.readFile(await browser.screenshot(page, "harness"));
  assert.equal(new TextDecoder("latin1").decode(picture.subarray(1, 4)), "PNG");
  assert.equal(new DataView(picture.buffer).getUint32(16), 390);

  await using plain = await browser.page({ javaScript: false });
  await plain.goto(site.origin);
  assert.equal(await plain.locator("p").textContent(), "");
  assert.equal(
    await plain.evaluate(() => getComputedStyle(document.body).backgroundColor),
    "rgb(255, 255, 255)",
  );
});

browserTest(
  "axe-core finds a planted fault of contrast under the content security policy",
  async (browser) => {
    await using site = openSite({
      "/": htmlPage(
        `<h1>Hello</h1><p>Barely to be read</p><h4>Skipped levels</h4>`,
        `<link rel="stylesheet" href="/s.css">`,
      ),
      "/good": htmlPage("<h1>Hello</h1><b>Easy to read</b>"),
      "/s.css": "p { color: #aaa; background: #fff }",
    });
    await using page = await browser.page();
    await page.goto(site.origin);
    const { serious, notes } = await checkAccessibility(page);
    assert.equal(serious.length, 1);
    assert.match(serious[0] ?? "", /^color-contrast: .*: p: .*insufficient color contrast of 2\.32/);
    assert.ok(notes.some((note) => note.startsWith("heading-order: ")), notes.join("\n"));
    await page.goto(`${site.origin}/good`);
    assert.deepEqual(await checkAccessibility(page), { serious: [], notes: [] });

    await using plain = await browser.page({ javaScript: false });
    await plain.goto(site.origin);
    await assert.rejects(checkAccessibility(plain), /axe-core needs a page with JavaScript/);
  },
);
