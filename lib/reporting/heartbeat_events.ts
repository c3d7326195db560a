import type { ModelSync } from "../config/schema.ts";
import { cleanLine } from "../core/clean_text.ts";
import type { Context } from "../core/context.ts";
import { sha256Hex } from "../core/hash.ts";
import { redactText } from "../core/secret.ts";
import { VERSION } from "../core/version.ts";
import { readStatus } from "../status/read_status.ts";
import type { Store } from "../store/store.ts";
import { nodeName, type Side, sideOfCommand, sideOfRole, SIDES } from "../wire/node_name.ts";
import { EVENT_TYPES, sourceOf } from "../wire/event_names.ts";
import type { EventOf, RunningRun, Status } from "../wire/schema.ts";
import { wireCount, wireName, wireTime } from "../wire/wire_values.ts";

/** Bounds that keep a heartbeat within the dashboard's values of 64 KiB. The rest is only counted. */
const RELEASES_MAX = 50;
const QUARANTINE_MAX = 40;
/** The bound of runs at once on one machine. */
const RUNNING_MAX = 50;
/** The length of a reason: its beginning names the failed check. */
const REASON_CHARS_MAX = 500;

/** The digits of a fingerprint: enough to distinguish the configurations of one fleet. */
const FINGERPRINT_CHARS = 16;

/** The daemon that sends heartbeats. */
export interface DaemonFacts {
  readonly store: Store;
  /** The daemon's roles. The store names those of other daemons. */
  readonly roles: readonly string[];
  /** `--at`, which replaces the configured times. */
  readonly at?: string | undefined;
}

/** The nodes that are reported. */
export interface HeartbeatScope {
  /** `every`: also the nodes of this machine without a daemon; their heartbeats have an interval of 0 seconds. */
  readonly nodes: "with-daemon" | "every";
}

/**
 * Returns a daemon's heartbeats as JSON: one for each node of this machine, with the state of the store and the roles
 * of the node. Secrets are hidden in them as in the log.
 */
export async function heartbeatTexts(
  context: Context,
  { store, roles, at }: DaemonFacts,
  settings: ModelSync,
  { nodes }: HeartbeatScope = { nodes: "with-daemon" },
): Promise<string[]> {
  const location = { modelsDir: store.modelsDir, stateDir: store.root };
  const status = await readStatus(context, { settings, location, store, at }, 0);
  const known = new Set([...roles, ...status.daemons.map(({ role }) => role)]);
  const { report } = settings;
  const common = {
    host: wireName(context.host),
    version: VERSION,
    configFingerprint: await fingerprintOf(settings),
  };
  const withDaemon = new Set(Array.from(known, sideOfRole));
  const sides = report.node !== undefined ? [undefined] : nodes === "every" ? SIDES : Array.from(withDaemon);
  return sides.map((side) => {
    const hasDaemon = side === undefined ? known.size > 0 : withDaemon.has(side);
    const node = nodeName(report.node, context.host, side ?? "client");
    const time = context.clock.now().toISOString();
    const event: EventOf<"heartbeat"> = {
      specversion: "1.0",
      id: `${node}/heartbeat/${time}`,
      source: sourceOf(node),
      type: EVENT_TYPES.heartbeat,
      time,
      subject: node,
      datacontenttype: "application/json",
      data: {
        ...common,
        intervalSeconds: hasDaemon ? report.interval_seconds : 0,
        ...partOf(status, known, side),
      },
    };
    return JSON.stringify(
      event,
      (_key, value: unknown) => typeof value === "string" ? cleanLine(value) : value,
    );
  });
}

/** Returns a node's part of the status. @param side `undefined` for a machine that is one node */
function partOf(
  status: Status,
  roles: ReadonlySet<string>,
  side: Side | undefined,
): Pick<EventOf<"heartbeat">["data"], "status" | "leftOut"> {
  const isOurs = (role: string) => roles.has(role) && (side === undefined || sideOfRole(role) === side);
  const ofRoles = <Value>(entries: Readonly<Record<string, Value>>) =>
    Object.fromEntries(Object.entries(entries).filter(([role]) => isOurs(role)));
  const releases = status.releases.slice(0, RELEASES_MAX);
  const quarantine = status.quarantine.slice(-QUARANTINE_MAX);
  const withdrawn = (status.withdrawn ?? []).slice(-QUARANTINE_MAX);
  return {
    status: {
      ...status,
      releases,
      quarantine: quarantine.map((entry) => ({
        ...entry,
        sequence: wireCount(entry.sequence),
        reason: cleanLine(entry.reason, { charsMax: REASON_CHARS_MAX }),
      })),
      withdrawn: withdrawn.map(({ reason, ...entry }) => ({
        ...entry,
        ...(reason === undefined ? {} : { reason: cleanLine(reason, { charsMax: REASON_CHARS_MAX }) }),
      })),
      next: ofRoles(status.next),
      schedules: Object.fromEntries(
        Object.entries(ofRoles(status.schedules)).map(([role, schedule]) => [
          role,
          { ...schedule, paused: schedule.paused === null ? null : pauseOf(schedule.paused) },
        ]),
      ),
      paused: Object.fromEntries(
        Object.entries(ofRoles(status.paused)).map(([role, pause]) => [role, pauseOf(pause)]),
      ),
      daemons: status.daemons.filter(({ role }) => isOurs(role)).map((daemon) => ({
        ...daemon,
        pid: wireCount(daemon.pid),
        host: wireName(daemon.host),
        since: wireName(daemon.since),
      })),
      running: status.running.filter(({ command }) => side === undefined || sideOfCommand(command) === side)
        .slice(0, RUNNING_MAX).flatMap(runningOf),
    },
    leftOut: {
      releases: status.releases.length - releases.length,
      quarantine: status.quarantine.length - quarantine.length,
    },
  };
}

function pauseOf<Pause extends { readonly host: string }>(pause: Pause): Pause {
  return { ...pause, host: wireName(pause.host) };
}

/** Entries of other programs must not make the heartbeat invalid. */
function runningOf({ runId, command, startedAt, step }: RunningRun): RunningRun[] {
  const time = wireTime(startedAt);
  if (time === undefined) return [];
  return [{
    runId: wireName(runId),
    command: wireName(command),
    startedAt: time,
    step: step === null ? null : wireName(step),
  }];
}

/** The same for the same settings. Of secrets in them it says nothing: they are hidden first. */
async function fingerprintOf(settings: ModelSync): Promise<string> {
  return (await sha256Hex(redactText(JSON.stringify(settings)))).slice(0, FINGERPRINT_CHARS);
}
