import { startBundle } from "./_bundle_start.ts";

/** The entry of the bundle of all commands. */
await startBundle(() => import("./main.ts"));
