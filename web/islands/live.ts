/// <reference lib="dom" />
import { announce } from "./announce.ts";
import { changedNodes, concernsPage } from "./live_message.ts";
import { HIDDEN_GAP, HIDDEN_GRACE, retryDelay } from "./pace.ts";
import type { Refresher } from "./refresher.ts";

/** Follows the server's stream of changes while the page is visible, and shows the connection's state in the footer. */
export class Live {
  readonly #refresher: Refresher;
  #source: EventSource | undefined;
  #failures = 0;
  #isStopped = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #hiding: ReturnType<typeof setTimeout> | undefined;
  #hidden: ReturnType<typeof setTimeout> | undefined;

  constructor(refresher: Refresher) {
    this.#refresher = refresher;
    refresher.onSignedOut = (signIn) => this.#signOut(signIn);
  }

  start(): void {
    this.#connect();
    document.addEventListener("visibilitychange", () => document.hidden ? this.#hide() : this.#show());
    // A page in the back-forward cache must hold no connection.
    addEventListener("pagehide", () => this.#disconnect());
    addEventListener("pageshow", (event) => {
      if (event.persisted) this.#catchUp();
    });
  }

  #connect(): void {
    if (this.#isStopped || this.#source !== undefined) return;
    const since = document.body.dataset["since"] ?? "";
    const source = new EventSource(`/api/v1/live?since=${encodeURIComponent(since)}`);
    this.#source = source;
    source.addEventListener("open", () => {
      this.#failures = 0;
      showState("live", "Live");
    });
    source.addEventListener("message", ({ data }) => {
      if (concernsPage(changedNodes(String(data)), document.body.dataset["nodes"])) {
        this.#refresher.request();
      }
    });
    source.addEventListener("error", () => {
      showState("reconnecting", "Reconnecting…");
      // In the other states the browser reconnects by itself and sends the last event's id.
      if (source.readyState === EventSource.CLOSED) this.#retryLater();
    });
  }

  #disconnect(): void {
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = undefined;
  }

  /**
   * Fetches the page before it reconnects: the page shows whether the session is over, and from which version to
   * continue.
   */
  #retryLater(): void {
    this.#disconnect();
    this.#failures++;
    this.#retry = setTimeout(() => this.#catchUp(), retryDelay(this.#failures, Math.random()));
  }

  #catchUp(): void {
    this.#refresher.demand();
    this.#connect();
  }

  #hide(): void {
    this.#hiding = setTimeout(() => {
      this.#disconnect();
      this.#hidden = setInterval(() => this.#refresher.request(), HIDDEN_GAP);
    }, HIDDEN_GRACE);
  }

  #show(): void {
    clearTimeout(this.#hiding);
    clearInterval(this.#hidden);
    if (this.#source === undefined) this.#catchUp();
  }

  #signOut(signIn: string): void {
    this.#isStopped = true;
    this.#disconnect();
    clearInterval(this.#hidden);
    showState("signed-out", "You are signed out. ", signIn);
    announce("You are signed out.");
  }
}

function showState(state: string, text: string, signIn?: string): void {
  const place = document.querySelector<HTMLElement>("[data-live-state]");
  if (place === null) return;
  place.dataset["liveState"] = state;
  place.hidden = false;
  const link = document.createElement("a");
  link.textContent = "Sign in";
  link.href = signIn ?? "";
  place.replaceChildren(text, ...(signIn === undefined ? [] : [link]));
}
