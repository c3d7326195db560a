import { cleanLine } from "../core/clean_text.ts";
import { formatBytes, formatDuration } from "../core/format.ts";
import { shortDigest, type Withdrawal } from "../release/manifest.ts";
import type { Outcome } from "../store/history.ts";
import { durationText } from "../store/run_duration.ts";
import type { Alert, AlertEvent } from "./alert.ts";

/** An alert for people. Each text is one line without secrets. */
export interface AlertText {
  /** The subject of a mail, the headline of a message. */
  readonly title: string;
  /** The facts, in pairs. */
  readonly facts: readonly (readonly [label: string, value: string])[];
}

/** The bound of a text. Errors quote servers. */
const VALUE_CHARS_MAX = 1_000;

/** Returns the text of an alert. */
export function describeAlert(alert: Alert): AlertText {
  return {
    title: clean(titleOf(alert)),
    facts: factsOf(alert).map(([label, value]) => [label, clean(value)]),
  };
}

function clean(text: string): string {
  return cleanLine(text, { charsMax: VALUE_CHARS_MAX });
}

function titleOf({ kind, event, downForMs }: Alert): string {
  const { host, command } = event;
  const code = event.error === undefined ? "" : `: ${event.error.code}`;
  switch (kind) {
    case "activated":
      return `New models installed - version ${event.startedAt}`;
    case "promoted":
      return `New models proved themselves on ${host}`;
    case "published":
      return `New models published - version ${event.startedAt}`;
    case "proposed":
      return `Model references changed - version ${event.startedAt}`;
    case "trained":
      return `New models trained - version ${event.startedAt}`;
    case "redeployed":
      return `Backends redeployed by ${host}`;
    case "pruned":
      return `Old releases removed on ${host}`;
    case "quarantined":
      return `Release quarantined on ${host}`;
    case "lifted":
      return `Release allowed again on ${host}`;
    case "withdrawn":
      return `Release withdrawn by ${host}`;
    case "reinstated":
      return `Release no longer withdrawn by ${host}`;
    case "paused":
      return `Daemon paused on ${host}`;
    case "resumed":
      return `Daemon resumed on ${host}`;
    case "requested":
      return `Run requested on ${host}`;
    case "unchanged":
      return `Models unchanged on ${host} (${command})`;
    case "failed":
      return `Model sync failed on ${host} (${command})${code}`;
    case "refused":
      return `New models refused on ${host} (${command})${code}`;
    case "rolled-back":
      return `Models rolled back on ${host} (${command})${code}`;
    case "interrupted":
      return `Model sync interrupted on ${host} (${command})`;
    case "recovered":
      return `Model sync works again on ${host} (${command}), after ${formatDuration(downForMs ?? 0)}`;
  }
}

function factsOf({ event, downForMs }: Alert): [string, string][] {
  const { host, command, carrier, outcome, release, previous, sequence, modelsDir, startedAt } = event;
  const facts: [string, string][] = [["Host", host]];
  facts.push(["Command", carrier === undefined ? command : `${command} (${carrier})`], ["Outcome", outcome]);
  if (event.error !== undefined) facts.push(["Reason", `${event.error.message} (${event.error.code})`]);
  if (downForMs !== undefined) facts.push(["Down for", formatDuration(downForMs)]);
  if (release !== undefined) {
    facts.push([
      releaseLabel(event),
      shortDigest(release) + (sequence === undefined ? "" : `, sequence ${sequence}`),
    ]);
  }
  if (previous !== undefined) {
    facts.push([outcome === "rolled-back" ? "Rolled back from" : "Before", shortDigest(previous)]);
  }
  if (event.withdrawal !== undefined) {
    const label = event.withdrawal.state === "withdrawn" ? "Withdrawn" : "No longer withdrawn";
    facts.push([label, withdrawalText(event.withdrawal)]);
  }
  facts.push(["Models", modelsDir]);
  const files = filesOf(event);
  if (files !== "") facts.push(["Files", files]);
  facts.push(["Started", startedAt], ["Took", durationText(event)], ["Run", event.runId]);
  return facts;
}

/** Outcomes after which the release of the record is the active one, or the newest one of the registry. */
const ACTIVE_AFTER: readonly Outcome[] = ["failed", "refused", "interrupted", "rolled-back"];
const NEWEST_AFTER: readonly Outcome[] = ["withdrawn", "reinstated"];

function releaseLabel({ command, outcome }: AlertEvent): string {
  if (NEWEST_AFTER.includes(outcome)) return "Newest release";
  return ACTIVE_AFTER.includes(outcome) && command !== "redeploy" ? "Active release" : "Release";
}

function withdrawalText({ digest, at, reason }: Withdrawal): string {
  return `${shortDigest(digest)} at ${at}${reason === undefined ? "" : `: ${reason}`}`;
}

function filesOf({ files, bytes, changed }: AlertEvent): string {
  return [
    files === undefined ? [] : [String(files)],
    changed === undefined ? [] : [`${changed} changed`],
    bytes === undefined ? [] : [formatBytes(bytes)],
  ].flat().join(", ");
}
