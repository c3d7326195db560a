import type { AlertKind } from "../config/sections/alerts.ts";
import type { Carrier, Digest, Withdrawal } from "../release/manifest.ts";
import type { Outcome } from "../store/history.ts";

/** A run that has ended, as alerts describe it. */
export interface AlertEvent {
  readonly outcome: Outcome;
  readonly command: string;
  readonly runId: string;
  readonly host: string;
  readonly carrier?: Carrier | undefined;
  /** The release that the run activated, published or refused. */
  readonly release?: Digest | undefined;
  readonly previous?: Digest | undefined;
  readonly sequence?: number | undefined;
  readonly modelsDir: string;
  readonly changed?: number | undefined;
  readonly files?: number | undefined;
  readonly bytes?: number | undefined;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly durationMs: number;
  /** The withdrawal that the run published, or because of which it rolled back. */
  readonly withdrawal?: Withdrawal | undefined;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

/** An alert about a run. */
export interface Alert {
  readonly kind: AlertKind;
  readonly event: AlertEvent;
  /** How long the command had been failing, if it works again. */
  readonly downForMs: number | undefined;
}

/** Returns the id of an alert, by which receivers ignore repetitions. */
export function alertId({ kind, event }: Alert): string {
  return `${event.runId}-${kind}`.replace(/[^\w-]/g, "-");
}
