import { VERSION } from "../../../lib/core/version.ts";
import { EVENT_TYPES, sourceOf } from "../../../lib/reporting/event_names.ts";
import type { EventOf, ReportEvent, Status } from "../../../lib/reporting/wire.ts";
import type { RunRecord } from "../../../lib/store/history.ts";
import type { PublishedFiles } from "../../../lib/store/published_files.ts";
import type { Behaviour, Moment, NodeFacts, OpenRun } from "./behaviour.ts";
import type { Fortune } from "./fortune.ts";
import { KINDS } from "./kinds.ts";
import { RunEvents } from "./run_events.ts";
import type { Timetable } from "./timetable.ts";

/** The start of a run that was over at once is not reported. */
const STARTED_MS_MIN = 1_000;
const GIGABYTE = 1e9;
/** As `report.interval_seconds` is by default. */
const INTERVAL_SECONDS = 60;

/** How a node is made. */
export interface NodeParts {
  readonly facts: NodeFacts;
  readonly behaviour: Behaviour;
  readonly timetable: Timetable;
  readonly fortune: Fortune;
  readonly fromMs: number;
  /** When its first run is due. */
  readonly firstDueMs: number;
  /** The time between two heartbeats; without it there is one at the end, and those that show a canary. */
  readonly heartbeatMs: number | undefined;
}

/** The life of one node, as the events that it reports. */
export class NodeLife {
  readonly #parts: NodeParts;
  readonly #events: RunEvents;
  readonly #isWindows: boolean;
  #dueMs: number;
  #nextBeatMs: number;
  #open: OpenRun | undefined;
  /** Whether the last sign of life was given. */
  #isOver = false;
  /** What happened later than was asked for yet, with its time. */
  #later: { readonly atMs: number; readonly event: ReportEvent }[] = [];

  constructor(parts: NodeParts) {
    const { plan } = parts.facts;
    const { modelsDir } = KINDS[plan.kind];
    this.#parts = parts;
    this.#events = new RunEvents({ name: plan.name, host: plan.host, modelsDir });
    this.#isWindows = modelsDir.includes("\\");
    this.#dueMs = parts.firstDueMs;
    this.#nextBeatMs = plan.hasDaemon && parts.heartbeatMs !== undefined ? parts.fromMs : Infinity;
    const pause = parts.fortune.pauseRecord();
    if (pause !== undefined) this.#record(pause, undefined);
  }

  /** Returns what the node reports up to a time and has not returned yet, oldest first. */
  eventsUntil(toMs: number): ReportEvent[] {
    const { timetable, fortune, facts } = this.#parts;
    const aliveMs = Math.min(toMs, fortune.lastSeenMs);
    while (this.#dueMs <= aliveMs) {
      const startMs = fortune.startOf(this.#dueMs);
      this.#beatUntil(Math.min(startMs ?? this.#dueMs, facts.nowMs));
      if (startMs !== undefined && startMs <= facts.nowMs) this.#run(startMs);
      this.#dueMs = timetable.next(this.#dueMs);
    }
    this.#beatUntil(aliveMs);
    if (toMs >= fortune.lastSeenMs && !this.#isOver) {
      this.#isOver = true;
      if (facts.plan.hasDaemon) this.#beat(fortune.lastSeenMs);
    }
    return this.#take(toMs);
  }

  #run(startMs: number): void {
    const { behaviour, fortune } = this.#parts;
    for (const moment of behaviour.run(startMs, fortune.failureAt(startMs))) this.#note(moment, startMs);
  }

  #note(moment: Moment, startMs: number): void {
    switch (moment.kind) {
      case "beat":
        if (this.#parts.facts.plan.hasDaemon) this.#beat(moment.atMs);
        return;
      case "open":
        this.#open = moment.run;
        this.#add(startMs, this.#events.started(moment.run));
        return;
      case "run":
        this.#record(moment.record, moment.published);
    }
  }

  #record(record: RunRecord, published: PublishedFiles | undefined): void {
    const startedMs = this.#realTime(record.startedAt);
    if (record.durationMs >= STARTED_MS_MIN) this.#add(startedMs, this.#events.started(record));
    for (const event of this.#events.ended(record, published)) {
      this.#add(this.#realTime(event.time), event);
    }
  }

  #beatUntil(toMs: number): void {
    const { heartbeatMs = Infinity, fortune } = this.#parts;
    for (; this.#nextBeatMs <= toMs; this.#nextBeatMs += heartbeatMs) {
      if (fortune.isOn(this.#nextBeatMs)) this.#beat(this.#nextBeatMs);
    }
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
    this.#add(atMs, event);
  }

  #status(atMs: number): Status {
    const { facts, behaviour, timetable, fortune, fromMs } = this.#parts;
    const { plan, clock } = facts;
    const { role, modelsDir } = KINDS[plan.kind];
    const pause = fortune.pauseAt(atMs);
    const dueMs = timetable.next(atMs);
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
      running: this.#open === undefined ? [] : [this.#open],
      freeBytes: fortune.freeBytesAt(atMs, this.#isWindows ? 180 * GIGABYTE : 60 * GIGABYTE),
    };
  }

  #add(atMs: number, event: ReportEvent): void {
    this.#later.push({ atMs, event });
  }

  /** The time by the world's clock of what the node's clock says. */
  #realTime(time: string): number {
    return this.#parts.fortune.realTime(Date.parse(time));
  }

  #take(toMs: number): ReportEvent[] {
    this.#later.sort((one, other) => one.atMs - other.atMs);
    const end = this.#later.findIndex(({ atMs }) => atMs > toMs);
    const due = end < 0 ? this.#later : this.#later.slice(0, end);
    this.#later = end < 0 ? [] : this.#later.slice(end);
    return due.map(({ event }) => event);
  }
}
