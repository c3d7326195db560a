import { cleanLine } from "../core/clean_text.ts";
import { type Alert, alertId } from "./alert.ts";
import { type AlertText, describeAlert } from "./alert_text.ts";

/** An alert as channels send it. */
export interface AlertMessage {
  /** The same whenever the alert is sent again, so that receivers ignore repetitions. Without dots. */
  readonly id: string;
  /** For programs: `model_sync.rolled-back`. */
  readonly type: string;
  /** For programs: the facts, without secrets. */
  readonly data: Readonly<Record<string, unknown>>;
  /** For people. */
  readonly text: AlertText;
}

/** Returns the message of an alert about a run. */
export function runMessage(alert: Alert): AlertMessage {
  const { error, ...event } = alert.event;
  return {
    id: alertId(alert),
    type: `model_sync.${alert.kind}`,
    data: {
      ...event,
      ...(error === undefined ? {} : { error: { ...error, message: cleanLine(error.message) } }),
      ...(alert.downForMs === undefined ? {} : { downForMs: alert.downForMs }),
    },
    text: describeAlert(alert),
  };
}
