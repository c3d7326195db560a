import { cleanLine } from "../core/clean_text.ts";
import { formatDuration } from "../core/format.ts";
import type { AlertMessage } from "./alert_message.ts";

/** What the dashboard alerts about: the first two once an incident, the last when it is over. */
export type NodeAlertKind = "node-late" | "node-down" | "node-recovered";

/** What an alert says of a node. */
export interface NodeAlert {
  readonly kind: NodeAlertKind;
  /** The same for every alert of one incident; letters, digits and hyphens. */
  readonly incident: string;
  readonly node: string;
  /** Why the node is or was late or down. */
  readonly reason: string;
  /** ISO 8601: when the incident began and, if it is over, ended. */
  readonly startedAt: string;
  readonly endedAt: string | null;
}

/** Names and reasons come from nodes; a message of this length says which and why. */
const VALUE_CHARS_MAX = 600;

/** Returns the message of an alert about a node. A late node that is down meanwhile keeps the id of its first alert. */
export function nodeMessage(alert: NodeAlert): AlertMessage {
  const { kind, incident, startedAt, endedAt } = alert;
  const node = clean(alert.node);
  const reason = clean(alert.reason);
  const durationMs = endedAt === null ? undefined : durationOf(startedAt, endedAt);
  return {
    id: `${incident}-${kind === "node-recovered" ? "recovered" : "opened"}`,
    type: `model_sync.${kind}`,
    data: {
      incident,
      node,
      reason,
      startedAt,
      ...(endedAt === null ? {} : { endedAt, durationMs }),
    },
    text: {
      title: titleOf(kind, node, durationMs ?? 0),
      facts: [
        ["Node", node],
        ["Reason", reason],
        ["Began", startedAt],
        ...(endedAt === null ? [] : [["Ended", endedAt] as const]),
      ],
    },
  };
}

/** A clock that was set back must not give a negative length. */
function durationOf(startedAt: string, endedAt: string): number {
  return Math.max(0, Date.parse(endedAt) - Date.parse(startedAt));
}

function titleOf(kind: NodeAlertKind, node: string, durationMs: number): string {
  switch (kind) {
    case "node-late":
      return `${node} is late`;
    case "node-down":
      return `${node} is down`;
    case "node-recovered":
      return `${node} recovered after ${formatDuration(durationMs)}`;
  }
}

function clean(text: string): string {
  return cleanLine(text, { charsMax: VALUE_CHARS_MAX });
}
