import { join } from "node:path";
import { withReserve } from "./reserve.ts";
import type { Store } from "./store.ts";

/** Makes the lock file of `pause`, `resume` and `run-now` where there is none, also on a full disk. */
export function makeControlLock(store: Store): void {
  withReserve(
    store,
    () => store.fs.openSync(join(store.root, "control.lock"), { write: true, create: true }).close(),
  );
}
