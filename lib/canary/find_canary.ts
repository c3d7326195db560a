import { join } from "node:path";
import { readPointer } from "../store/pointers.ts";
import type { Store } from "../store/store.ts";
import { type CanaryState, isOpen, readCanary } from "./canary_state.ts";

/** Where the state of the canary is. */
export function canaryPath(store: Store): string {
  return join(store.root, "canary.json");
}

/** The canary of the active release, if it is still watched. One that was announced and never activated is none. */
export function openCanary(store: Store): CanaryState | undefined {
  const found = readCanary(store.fs, canaryPath(store));
  const isActive = found.kind === "found" && isOpen(found.state) &&
    found.state.digest === readPointer(store, "current");
  return isActive ? found.state : undefined;
}

/** Why the state of the canary cannot be read; `undefined` where it can, or there is none. */
export function canaryFault(store: Store): string | undefined {
  const found = readCanary(store.fs, canaryPath(store));
  return found.kind === "unreadable" ? found.reason : undefined;
}

/** The canary whose verdict nobody acted upon yet: passed or not. */
export function judgedCanary(store: Store): CanaryState | undefined {
  const found = readCanary(store.fs, canaryPath(store));
  return found.kind === "found" && !isOpen(found.state) && found.state.concludedAt === null
    ? found.state
    : undefined;
}
