import type { NodeRow, Said } from "./rows.ts";

/**
 * What runs and heartbeats report about a node's release and host. The newest report wins. Of two with the same time,
 * always the same one wins, so that the order of arrival does not matter.
 */

type Digest = `sha256:${string}`;

/** An activation that a run or a heartbeat names. */
export interface ActivationClaim {
  readonly digest: Digest;
  readonly sequence: number | undefined;
  readonly at: string;
}

/** Returns the row after a report of the active release. */
export function withSaid(row: NodeRow, claim: Said): NodeRow {
  const before = saidOf(row);
  return before !== undefined && !isLater(claim, before) ? row : withActive({ ...row, said: claim });
}

/** Returns the row after a report of an activation. */
export function withActivation(row: NodeRow, { digest, sequence, at }: ActivationClaim): NodeRow {
  const claim = { digest, ...(sequence === undefined ? {} : { sequence }), at };
  if (row.activation !== null && !isLater(claim, row.activation)) return row;
  return withActive({ ...row, activation: claim });
}

/** Returns the row after an event that names the host. */
export function withHost(row: NodeRow, host: string, at: string): NodeRow {
  const before = row.hostSaidAt ?? "";
  const isNewer = row.host === null || at > before || (at === before && host > row.host);
  return isNewer ? { ...row, host, hostSaidAt: at } : row;
}

function saidOf({ said, active }: NodeRow): Said | undefined {
  if (said !== undefined || active === null) return said;
  const { digest, sequence, saidAt: at } = active;
  return { digest, ...(sequence === undefined ? {} : { sequence }), at };
}

/**
 * Sets `active` from the newest report. A pull that finds nothing new does not report the sequence: it is taken from
 * the activation.
 */
function withActive(row: NodeRow): NodeRow {
  const said = saidOf(row);
  if (said === undefined) return row;
  const { digest, at: saidAt } = said;
  if (digest === null) return { ...row, active: null };
  const activated = row.activation?.digest === digest ? row.activation.sequence : undefined;
  const sequence = said.sequence ?? activated;
  return { ...row, active: { digest, ...(sequence === undefined ? {} : { sequence }), saidAt } };
}

function isLater(a: Said, b: Said): boolean {
  if (a.at !== b.at) return a.at > b.at;
  if (a.digest !== b.digest) return (a.digest ?? "") > (b.digest ?? "");
  return (a.sequence ?? -1) > (b.sequence ?? -1);
}
