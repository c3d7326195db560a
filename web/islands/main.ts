/// <reference lib="dom" />
import { startAnnouncing } from "./announce.ts";
import { startCopying } from "./copy.ts";
import { startFiltering } from "./filter.ts";
import { Live } from "./live.ts";
import { Refresher } from "./refresher.ts";
import { startTimes } from "./times.ts";

/** Starts the scripts of a page. Pages also work without them. */
startAnnouncing();
startCopying();
// Errors and answers to forms are not fetched again: their address would show another page.
const isLive = document.body.dataset["since"] !== undefined;
const refresher = new Refresher();
startTimes(() => {
  if (isLive) refresher.request();
});
if (isLive) {
  startFiltering(refresher);
  new Live(refresher).start();
}
