/// <reference lib="dom" />
import { TIME_STYLES, timeWords } from "../shared/time_words.ts";

/** `12 s ago` should not stay for a minute. */
const TICK_MS = 10_000;

/** For as long as the server remembers the zone. */
const YEAR_SECONDS = 365 * 24 * 60 * 60;

/** How far the server's clock is ahead of this machine's, as of the newest page. */
let serverAhead = 0;

/** Notes the server's time of a page that arrived now: distances are those of the server's clock. */
export function noteServerTime(page: Document): void {
  const now = Date.parse(page.body.dataset["now"] ?? "");
  if (!Number.isNaN(now)) serverAhead = now - Date.now();
}

/** Writes all times of a page as they are now, in the reader's zone. */
export function renderTimes(root: ParentNode): void {
  const now = new Date(Date.now() + serverAhead);
  const zone = readerZone();
  for (const time of root.querySelectorAll<HTMLTimeElement>("time[data-time]")) {
    const style = TIME_STYLES.find((style) => style === time.dataset["time"]);
    if (style === undefined) continue;
    const words = timeWords(new Date(time.dateTime), style, now, zone);
    // A text that is written anew loses the reader's selection.
    if (time.textContent !== words) time.textContent = words;
  }
}

/**
 * Keeps the times of the page right, in the reader's zone, and tells the server the zone for the next page.
 * @param refresh is called if the server wrote this page in another zone: charts have times, too
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
  // Names of zones hold nothing else; what does would not be one cookie.
  if (!/^[\w+\-/]+$/.test(zone)) return;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `zone=${zone}; Path=/; Max-Age=${YEAR_SECONDS}; SameSite=Lax${secure}`;
}
