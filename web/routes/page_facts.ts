import type { Context } from "hono";
import { getCookie } from "hono/cookie";
import type { PageFacts } from "../components/PageContext.tsx";
import type { AppEnv } from "./dashboard.ts";

/** The form of zone names, such as `America/Argentina/ComodRivadavia`. */
const ZONE = /^[A-Za-z][A-Za-z0-9_+\-/]{0,59}$/;

/**
 * Returns the facts of a request that components need.
 *
 * @param live the version of the fleet that the page shows; `undefined` for a page that does not change while it is
 * open
 */
export function pageFacts(context: Context<AppEnv>, now: Date, live: string | undefined): PageFacts {
  const { viewer, signedIn } = context.var;
  return {
    now,
    zone: readersZone(getCookie(context, "zone")),
    viewer,
    signedIn,
    path: context.req.path,
    live,
  };
}

/** Returns the zone that the page's script stored, if the runtime knows it. */
function readersZone(zone: string | undefined): string {
  if (zone === undefined || !ZONE.test(zone)) return "UTC";
  if (!knownZones.has(zone)) {
    if (knownZones.size >= ZONES_MAX) knownZones.clear();
    knownZones.set(zone, isZone(zone));
  }
  return knownZones.get(zone) === true ? zone : "UTC";
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/** Cached, because checking a zone takes as long as rendering a few rows. */
const ZONES_MAX = 500;
const knownZones = new Map<string, boolean>();
