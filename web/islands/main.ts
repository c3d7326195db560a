/// <reference lib="dom" />
import { startAnnouncing } from "./announce.ts";
import { startCopying } from "./copy.ts";
import { startFiltering } from "./filter.ts";
import { Live } from "./live.ts";
import { Refresher } from "./refresher.ts";
import { startTimes } from "./times.ts";

/** What scripts add to a page that works without them. */
startAnnouncing();
startCopying();
// A page that another request than that of its address made, such as an error, is not asked for again.
const isLive = document.body.dataset["since"] !== undefined;
const refresher = new Refresher();
startTimes(() => {
  if (isLive) refresher.request();
});
if (isLive) {
  startFiltering(refresher);
  new Live(refresher).start();
}
