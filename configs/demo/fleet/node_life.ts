import { VERSION } from "../../../lib/core/version.ts";
import { EVENT_TYPES, sourceOf } from "../../../lib/wire/event_names.ts";
import type { EventOf, ReportEvent, RunningRun, Status } from "../../../lib/wire/schema.ts";
import type { Behaviour, Moment, NodeFacts } from "./behaviour.ts";
import type { Fortune } from "./fortune.ts";
import { KINDS } from "./kinds.ts";
import { RunEvents } from "./run_events.ts";
import type { Timetable } from "./timetable.ts";

/** The start of a run that ends at once is not reported. */
const STARTED_MS_MIN = 1_000;
const GIGABYTE = 1e9;
/** The default of `report.interval_seconds`. */
const INTERVAL_SECONDS = 60;

/** The settings of a node. */
export interface NodeParts {
  readonly facts: NodeFacts;
  readonly behaviour: Behaviour;
  readonly timetable: Timetable;
  readonly fortune: Fortune;
  readonly fromMs: number;
  /** When its first run is due. */
  readonly firstDueMs: number;
  /** The interval of heartbeats. Without it, there is one at the end, and those that show a canary. */
  readonly heartbeatMs: number | undefined;
  /** The times of additional heartbeats, oldest first. */
  readonly beatTimes: readonly number[];
}

/** An event, with its time by a correct clock. */
export interface Reported {
  readonly atMs: number;
  readonly event: ReportEvent;
}

/** A running run. */
interface Doing {
  readonly moments: Generator<Moment>;
  /** The next event, with its time. */
  next: Moment;
  atMs: number;
  /** Whether the next run has started. */
  isStarted: boolean;
}

/** The life of one node, as the events that it reports. */
export class NodeLife {
  readonly #parts: NodeParts;
  readonly #events: RunEvents;
  readonly #isWindows: boolean;
  #dueMs: number;
  /** When the run of the due time starts; `undefined` until the due time has come. */
  #startMs: number | undefined;
  /** The due time whose run a stuck daemon did not start. */
  #missedMs: number | undefined;
  #doing: Doing | undefined;
  #nextBeatMs: number;
  #pauseMs: number;
  /** The events that were not returned yet. */
  #reported: Reported[] = [];

  constructor(parts: NodeParts) {
    const { facts, heartbeatMs, fromMs } = parts;
    const { modelsDir } = KINDS[facts.plan.kind];
    this.#parts = parts;
    this.#events = new RunEvents({ name: facts.plan.name, host: facts.plan.host, modelsDir });
    this.#isWindows = modelsDir.includes("\\");
    this.#dueMs = parts.firstDueMs;
    this.#nextBeatMs = !facts.plan.hasDaemon
      ? Infinity
      : heartbeatMs === undefined
      ? this.#nextOwnBeat(-Infinity)
      : fromMs;
    this.#pauseMs = parts.fortune.pausedMs;
  }

