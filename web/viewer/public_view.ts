import { createHmac } from "node:crypto";
import { cleanLine } from "../../lib/core/clean_text.ts";
import { SIDES } from "../../lib/wire/node_name.ts";
import { FREE_BYTES_MIN } from "../fleet/troubles.ts";
import type { NodeRow, Report, RunRow } from "../store/rows.ts";
import type { ActivePeriod } from "../store/read_activations.ts";

/**
 * The fleet as people see it who did not sign in: states and names of releases. Hosts, paths, errors, reasons, run ids
 * and settings are taken out of the rows before a page or an answer is made of them.
 */

/** Enough to tell a thousand nodes apart; two that are equal get {@link LONG_DIGITS}. */
const SHORT_DIGITS = 6;
const LONG_DIGITS = 16;

/** What default names end in. */
const DEFAULT_ENDS: readonly string[] = SIDES;

/**
 * Returns the names that the public sees, by the nodes' names. A name that contains its node's host, as the default
 * `host/client` does, becomes `client-` and six digits of a keyed hash: the same ones as long as the key is. The host of
 * a node that has not reported is unknown, so its name is hidden as well.
 */
export function publicNames(rows: Iterable<NodeRow>, key: Uint8Array): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  const hidden: NodeRow[] = [];
  const all = Array.from(rows);
  const hosts = new Set(all.flatMap(({ host }) => host === null ? [] : hostNames(host)));
  for (const row of all) {
    if (namesHost(row, hosts)) hidden.push(row);
    else taken.add(row.node), names.set(row.node, row.node);
  }
  const digits = new Map(hidden.map(({ node }) => [node, hashOf(node, key)]));
  const shortNames = Map.groupBy(hidden, ({ node }) => aliasOf(node, digits.get(node) ?? "", SHORT_DIGITS));
  for (const [short, nodes] of shortNames) {
    const isClear = nodes.length === 1 && !taken.has(short);
    for (const { node } of nodes) {
      names.set(node, isClear ? short : aliasOf(node, digits.get(node) ?? "", LONG_DIGITS));
    }
  }
  return names;
}

function aliasOf(node: string, digits: string, count: number): string {
  return `${sideOf(node) ?? "node"}-${digits.slice(0, count)}`;
}

function sideOf(node: string): string | undefined {
  const last = node.slice(node.lastIndexOf("/") + 1);
  return node.includes("/") && DEFAULT_ENDS.includes(last) ? last : undefined;
}

function hashOf(node: string, key: Uint8Array): string {
  return createHmac("sha256", key).update(`public name\n${node}`).digest("hex");
}

/**
 * Names are compared without case, as hosts are. A default name is cut where the host is long. A name may also be that of
 * another node's host, whole or as a part.
 */
function namesHost({ node, host }: NodeRow, hosts: ReadonlySet<string>): boolean {
  if (host === null || sideOf(node) !== undefined) return true;
  const name = node.toLowerCase();
  const parts = [name, ...name.split("/"), ...name.split(/[^\p{L}\p{N}_-]+/u)];
  return hostNames(host).slice(0, 2).some((own) => name.includes(own)) ||
    parts.some((part) => hosts.has(part));
}

/** How a host may be named: whole, as records clean it, and by its first label. */
function hostNames(host: string): string[] {
  const whole = host.toLowerCase();
  const clean = cleanLine(whole);
  const [label = ""] = clean.split(".");
  return [whole, clean, label].filter((name) => name !== "");
}

/** Returns the rows of the fleet for the public, under public names: nodes have the states that operators see. */
export function publicRows(rows: Iterable<NodeRow>, key: Uint8Array): NodeRow[] {
  const all = Array.from(rows);
  const names = publicNames(all, key);
  return all.map((row) => publicRow(row, nameFor(row.node, names)));
}

/** Returns the public name of a node; a node that is not in the fleet any more has none, and its true one is not shown. */
export function nameFor(node: string, names: ReadonlyMap<string, string>): string {
  return names.get(node) ?? "unknown";
}

/** Stands where operators read a reason, so that the public view says that there is one. */
const HIDDEN_REASON = "sign in to see the reason";
const HIDDEN_CODE = "HIDDEN";

/** Returns a node's row for the public, under a public name. */
export function publicRow(row: NodeRow, name: string): NodeRow {
  return {
    node: name,
    host: null,
    firstReceivedAt: row.firstReceivedAt,
    lastReceivedAt: row.lastReceivedAt,
    report: row.report === null ? null : publicReport(row.report),
    active: row.active,
    activation: row.activation,
    published: row.published,
    strip: row.strip.map((run) => ({ ...run, runId: "" })),
    last: row.last === null ? null : publicRun(row.last, name),
    running: row.running.map(({ command, startedAt }) => ({ runId: "", command, startedAt, step: null })),
    lastSuccessAt: row.lastSuccessAt,
  };
}

function publicReport(report: Report): Report {
  const { at, receivedAt, intervalSeconds, roles, canary, quarantine, freeBytes, fault } = report;
  return {
    at,
    receivedAt,
    ...(report.heartbeatAt === undefined ? {} : { heartbeatAt: report.heartbeatAt }),
    version: "",
    configFingerprint: "",
    intervalSeconds,
    roles: roles.map(({ role, next, splaySeconds, pause }) => ({
      role,
      next,
      times: [],
      timeZone: "UTC",
      splaySeconds,
      pause: pause === null ? null : { since: pause.since, until: pause.until },
    })),
    canary: canary === null
      ? null
      : { ...canary, startedAt: timeOr(canary.startedAt, at), reason: HIDDEN_REASON },
    quarantine,
    // The public sees that the disk is nearly full, and not how full it is.
    freeBytes: freeBytes !== null && freeBytes < FREE_BYTES_MIN ? 0 : null,
    fault: fault === null ? null : HIDDEN_REASON,
  };
}

/** Returns a run for the public: what it did with which release, no more. */
export function publicRun(run: RunRow, name: string): RunRow {
  const { command, outcome, startedAt, durationMs, release, previous, sequence, error } = run;
  return {
    node: name,
    runId: "",
    command,
    outcome,
    startedAt,
    durationMs,
    ...(release === undefined ? {} : { release }),
    ...(previous === undefined ? {} : { previous }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(error === undefined ? {} : { error: { code: HIDDEN_CODE, message: HIDDEN_REASON } }),
  };
}

/** Returns a period for the public. */
export function publicPeriod(period: ActivePeriod, names: ReadonlyMap<string, string>): ActivePeriod {
  return { ...period, node: nameFor(period.node, names), runId: "" };
}

/** Returns a text that is a time: the wire allows any text for some of a heartbeat's. */
export function timeOr<Other>(text: string, other: Other): string | Other {
  return /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-][\d:]+)$/.test(text) && text.length <= 40 ? text : other;
}
