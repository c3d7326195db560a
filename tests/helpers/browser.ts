/// <reference lib="dom" />
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { tempDir } from "./temp_dir.ts";

/** The view of a page in a test. */
interface PageOptions {
  readonly scheme?: "light" | "dark";
  /** CSS pixels. */
  readonly width?: number;
  readonly javaScript?: boolean;
  readonly timeZone?: string;
  readonly locale?: string;
  /** Faults that the test provokes. Each must match a fault, which is then ignored. */
  readonly expected?: readonly RegExp[];
}

/** A Chromium for one test. Closing it fails the test if a page had an unexpected fault. */
export interface TestBrowser extends AsyncDisposable {
  /**
   * Opens an empty page with its own cookies. More pages with the same cookies come from `page.context().newPage()`.
   * Open pages with `await using` after their site, so that they are closed before it: a site that closes under a page
   * is a fault.
   */
  page(options?: PageOptions): Promise<Page>;
  /** Returns the faults of all pages so far, and expected ones that did not happen. */
  faults(): Promise<string[]>;
  /**
   * Writes a screenshot of the whole page as `NAME.png` and returns its path: in the folder in MODEL_SYNC_SCREENSHOTS, or in
   * one that is removed with the browser.
   */
  screenshot(page: Page, name: string): Promise<string>;
}

/** Debian's package `chromium`. */
const CHROMIUM = "/usr/bin/chromium";

/** Why browser tests cannot run on this machine; `undefined` if they can. */
function browserObstacle(): string | undefined {
  try {
    Deno.statSync(CHROMIUM);
    return undefined;
  } catch {
    return "no Chromium here";
  }
}

/**
 * Registers a test that gets a Chromium. It is skipped with the reason in its name if there is none. If the test fails
 * after a fault of a page, the error contains both.
 */
export function browserTest(name: string, run: (browser: TestBrowser) => Promise<void>): void {
  const obstacle = browserObstacle();
  const suffix = obstacle === undefined ? "" : ` (skipped: ${obstacle})`;
  Deno.test(name + suffix, { ignore: obstacle !== undefined }, async () => {
    await using browser = await openBrowser();
    try {
      await run(browser);
    } catch (error) {
      const faults = await browser.faults();
      if (faults.length === 0) throw error;
      // Reported here, and not a second time when the browser is closed.
      forgive.get(browser)?.();
      throw new Error(describeFaults(faults), { cause: error });
    }
  });
}

/** Lets a browser close without reporting faults. */
const forgive = new WeakMap<TestBrowser, () => void>();

const ARGUMENTS = [
  // The pages are our own, and root has no sandbox.
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Every request to another machine fails.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/** Starts a Chromium with its own profile. */
export async function openBrowser(): Promise<TestBrowser> {
  const folder = tempDir();
  // Chromium keeps its crash reports beside the user's settings, whatever the profile.
  const env = { ...Deno.env.toObject(), XDG_CONFIG_HOME: folder.path };
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS, env });
  const watched: WatchedContext[] = [];
  let isForgiven = false;

  const faults = async () => (await Promise.all(watched.map((context) => context.faults()))).flat();
  const opened: TestBrowser = {
    page: async (options = {}) => {
      const context = await newContext(browser, options);
      watched.push(watch(context, options.expected ?? []));
      return await context.newPage();
    },
    faults,
    screenshot: async (page, name) => {
      const path = `${Deno.env.get("MODEL_SYNC_SCREENSHOTS") ?? folder.path}/${name}.png`;
      await page.screenshot({ path, fullPage: true, animations: "disabled" });
      return path;
    },
    [Symbol.asyncDispose]: async () => {
      const found = isForgiven ? [] : await faults();
      await browser.close();
      folder[Symbol.dispose]();
      if (found.length > 0) throw new Error(describeFaults(found));
    },
  };
  forgive.set(opened, () => isForgiven = true);
  return opened;
}

function newContext(browser: Browser, options: PageOptions): Promise<BrowserContext> {
  return browser.newContext({
    colorScheme: options.scheme ?? "light",
    viewport: { width: options.width ?? 1280, height: 800 },
    javaScriptEnabled: options.javaScript ?? true,
    timezoneId: options.timeZone ?? "UTC",
    locale: options.locale ?? "en-US",
  });
}

interface WatchedContext {
  faults(): Promise<string[]>;
}

/**
 * Collects errors of the console (such as violations of the content security policy), exceptions and failed requests.
 */
function watch(context: BrowserContext, expected: readonly RegExp[]): WatchedContext {
  const noted: string[] = [];
  context.on("console", (message) => {
    if (message.type() === "error") noted.push(`console: ${message.text()} (${message.location().url})`);
  });
  context.on("weberror", (error) => noted.push(`exception: ${error.error().message}`));
  context.on("requestfailed", (request) => {
    const reason = request.failure()?.errorText ?? "unknown";
    // A page that is left aborts its event stream and other requests.
    if (reason !== "net::ERR_ABORTED") noted.push(`request: ${request.url()} failed: ${reason}`);
  });
  return {
    faults: async () => {
      // Events arrive in order: after an answer, all earlier ones are here.
      await Promise.all(context.pages().map((page) => page.evaluate("0")));
      const unexpected = noted.filter((fault) => !expected.some((pattern) => pattern.test(fault)));
      const missing = expected.filter((pattern) => !noted.some((fault) => pattern.test(fault)));
      return [...unexpected, ...missing.map((pattern) => `expected and not seen: ${pattern}`)];
    },
  };
}

function describeFaults(faults: readonly string[]): string {
  return `The page has faults:\n${faults.map((fault) => `  ${fault}`).join("\n")}`;
}
