import { retryDelayMs } from "../../lib/core/retry.ts";
import { REGISTRY_RETRIES } from "../../lib/git/registry.ts";
import { Agenda, type RoleSchedule } from "../../lib/schedule/agenda.ts";
import { parseCalendar } from "../../lib/schedule/calendar.ts";
import type { Passage } from "./counting_host.ts";

const DUE = new Date("2026-11-21T06:00:00Z");

/** The requests and bytes of a second with most of them. */
export interface Peak {
  readonly requests: number;
  readonly bytes: number;
}

/** Returns when each client of a fleet starts, in milliseconds after the due time of its daemon. */
export function startsOf(clients: number, splayMs: number): number[] {
  const schedule: RoleSchedule = {
    times: ["06:00"],
    calendar: parseCalendar("06:00", "UTC"),
    timeZone: "UTC",
    isInterval: false,
    splayMs,
    catchUpMs: Infinity,
    deny: [],
  };
  return Array.from({ length: clients }, (_, client) => {
    const start = new Agenda(schedule, `host-${client}\n/srv/models\nclient`).startOf(DUE);
    return (start ?? DUE).getTime() - DUE.getTime();
  });
}

/** Returns the busiest second of a night in which each client passes what a measured pull passed. */
export function peakOf(starts: readonly number[], pull: readonly Passage[]): Peak {
  const requests = new Map<number, number>();
  const bytes = new Map<number, number>();
  for (const startMs of starts) {
    for (const passage of pull) {
      const second = Math.floor((startMs + passage.atMs) / 1000);
      requests.set(second, (requests.get(second) ?? 0) + passage.requests);
      bytes.set(second, (bytes.get(second) ?? 0) + passage.bytes);
    }
  }
  return { requests: Math.max(...requests.values()), bytes: Math.max(...bytes.values()) };
}

/** A server that answers so many requests in a second, and turns the others away. */
export interface Limit {
  readonly requestsPerSecond: number;
  /** Its `Retry-After`; `undefined` for none. */
  readonly retryAfterMs: number | undefined;
}

/** How the clients come back after they were turned away. */
export interface Return {
  /** The requests of the busiest second after the first one. */
  readonly peak: number;
  /** When the last client was served. */
  readonly lastSecond: number;
  /** The clients that gave up: their daemons retry within minutes. */
  readonly gaveUp: number;
}

/**
 * Simulates clients that start in the same second, of which a server turns most away, with the program's own pauses.
 *
 * @param jitter returns a number from 0 to 1 for each pause
 */
export function turnedAway(clients: number, limit: Limit, jitter: () => number): Return {
  const arrivals = new Map<number, Arrival[]>([[0, Array<Arrival>(clients).fill({ atMs: 0, failures: 0 })]]);
  let [peak, lastSecond, gaveUp] = [0, 0, 0];
  while (arrivals.size > 0) {
    const second = Math.min(...arrivals.keys());
    const arriving = (arrivals.get(second) ?? []).sort((a, b) => a.atMs - b.atMs);
    arrivals.delete(second);
    if (second > 0) peak = Math.max(peak, arriving.length);
    lastSecond = second;
    for (const { atMs, failures } of arriving.slice(limit.requestsPerSecond)) {
      const attempt = failures + 1;
      if (attempt >= REGISTRY_RETRIES.attemptsMax) {
        gaveUp++;
        continue;
      }
      const nextMs = atMs + retryDelayMs(REGISTRY_RETRIES, attempt, limit.retryAfterMs, jitter());
      // What arrives in this second again is turned away like the others: it counts for the next one.
      const next = Math.max(second + 1, Math.floor(nextMs / 1000));
      arrivals.set(next, [...arrivals.get(next) ?? [], { atMs: nextMs, failures: attempt }]);
    }
  }
  return { peak, lastSecond, gaveUp };
}

/** A request of one client. */
interface Arrival {
  readonly atMs: number;
  /** How often the client was turned away before. */
  readonly failures: number;
}
