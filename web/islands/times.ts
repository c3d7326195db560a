/// <reference lib="dom" />
import { TIME_STYLES, timeWords } from "../shared/time_words.ts";

/** How often relative times are updated. */
const TICK_MS = 10_000;

/** How long the browser keeps the zone's cookie. */
const YEAR_SECONDS = 365 * 24 * 60 * 60;

/** Milliseconds by which the server's clock is ahead of this machine's, as of the newest page. */
let serverAhead = 0;

/** Notes the server's time of a page that just arrived: relative times use the server's clock. */
export function noteServerTime(page: Document): void {
  const now = Date.parse(page.body.dataset["now"] ?? "");
  if (!Number.isNaN(now)) serverAhead = now - Date.now();
}

/** Updates all times of a page, in the reader's zone. */
export function renderTimes(root: ParentNode): void {
  const now = new Date(Date.now() + serverAhead);
  const zone = readerZone();
  for (const time of root.querySelectorAll<HTMLTimeElement>("time[data-time]")) {
    const style = TIME_STYLES.find((style) => style === time.dataset["time"]);
    if (style === undefined) continue;
    const words = timeWords(new Date(time.dateTime), style, now, zone);
    // Replacing a text removes the reader's selection.
    if (time.textContent !== words) time.textContent = words;
  }
}

/**
 * Keeps the times of the page current in the reader's zone, and stores the zone in a cookie for the next page.
 *
 * @param refresh called if the server rendered this page in another zone: charts contain times, too
 */
export function startTimes(refresh: () => void): void {
  noteServerTime(document);
  const zone = readerZone();
  const named = document.querySelector<HTMLElement>("[data-zone]");
  if (named !== null && named.dataset["zone"] !== zone) {
    rememberZone(zone);
    named.dataset["zone"] = zone;
    named.textContent = `Times in ${zone}`;
    refresh();
  }
  renderTimes(document);
  setInterval(() => {
    if (!document.hidden) renderTimes(document);
  }, TICK_MS);
  document.addEventListener("visibilitychange", () => renderTimes(document));
}

function readerZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function rememberZone(zone: string): void {
  // Zone names contain no other characters. Others could break the cookie.
  if (!/^[\w+\-/]+$/.test(zone)) return;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `zone=${zone}; Path=/; Max-Age=${YEAR_SECONDS}; SameSite=Lax${secure}`;
}
