import { startAnnouncing } from "./announce.ts";
import { startCopying } from "./copy.ts";
import { startFiltering } from "./filter.ts";
import { Live } from "./live.ts";
import { Refresher } from "./refresher.ts";
import { startTimes } from "./times.ts";

/** What scripts add to a page that works without them. */
const refresher = new Refresher();
startAnnouncing();
startCopying();
startTimes(() => refresher.request());
startFiltering(refresher);
new Live(refresher).start();