  /** Returns the node's new events up to a time, oldest first. */
  eventsUntil(toMs: number): Reported[] {
    const untilMs = Math.min(toMs, this.#parts.fortune.lastSeenMs);
    while (this.#step(untilMs));
    const events = this.#reported;
    this.#reported = [];
    return events;
  }

  /** Performs the next event, if it is not after a time. */
  #step(untilMs: number): boolean {
    const runMs = this.#doing?.atMs ?? this.#startMs ?? this.#dueMs;
    const atMs = Math.min(runMs, this.#nextBeatMs, this.#pauseMs);
    if (atMs > untilMs) return false;
    if (atMs === this.#pauseMs) this.#pause();
    else if (atMs === this.#nextBeatMs) this.#regularBeat();
    else if (this.#doing !== undefined) this.#continue(this.#doing);
    else if (this.#startMs !== undefined) this.#run(this.#startMs);
    else this.#come();
    return true;
  }

  /** A due time has come. */
  #come(): void {
    const { facts, fortune, timetable } = this.#parts;
    const startMs = fortune.startOf(this.#dueMs);
    if (startMs !== undefined) {
      this.#startMs = startMs;
      return;
    }
    if (facts.plan.fate === "late") this.#missedMs ??= this.#dueMs;
    this.#dueMs = timetable.next(this.#dueMs);
  }

  #run(startMs: number): void {
    const { behaviour, fortune, timetable } = this.#parts;
    this.#startMs = undefined;
    this.#dueMs = timetable.next(this.#dueMs);
    this.#await(behaviour.run(startMs, fortune.failureAt(startMs)));
  }

  #await(moments: Generator<Moment>): void {
    const { done, value } = moments.next();
    if (done === true) {
      this.#doing = undefined;
      return;
    }
    const atMs = value.kind === "beat" ? value.atMs : value.startMs;
    this.#doing = { moments, next: value, atMs, isStarted: false };
  }

  /** The time of what comes next has come. */
  #continue(doing: Doing): void {
    const { next, moments } = doing;
    if (next.kind === "beat") {
      if (this.#parts.facts.plan.hasDaemon) this.#beat(next.atMs);
    } else if (!doing.isStarted) {
      const { durationMs } = next.record;
      if (durationMs >= STARTED_MS_MIN) this.#report(next.startMs, [this.#events.started(next.record)]);
      doing.isStarted = true;
      doing.atMs = next.startMs + durationMs;
      return;
    } else this.#report(doing.atMs, this.#events.ended(next.record, next.published));
    this.#await(moments);
  }

  #pause(): void {
    this.#report(this.#pauseMs, this.#events.ended(this.#parts.fortune.pauseRecord(), undefined));
    this.#pauseMs = Infinity;
  }

  #regularBeat(): void {
    const { heartbeatMs = Infinity, fortune } = this.#parts;
    const atMs = this.#nextBeatMs;
    if (fortune.isOn(atMs)) this.#beat(atMs);
    const { lastBeatMs } = fortune;
    this.#nextBeatMs = atMs < lastBeatMs
      ? Math.min(atMs + heartbeatMs, this.#nextOwnBeat(atMs))
      : atMs + INTERVAL_SECONDS * 1_000;
  }

  /** Returns the first scheduled heartbeat after a time. */
  #nextOwnBeat(afterMs: number): number {
    const { beatTimes, fortune } = this.#parts;
    const next = beatTimes.find((timeMs) => timeMs > afterMs) ?? Infinity;
    return Math.min(next, fortune.lastBeatMs);
  }

  #beat(atMs: number): void {
    const { plan, clock } = this.#parts.facts;
    const time = clock(atMs);
    const event: EventOf<"heartbeat"> = {
      specversion: "1.0",
      id: `${plan.name}/heartbeat/${time}`,
      source: sourceOf(plan.name),
      type: EVENT_TYPES.heartbeat,
      time,
      subject: plan.name,
      datacontenttype: "application/json",
      data: {
        host: plan.host,
        version: VERSION,
        configFingerprint: plan.fingerprint,
        intervalSeconds: INTERVAL_SECONDS,
        status: this.#status(atMs),
        leftOut: { releases: 0, quarantine: 0 },
      },
    };
    this.#report(atMs, [event]);
  }

  #status(atMs: number): Status {
    const { facts, behaviour, timetable, fortune, fromMs } = this.#parts;
    const { plan, clock } = facts;
    const { role, modelsDir } = KINDS[plan.kind];
    const pause = fortune.pauseAt(atMs);
    const dueMs = this.#missedMs ?? this.#awaitedMs(atMs) ?? timetable.next(atMs);
    return {
      modelsDir,
      stateDir: modelsDir.replace(/models$/, ".model-sync"),
      modelFolderFault: null,
      ...behaviour.state(atMs),
      runs: [],
      next: { [role]: dueMs === Infinity ? null : clock(dueMs) },
      quarantineFault: null,
      canaryFault: null,
      schedules: { [role]: { ...timetable.schedule, paused: pause ?? null } },
      paused: pause === undefined ? {} : { [role]: pause },
      daemons: [{ role, pid: fortune.pid, host: plan.host, since: clock(fromMs - 3_600_000) }],
      running: this.#runningAt(atMs),
      freeBytes: fortune.freeBytesAt(atMs, this.#isWindows ? 180 * GIGABYTE : 60 * GIGABYTE),
    };
  }

  /** The due time whose run has not started yet. A node that was off makes up for it by itself. */
  #awaitedMs(atMs: number): number | undefined {
    const isAwaited = this.#startMs !== undefined && this.#startMs > atMs && this.#dueMs <= atMs;
    return isAwaited && this.#parts.fortune.isOn(this.#dueMs) ? this.#dueMs : undefined;
  }

  #report(atMs: number, events: readonly ReportEvent[]): void {
    for (const event of events) this.#reported.push({ atMs, event });
  }

  #runningAt(atMs: number): RunningRun[] {
    const { next, isStarted = false } = this.#doing ?? {};
    if (next?.kind !== "run" || !isStarted) return [];
    const { runId, command, startedAt, steps = [] } = next.record;
    const step = steps.findLast(({ startMs }) => startMs <= atMs - next.startMs)?.name ?? null;
    return [{ runId, command, startedAt, step }];
  }
}
