import { cleanLine } from "../core/clean_text.ts";
import { formatDuration } from "../core/format.ts";
import type { AlertMessage } from "./alert_message.ts";

/** The alerts of the dashboard: the first two once in an incident, the last at its end. */
export type NodeAlertKind = "node-late" | "node-down" | "node-recovered";

/** An alert about a node. */
export interface NodeAlert {
  readonly kind: NodeAlertKind;
  /** The id of the incident: letters, digits and hyphens. */
  readonly incident: string;
  readonly node: string;
  /** Why the node is late or down, or was. */
  readonly reason: string;
  /** ISO 8601: when the incident began and, if it is over, ended. */
  readonly startedAt: string;
  readonly endedAt: string | null;
}

/** The bound of names and reasons, which come from nodes. */
const VALUE_CHARS_MAX = 600;

/** Returns the message of an alert about a node. When a late node is down, its alert keeps the same id. */
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

/** Returns the duration in milliseconds; 0 where a clock was set back. */
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
