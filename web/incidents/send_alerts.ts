import { withDeadline } from "../../lib/core/deadline.ts";
import { FailedError, messageOf } from "../../lib/core/errors.ts";
import { sha256Hex } from "../../lib/core/hash.ts";
import { type Channel, channelKey, channelsOf } from "../../lib/notifiers/channels.ts";
import { type NodeAlert, nodeMessage } from "../../lib/notifiers/node_alert.ts";
import { compareAndSet } from "../store/commit.ts";
import { openIncidents, setIncident } from "../store/incident_rows.ts";
import { keys } from "../store/keys.ts";
import { readRowsOf } from "../store/read_rows.ts";
import { IncidentRow } from "../store/rows.ts";
import type { Web } from "../shared/web.ts";
import type { Alerting } from "./alerting.ts";

/** Alerts that one check sends. The next check sends the rest. */
const ALERTS_MAX = 20;
/** Alerts at the same time: mail servers and chats allow a few connections. */
const AT_ONCE = 5;
/** Enough for three attempts per channel. */
const ALERT_MS_MAX = 30_000;
/** No further alert is started after this, because the next check is due in a minute. */
const ALERTS_MS_MAX = 15_000;
/**
 * How long an instance's claim on an alert lasts. After that, the instance has died or a channel rejected the alert,
 * and the alert is sent again.
 */
const CLAIM_MS = 5 * 60_000;
/** A recovery that could not be sent for a day is outdated. */
const RECOVERY_MS_MAX = 24 * 3_600_000;

/** The digits of a node's hash in the id of an incident. */
const NODE_HASH_CHARS = 16;

interface KnownChannel {
  readonly key: string;
  readonly channel: Channel;
}

type Sender = Pick<Web, "kv" | "clock" | "log">;

/**
 * Sends the alerts that channels have not accepted yet. An instance claims an alert before it sends it, so that it is
 * sent once, or again if the instance dies.
 */
export async function sendAlerts(sender: Sender, { context, settings }: Alerting): Promise<void> {
  const { kv, clock } = sender;
  const channels = await Promise.all(
    channelsOf(context.env, settings).map(async (channel) => ({
      key: await channelKey(channel),
      channel,
    })),
  );
  if (channels.length === 0) return;
  const now = clock.now();
  const wanted = [...await openIncidents(kv), ...await unsentRecoveries(kv)].filter((incident) =>
    unsentOf(incident, channels).length > 0 && !isClaimed(incident, now)
  ).sort(byUrgency).slice(0, ALERTS_MAX);
  const deadlineMs = clock.monotonicMs() + ALERTS_MS_MAX;
  for (let first = 0; first < wanted.length && clock.monotonicMs() <= deadlineMs; first += AT_ONCE) {
    const some = wanted.slice(first, first + AT_ONCE);
    await Promise.all(some.map((incident) => sendAlert(sender, context, channels, incident)));
  }
}

/**
 * Alerts that were not tried before come first, so that a broken channel does not delay others. Then down before late.
 */
function byUrgency(a: IncidentRow, b: IncidentRow): number {
  return Number(b.claimedUntil === null) - Number(a.claimedUntil === null) ||
    Number(b.kind === "down") - Number(a.kind === "down") || (a.startedAt < b.startedAt ? -1 : 1);
}

/** Returns the closed incidents whose recovery has not been sent to all channels, oldest first. */
async function unsentRecoveries(kv: Deno.Kv): Promise<IncidentRow[]> {
  const wanted: Deno.KvKey[] = [];
  const options = { limit: RECOVERIES_MAX, batchSize: RECOVERIES_MAX };
  for await (const { key } of kv.list({ prefix: keys.unsentRecoveries() }, options)) {
    wanted.push([...keys.incidents(), ...key.slice(keys.unsentRecoveries().length)]);
  }
  return await readRowsOf(kv, wanted, IncidentRow);
}

/** Recoveries per check. The others wait until these are sent or a day old. */
const RECOVERIES_MAX = 200;

/** Returns the channels that have not accepted the alert of an open incident, or the recovery of a closed one. */
function unsentOf(
  { endedAt, alertedTo, recoveryAlertedTo }: IncidentRow,
  channels: readonly KnownChannel[],
): KnownChannel[] {
  const taken = endedAt === null ? alertedTo : recoveryAlertedTo;
  return channels.filter(({ key }) => !taken.includes(key));
}

