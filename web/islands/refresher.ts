/// <reference lib="dom" />
import { applyPage } from "./apply_page.ts";
import { showCopyButtons } from "./copy.ts";
import { refreshDelay, retryDelay } from "./pace.ts";
import { noteServerTime, renderTimes } from "./times.ts";

/** A page that takes longer is requested again. */
const TIMEOUT_MS = 30_000;

/** Fetches the open page again, one request at a time, and shows the changes. */
export class Refresher {
  /** Called when the server requires a sign-in. Nothing is fetched after that. */
  onSignedOut: (signIn: string) => void = () => {};
  #isWanted = false;
  #isRunning = false;
  #isStopped = false;
  #failures = 0;
  #lastStart = -Infinity;
  /** The address of the content that is shown. */
  #shown = location.href;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Refreshes soon. Several calls cause one request. */
  request(): void {
    this.#isWanted = true;
    this.#schedule();
  }

  /** Refreshes immediately, for a reader who is waiting. */
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
      // The reader has changed the filter since.
      if (address !== location.href) this.#isWanted = true;
      else {
        show(page);
        this.#shown = address;
      }
    }
    this.#schedule();
  }

  /**
   * Follows a redirect of a form, such as to the page of a release. The history keeps the address that was shown, so
   * that "back" does not redirect again.
   */
  #follow(address: string): void {
    this.#isStopped = true;
    history.replaceState(history.state, "", this.#shown);
    location.assign(address);
  }

  /** Returns the page; `failed` if a retry may succeed, `gone` if only a change on the server can help. */
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
      // Otherwise the page comes from a proxy.
      return page.body.dataset["since"] === undefined ? "failed" : page;
    } catch {
      return "failed";
    }
  }
}

function show(page: Document): void {
  noteServerTime(page);
  // First apply what scripts do to a page, so that only real changes count.
  renderTimes(page);
  showCopyButtons(page);
  applyPage(page);
  document.body.dataset["since"] = page.body.dataset["since"];
}
