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
  /** The address of the page as it is shown. */
  #shown = location.href;
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
    if (page === "failed") {
      this.#failures++;
      this.#isWanted = true;
    } else if (page !== "gone") {
      this.#failures = 0;
      // The reader filters by something else by now.
      if (address !== location.href) this.#isWanted = true;
      else {
        show(page);
        this.#shown = address;
      }
    }
    this.#schedule();
  }

  /** Goes where the form leads: the digest of a release, say. The way back ends at what was shown, not where it leads on. */
  #follow(address: string): void {
    this.#isStopped = true;
    history.replaceState(history.state, "", this.#shown);
    location.assign(address);
  }

  /** Returns the page; `failed` where the next try may go well, `gone` where only news change anything. */
  async #fetch(address: string): Promise<Document | "failed" | "gone"> {
    try {
      const response = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (new URL(response.url).pathname === "/sign-in" || response.status === 401) {
        this.#isStopped = true;
        this.onSignedOut(response.redirected ? response.url : "/sign-in");
        return "gone";
      }
      if (response.redirected) {
        this.#follow(response.url);
        return "gone";
      }
      if (response.status === 404) return "gone";
      if (!response.ok) return "failed";
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      // Anything else is the page of a proxy.
      return page.body.dataset["since"] === undefined ? "failed" : page;
    } catch {
      return "failed";
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