/** A claim that lasts longer than usual comes from a clock that was ahead, and does not count. */
function isClaimed({ claimedUntil }: IncidentRow, now: Date): boolean {
  const leftMs = claimedUntil === null ? 0 : Date.parse(claimedUntil) - now.getTime();
  return leftMs > 0 && leftMs <= CLAIM_MS;
}

async function sendAlert(
  sender: Sender,
  context: Alerting["context"],
  channels: readonly KnownChannel[],
  { node, startedAt }: IncidentRow,
): Promise<void> {
  const incident = await claim(sender, node, startedAt);
  if (incident === undefined) return;
  const message = nodeMessage(await alertOf(incident));
  const unsent = unsentOf(incident, channels);
  const taken = await Promise.all(unsent.map(async ({ key, channel }) => {
    try {
      await withDeadline(
        context,
        ALERT_MS_MAX,
        tooLate,
        (signal) => channel.send({ ...context, signal }, message),
      );
      return [key];
    } catch (error) {
      sender.log.warn(`cannot send ${channel.name} that ${message.text.title}: ${messageOf(error)}`);
      return [];
    }
  }));
  await noteSent(sender, incident, taken.flat(), unsent.length);
}

function tooLate(): FailedError {
  return new FailedError(`it took longer than ${ALERT_MS_MAX / 1000} s`, { code: "TIMEOUT" });
}

async function alertOf(incident: IncidentRow): Promise<NodeAlert> {
  const { node, kind, reason, startedAt, endedAt } = incident;
  const begun = startedAt.replaceAll(/[-:.]/g, "");
  return {
    kind: endedAt === null ? `node-${kind}` : "node-recovered",
    incident: `${begun}-${(await sha256Hex(node)).slice(0, NODE_HASH_CHARS)}`,
    node,
    reason,
    startedAt,
    endedAt,
  };
}

/** Claims an alert. @returns the incident; `undefined` if another instance sends it or none is due */
async function claim(
  { kv, clock, log }: Sender,
  node: string,
  startedAt: string,
): Promise<IncidentRow | undefined> {
  let claimed: IncidentRow | undefined;
  await compareAndSet(async () => {
    claimed = undefined;
    const entry = await kv.get(keys.incident(startedAt, node));
    const incident = IncidentRow.safeParse(entry.value).data;
    const now = clock.now();
    if (incident === undefined || isOutdated(incident, now)) {
      if (incident !== undefined) log.warn(`gave up alerting that ${node} works again`);
      return { guards: [entry], operation: kv.atomic().delete(keys.unsentRecovery(startedAt, node)) };
    }
    if (isClaimed(incident, now)) return undefined;
    claimed = { ...incident, claimedUntil: new Date(now.getTime() + CLAIM_MS).toISOString() };
    const operation = kv.atomic();
    setIncident(operation, claimed);
    return { guards: [entry], operation };
  });
  return claimed;
}

function isOutdated({ endedAt }: IncidentRow, now: Date): boolean {
  return endedAt !== null && now.getTime() - Date.parse(endedAt) > RECOVERY_MS_MAX;
}

/**
 * Records which channels accepted an alert. If some did not, the claim stays, and they are tried again when it has
 * expired.
 */
async function noteSent(
  { kv, clock }: Sender,
  sent: IncidentRow,
  taken: readonly string[],
  wanted: number,
): Promise<void> {
  const { node, startedAt, endedAt } = sent;
  await compareAndSet(async () => {
    const entry = await kv.get(keys.incident(startedAt, node));
    const before = IncidentRow.safeParse(entry.value).data;
    if (before === undefined) return undefined;
    const isDone = taken.length === wanted;
    const after: IncidentRow = {
      ...before,
      ...(endedAt !== null
        ? { recoveryAlertedTo: [...new Set([...before.recoveryAlertedTo, ...taken])] }
        : { alertedTo: [...new Set([...before.alertedTo, ...taken])] }),
      alertedAt: before.alertedAt ??
        (endedAt === null && taken.length > 0 ? clock.now().toISOString() : null),
      claimedUntil: isDone ? null : before.claimedUntil,
    };
    const operation = kv.atomic();
    setIncident(operation, after);
    if (isDone && endedAt !== null) operation.delete(keys.unsentRecovery(startedAt, node));
    return { guards: [entry], operation };
  });
}
