/**
 * Takes a picture of every page of the dashboard with a simulated fleet, in light, dark and on a phone:
 *
 *     deno run -A tests/browser/screenshots.ts DIRECTORY
 *
 * Fleet and clock are fixed, so that a machine always takes the same pictures, except for the secret of the new token
 * and the port in its configuration.
 */
import { join } from "node:path";
import { openBrowser, type TestBrowser } from "../helpers/browser.ts";
import { type FilledDashboard, serveFilledDashboard } from "../helpers/served_dashboard.ts";
import { dashboardPages, signIn } from "./dashboard_pages.ts";

const VIEWS = {
  light: { scheme: "light", width: 1280 },
  dark: { scheme: "dark", width: 1280 },
  phone: { scheme: "light", width: 360 },
} as const;

const [directory] = Deno.args;
if (directory === undefined) throw new TypeError("name the directory for the pictures");
await Deno.mkdir(directory, { recursive: true });
await using browser = await openBrowser();
for (const view of ["light", "dark", "phone"] as const) {
  // Each view has its own fleet, because the pages change it.
  await using served = await serveFilledDashboard();
  await photograph(browser, served, view, directory);
}

/** Takes the pictures of one view as `PAGE-VIEW.png`. */
async function photograph(
  browser: TestBrowser,
  served: FilledDashboard,
  view: keyof typeof VIEWS,
  directory: string,
): Promise<void> {
  const missing = /^console: Failed to load resource: the server responded with a status of 40[34]/;
  await using page = await browser.page({ ...VIEWS[view], expected: [missing] });
  // Otherwise "2 h ago" would depend on how long the pictures take.
  await page.clock.setFixedTime(served.world.clock.now());
  const take = async (name: string) => {
    await page.screenshot({
      path: join(directory, `${name}-${view}.png`),
      fullPage: true,
      animations: "disabled",
    });
  };
  await page.goto(`${served.origin}/sign-in`);
  await take("sign-in");
  await page.getByLabel("Password").fill("wrong password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await take("sign-in-wrong");
  await signIn(page, served);
  for (const { name, path } of dashboardPages(served)) {
    await page.goto(`${served.origin}${path}`);
    await take(name);
  }
  await page.goto(`${served.origin}/settings`);
  await page.getByLabel("Node", { exact: true }).fill("bot-new");
  await page.getByRole("button", { name: "Create node token" }).click();
  await page.getByText("shown only once").waitFor();
  await take("settings-new-token");
}
