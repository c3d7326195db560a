import type { Manifest } from "../release/manifest.ts";
import { readPointer } from "./pointers.ts";
import { findRelease } from "./releases.ts";
import type { Store } from "./store.ts";

/** The manifest of the release that is active; `undefined` when none is, or the store does not hold it whole. */
export function activeManifest(store: Store): Manifest | undefined {
  const digest = readPointer(store, "current");
  return digest === undefined ? undefined : findRelease(store, digest)?.manifest;
}
