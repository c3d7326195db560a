/**
 * Time zones without Intl, whose first formatter costs 10 ms of processor time: half as much as the start of Deno.
 * Deno before 2.7 has no Temporal, so Intl remains for it.
 */

const MINUTE_MS = 60_000;

/** The names of zones and offsets that Intl accepts. Temporal also accepts whole dates. */
const ZONE_NAME = /^(?:[a-z][\w+/-]*|[+-]\d\d(?::?\d\d)?)$/i;

/**
 * The names of three letters in the IANA database. Intl also accepts abbreviations that stand for several zones, and takes
 * AST for the time of Alaska and IST for that of India. Temporal refuses them.
 */
const THREE_LETTERS = /^(?:CET|EET|EST|GMT|HST|MET|MST|PRC|ROC|ROK|UCT|UTC|WET)$/i;

/** Names that Intl accepts and Temporal refuses: no zone, and zones that the database no longer has. */
const NO_ZONE = /^(?:Factory$|SystemV\/)/i;

/** The runtime's name for the zone of a `TZ` that is empty or that the system does not know, which is UTC. */
const UNKNOWN_ZONE = "Etc/Unknown";

/** Returns whether a name is a time zone of the IANA database that the system knows, or an offset. */
export function isTimeZone(name: string): boolean {
  if (!ZONE_NAME.test(name) || NO_ZONE.test(name)) return false;
  if (/^[a-z]{3}$/i.test(name) && !THREE_LETTERS.test(name)) return false;
  try {
    zoneName(name);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/**
 * Returns the name of a time zone as the system writes it: `Europe/Paris` for `europe/paris`.
 *
 * @param timeZone an IANA name. Default: the machine's time zone
 * @throws {RangeError} for a name that the system does not know
 */
export function zoneName(timeZone: string | undefined): string {
  const name = runtimeName(timeZone);
  return name === UNKNOWN_ZONE ? "UTC" : name;
}

function runtimeName(timeZone: string | undefined): string {
  if (typeof Temporal === "undefined") {
    // Deno 2.6 has no name for that zone, whatever the type says.
    return new Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone ?? UNKNOWN_ZONE;
  }
  if (timeZone === undefined) return Temporal.Now.timeZoneId();
  return Temporal.Now.zonedDateTimeISO(timeZone).timeZoneId;
}

/**
 * Returns a function that returns the offset of a time zone from UTC at an instant, both in milliseconds. The offset is
 * exact for instants after 1972, since when no zone has had seconds in its offset.
 *
 * @param timeZone an IANA name. Default: the machine's time zone
 */
export function zoneOffset(timeZone: string | undefined): (timeMs: number) => number {
  if (timeZone === undefined) return (timeMs) => 0 - new Date(timeMs).getTimezoneOffset() * MINUTE_MS;
  if (typeof Temporal === "undefined") return intlOffset(timeZone);
  return (timeMs) =>
    Temporal.Instant.fromEpochMilliseconds(timeMs).toZonedDateTimeISO(timeZone).offsetNanoseconds / 1e6;
}

/**
 * Returns what clocks of a time zone show at an instant: `2026-11-23 06:00:00`.
 *
 * @param timeZone an IANA name. Default: the machine's time zone
 */
export function wallTime(time: Date, timeZone: string | undefined): string {
  const shown = new Date(time.getTime() + zoneOffset(timeZone)(time.getTime()));
  return shown.toISOString().slice(0, "2026-11-23T06:00:00".length).replace("T", " ");
}

/** As {@link zoneOffset}, for systems without Temporal. */
export function intlOffset(timeZone: string): (timeMs: number) => number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
  });
  return (timeMs) => {
    const minuteMs = Math.floor(timeMs / MINUTE_MS) * MINUTE_MS;
    // US English: month/day/year, hour:minute.
    const [month = 1, day = 1, year = 1970, hour = 0, minute = 0] = format.format(minuteMs).match(/\d+/g)
      ?.map(Number) ?? [];
    return Date.UTC(year, month - 1, day, hour, minute) - minuteMs;
  };
}
