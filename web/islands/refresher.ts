/// <reference lib="dom" />
import { applyPage } from "./apply_page.ts";
import { showCopyButtons } from "./copy.ts";
import { refreshDelay, retryDelay } from "./pace.ts";
import { noteServerTime, renderTimes } from "./times.ts";

/** A page that takes longer is asked for again. */
const TIMEOUT_MS = 30_000;

/** Fetches the page that is open again, one request at a time, and shows what is new. */
export class Refresher {
  /** Is called once the server wants the reader to sign in; nothing is fetched any more. */
  onSignedOut: (signIn: string) => void = () => {};
  #isWanted = false;
  #isRunning = false;
  #isStopped = false;
  #failures = 0;
  #lastStart = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Refreshes soon; many calls become one request. */
  request(): void {
    this.#isWanted = true;
    this.#schedule();
  }

  /** Refreshes at once, for a reader who waits. */
  demand(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#failures = 0;
    this.#isWanted = true;
    this.#schedule(0);
  }

  #schedule(delay?: number): void {
    if (!this.#isWanted || this.#isRunning || this.#isStopped || this.#timer !== undefined) return;
    const usual = this.#failures > 0
      ? retryDelay(this.#failures, Math.random())
      : refreshDelay(performance.now() - this.#lastStart, Math.random());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#refresh();
    }, delay ?? usual);
  }

  async #refresh(): Promise<void> {
    this.#isWanted = false;
    this.#isRunning = true;
    this.#lastStart = performance.now();
    const address = location.href;
    const page = await this.#fetch(address);
    this.#isRunning = false;
    if (page === undefined) {
      this.#failures++;
      this.#isWanted = true;
    } else {
      this.#failures = 0;
      // The reader filters by something else by now.
      if (address !== location.href) this.#isWanted = true;
      else show(page);
    }
    this.#schedule();
  }

  /** Returns the page, or `undefined` for any failure: the next try may go well. */
  async #fetch(address: string): Promise<Document | undefined> {
    try {
      const response = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (new URL(response.url).pathname === "/sign-in" || response.status === 401) {
        this.#isStopped = true;
        this.onSignedOut(response.redirected ? response.url : "/sign-in");
        return undefined;
      }
      if (!response.ok) return undefined;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      // Anything else is the page of a proxy.
      return page.body.dataset["since"] === undefined ? undefined : page;
    } catch {
      return undefined;
    }
  }
}

function show(page: Document): void {
  noteServerTime(page);
  // First as scripts would make it, so that only real changes are changes.
  renderTimes(page);
  showCopyButtons(page);
  applyPage(page);
  document.body.dataset["since"] = page.body.dataset["since"];
}
