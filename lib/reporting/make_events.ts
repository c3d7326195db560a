import { cleanLine } from "../core/clean_text.ts";
import type { RunRecord } from "../store/history.ts";
import type { PublishedFiles } from "../store/published_files.ts";
import { nodeName, sideOfCommand } from "../wire/node_name.ts";
import { EVENT_TYPES, LISTED_FILES_MAX, sourceOf } from "../wire/event_names.ts";
import type { EventOf, ReportEvent, Run } from "../wire/schema.ts";
import { wireCount, wireName, wireTime } from "../wire/wire_values.ts";

/** The facts of a node that its events carry besides the record. */
export interface NodeFacts {
  /** `report.node` */
  readonly name: string | undefined;
  readonly host: string;
  readonly modelsDir: string;
}

/** The bounds of the wire format: records are cut to them. */
const STEPS_MAX = 100;
const PULL_REQUESTS_MAX = 100;

/** Bounds of the log that keep an event within the dashboard's values of 64 KiB; the rest of it takes a few KiB. */
const LOG_LINES_MAX = 100;
const LOG_CHARS_MAX = 16 * 1024;

/** A run that has begun. */
export type BegunRun = Pick<RunRecord, "runId" | "command" | "startedAt">;

/** Returns the event that a run began. */
export function startedEvent({ name, host, modelsDir }: NodeFacts, run: BegunRun): EventOf<"started"> {
  const { startedAt } = run;
  const runId = wireName(run.runId);
  return {
    ...envelope(nodeName(name, host, sideOfCommand(run.command)), startedAt),
    id: `${runId}/started`,
    type: EVENT_TYPES.started,
    subject: runId,
    data: {
      runId,
      command: wireName(run.command),
      startedAt,
      host: wireName(host),
      modelsDir: cleanLine(modelsDir),
    },
  };
}

/**
 * Returns the events of a record; none for a record without a valid time, which this program does not write.
 *
 * @param published the files of the published release, where they are known
 */
export function recordEvents(
  facts: NodeFacts,
  record: RunRecord,
  published: PublishedFiles | undefined,
): ReportEvent[] {
  const startedAt = wireTime(record.startedAt);
  if (startedAt === undefined) return [];
  const run = runOf(record, startedAt);
  const node = nodeName(facts.name, record.host, sideOfCommand(record.command));
  const head = envelope(node, wireTime(Date.parse(startedAt) + run.durationMs) ?? startedAt);
  const { runId, host } = run;
  const finished: EventOf<"finished"> = {
    ...head,
    id: `${runId}/finished`,
    type: EVENT_TYPES.finished,
    subject: runId,
    data: { ...run, modelsDir: cleanLine(facts.modelsDir) },
  };
  const pullRequests = (run.pullRequests ?? []).map((pullRequest): EventOf<"pullRequest"> => ({
    ...head,
    id: `${runId}/pull-request/${pullRequest.repository}`,
    type: EVENT_TYPES.pullRequest,
    subject: pullRequest.repository,
    data: { ...pullRequest, runId, host },
  }));
  return [...publishedEvents(head, run, published), ...pullRequests, finished];
}

/** Outcomes of runs whose release is the newest of a registry. A withdrawal publishes a release again. */
const PUBLISHING_OUTCOMES: readonly string[] = ["published", "withdrawn", "reinstated"];

function publishedEvents(
  head: ReturnType<typeof envelope>,
  { runId, host, outcome, release, previous, sequence, carrier, revision, signer, files, bytes }: Run,
  list: PublishedFiles | undefined,
): EventOf<"published">[] {
  if (!PUBLISHING_OUTCOMES.includes(outcome) || release === undefined) return [];
  const listed = (list?.files ?? []).slice(0, LISTED_FILES_MAX).map((file) => ({
    ...file,
    path: cleanLine(file.path),
  }));
  const filesTotal = list?.filesTotal ?? files ?? 0;
  return [{
    ...head,
    id: `${runId}/published`,
    type: EVENT_TYPES.published,
    subject: release,
    data: {
      digest: release,
      ...(previous === undefined ? {} : { previous }),
      sequence: sequence ?? 0,
      ...(carrier === undefined ? {} : { carrier }),
      ...(revision === undefined ? {} : { revision }),
      ...(signer === undefined ? {} : { signer }),
      runId,
      host,
      filesTotal,
      bytes: list?.bytes ?? bytes ?? 0,
      files: listed,
      filesLeftOut: filesTotal - listed.length,
    },
  }];
}

/** Returns a record within the bounds of the wire format. Its texts were cleaned when it was read. */
function runOf({ activated: _local, ...record }: RunRecord, startedAt: string): Run {
  const { sequence, files, bytes, writtenBytes, changed, signer, steps, pullRequests, error, log } = record;
  return {
    ...record,
    startedAt,
    runId: wireName(record.runId),
    command: wireName(record.command),
    host: wireName(record.host),
    durationMs: wireCount(record.durationMs),
    ...counts({ sequence, files, bytes, writtenBytes, changed }),
    ...(signer === undefined ? {} : { signer: wireName(signer) }),
    ...(steps === undefined ? {} : {
      steps: steps.slice(0, STEPS_MAX).map(({ name, startMs, durationMs }) => ({
        name: wireName(name),
        startMs: wireCount(startMs),
        durationMs: wireCount(durationMs),
      })),
    }),
    ...(pullRequests === undefined ? {} : {
      pullRequests: pullRequests.slice(0, PULL_REQUESTS_MAX).map((pullRequest) => ({
        ...pullRequest,
        repository: wireName(pullRequest.repository),
        outcome: wireName(pullRequest.outcome),
        changes: wireCount(pullRequest.changes),
        ...counts({ number: pullRequest.number }),
      })),
    }),
    ...(error === undefined ? {} : { error: { ...error, code: wireName(error.code) } }),
    ...(log === undefined ? {} : { log: endOfLog(log) }),
  };
}

function envelope(node: string, time: string) {
  return {
    specversion: "1.0",
    source: sourceOf(node),
    time,
    datacontenttype: "application/json",
  } as const;
}

function counts<Key extends string>(values: Readonly<Record<Key, number | undefined>>) {
  const known: Partial<Record<Key, number>> = {};
  for (const key in values) {
    const value = values[key];
    if (value !== undefined) known[key] = wireCount(value);
  }
  return known;
}

/** Returns the last lines that fit. */
function endOfLog(lines: readonly string[]): string[] {
  const kept: string[] = [];
  let chars = 0;
  for (const line of lines.slice(-LOG_LINES_MAX).reverse()) {
    chars += line.length;
    if (chars > LOG_CHARS_MAX) break;
    kept.push(line);
  }
  return kept.reverse();
}
