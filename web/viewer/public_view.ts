import { createHmac } from "node:crypto";
import { cleanLine } from "../../lib/core/clean_text.ts";
import { SIDES } from "../../lib/wire/node_name.ts";
import { FREE_BYTES_MIN } from "../fleet/troubles.ts";
import type { NodeRow, Report, RunRow } from "../store/rows.ts";
import type { ActivePeriod } from "../store/read_activations.ts";

/**
 * The fleet for people who are not signed in: states and release names. Hosts, paths, errors, reasons, run ids and
 * settings are removed from the rows before a page or an answer is made from them.
 */

/** Enough to distinguish a thousand nodes. Equal ones get {@link LONG_DIGITS}. */
const SHORT_DIGITS = 6;
const LONG_DIGITS = 16;

/** The ends of default names. */
const DEFAULT_ENDS: readonly string[] = SIDES;

/**
 * Returns the public names by node. A name that contains its node's host, such as the default `host/client`, becomes
 * `client-` and six digits of a keyed hash, which change only with the key. The host of a node that has not reported is
 * unknown, so its name is hidden, too.
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
 * Returns whether a name contains a host. Names are compared without case, as hosts are. Default names may be cut if
 * the host is long. A name may also contain the host of another node.
 */
function namesHost({ node, host }: NodeRow, hosts: ReadonlySet<string>): boolean {
  if (host === null || sideOf(node) !== undefined) return true;
  const name = node.toLowerCase();
  const parts = [name, ...name.split("/"), ...name.split(/[^\p{L}\p{N}_-]+/u)];
  return hostNames(host).slice(0, 2).some((own) => name.includes(own)) ||
    parts.some((part) => hosts.has(part));
}

/** Returns the forms in which a host may appear: complete, cleaned as in records, and its first label. */
function hostNames(host: string): string[] {
  const whole = host.toLowerCase();
  const clean = cleanLine(whole);
  const [label = ""] = clean.split(".");
  return [whole, clean, label].filter((name) => name !== "");
}

/** Returns the rows of the fleet for the public, under public names. Nodes have the same states as for operators. */
export function publicRows(rows: Iterable<NodeRow>, key: Uint8Array): NodeRow[] {
  const all = Array.from(rows);
  const names = publicNames(all, key);
  return all.map((row) => publicRow(row, nameFor(row.node, names)));
}

/** Returns the public name of a node; `unknown` for a node that is no longer in the fleet. */
export function nameFor(node: string, names: ReadonlyMap<string, string>): string {
  return names.get(node) ?? "unknown";
}

/** Replaces reasons, so that the public view shows that there is one. */
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
  const { at, receivedAt, intervalSeconds, roles, canary, quarantine } = report;
  const { withdrawn, interrupted, freeBytes, fault } = report;
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
    ...(withdrawn === undefined ? {} : { withdrawn }),
    ...(interrupted === undefined
      ? {}
      : { interrupted: interrupted.map(({ command, startedAt }) => ({ command, startedAt, step: null })) }),
    // The public sees that the disk is nearly full, but not how full.
    freeBytes: freeBytes !== null && freeBytes < FREE_BYTES_MIN ? 0 : null,
    fault: fault === null ? null : HIDDEN_REASON,
  };
}

/** Returns a run for the public: only its command, outcome, times and releases. */
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

/** Returns the text if it is a time, else `other`: the wire allows any text for some times of a heartbeat. */
export function timeOr<Other>(text: string, other: Other): string | Other {
  return /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-][\d:]+)$/.test(text) && text.length <= 40 ? text : other;
}
