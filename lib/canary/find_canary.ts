import { join } from "node:path";
import { readPointer } from "../store/pointers.ts";
import type { Store } from "../store/store.ts";
import { type CanaryState, isOpen, readCanary } from "./canary_state.ts";

/** Returns the path of the canary's state. */
export function canaryPath(store: Store): string {
  return join(store.root, "canary.json");
}

/** Returns the canary of the active release, if it is not over. A release that was never activated has none. */
export function openCanary(store: Store): CanaryState | undefined {
  const found = readCanary(store.fs, canaryPath(store));
  const isActive = found.kind === "found" && isOpen(found.state) &&
    found.state.digest === readPointer(store, "current");
  return isActive ? found.state : undefined;
}

/** Returns why the state of the canary cannot be read; `undefined` where it can, or there is none. */
export function canaryFault(store: Store): string | undefined {
  const found = readCanary(store.fs, canaryPath(store));
  return found.kind === "unreadable" ? found.reason : undefined;
}

/** Returns the canary that has a verdict, good or bad, on which no run has acted yet. */
export function judgedCanary(store: Store): CanaryState | undefined {
  const found = readCanary(store.fs, canaryPath(store));
  return found.kind === "found" && !isOpen(found.state) && found.state.concludedAt === null
    ? found.state
    : undefined;
}
