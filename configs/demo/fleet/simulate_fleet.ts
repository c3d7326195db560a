import { BATCH_BYTES_MAX, BATCH_EVENTS_MAX, EVENT_TYPES } from "../../../lib/wire/event_names.ts";
import type { ReportEvent } from "../../../lib/wire/schema.ts";
import type { Behaviour, NodeFacts } from "./behaviour.ts";
import { Consumer } from "./consumer.ts";
import { clockOf, Fortune } from "./fortune.ts";
import { makeModelSet, type ModelSet, SET_SPECS } from "./model_sets.ts";
import { beatTimes, lookTimes, type TroubledTime, troubledTimes } from "./looks.ts";
import { NodeLife, type NodeParts, type Reported } from "./node_life.ts";
import { Random } from "./random.ts";
import { ReferencesNode } from "./references_node.ts";
import { makeRoster, type NodePlan } from "./roster.ts";
import { evenly, type Timetable, Timetables } from "./timetable.ts";
import { Trainer } from "./trainer.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Trainers' nights are generated in advance. A live demo lasts at most this long after its story. */
const BEYOND_MS = 14 * DAY_MS;

/** The options of a simulation. */
export interface FleetOptions {
  readonly nodes: number;
  /** The events of the month need three weeks; a shorter story lacks some. */
  readonly days: number;
  /** The end of the simulation. */
  readonly now: Date;
  /** Equal options with equal seeds make equal events. */
  readonly seed?: number;
  /** The interval of a node's heartbeats. Without it, each has one at the end, and those that show a canary. */
  readonly heartbeatMinutes?: number;
  /**
   * For bulk data: the number of runs of each node, at even distances, most of them unchanged and without special
   * events.
   */
  readonly runsPerNode?: number;
  /** Whether nodes send additional heartbeats, by which a dashboard finds out when they were down or late. */
  readonly isWatched?: boolean;
  /** The hours of a node's time in one batch. A node that could not report sends more at once. */
  readonly batchHours?: number;
}

/** Events that one node sends in one request. */
export interface FleetBatch {
  readonly node: string;
  readonly events: ReportEvent[];
  /** The time of the last event by a correct clock, which is when a dashboard received the batch. */
  readonly sentAt: Date;
}

/** A part of the story of a fleet. */
export interface FleetWindow {
  readonly endsAt: Date;
  /** Whether a dashboard that checks its nodes then finds new or ended troubles. */
  readonly isLook: boolean;
}

/**
 * Returns the reports of a fleet's nodes over some days, oldest first: day by day (or by `batchHours`), and within a
 * day node by node. Batches are as large as a node's, and a heartbeat is sent alone. They are generated while they are
 * read, so memory does not grow with the number of runs.
 */
export function* simulateFleet(options: FleetOptions): Generator<FleetBatch> {
  yield* new SimulatedFleet(options).story();
}

/** A fleet that continues after the end of its story while the demo runs, with runs at their due times. */
export class SimulatedFleet {
  readonly #lives: readonly (readonly [string, NodeLife])[];
  readonly #fromMs: number;
  readonly #nowMs: number;
  readonly #windowMs: number;
  readonly #looks: readonly number[];

  constructor(options: FleetOptions) {
    this.#nowMs = options.now.getTime();
    this.#fromMs = this.#nowMs - options.days * DAY_MS;
    this.#windowMs = (options.batchHours ?? 24) * 60 * MINUTE_MS;
    const { lives, looks } = makeLives(options, this.#fromMs, this.#nowMs);
    this.#lives = lives;
    this.#looks = looks;
  }

  /** When the story begins. */
  get beganAt(): Date {
    return new Date(this.#fromMs);
  }

  /** Returns the story, as {@link simulateFleet} does. */
  *story(): Generator<FleetBatch> {
    for (const { endsAt } of this.windows()) yield* this.batchesUntil(endsAt);
  }

  /** Returns the parts of the story, oldest first. */
  *windows(): Generator<FleetWindow> {
    let looks = this.#looks;
    for (let endMs = this.#fromMs + this.#windowMs;; endMs += this.#windowMs) {
      const lastMs = Math.min(endMs, this.#nowMs);
      for (const lookMs of looks.filter((timeMs) => timeMs <= lastMs)) {
        yield { endsAt: new Date(lookMs), isLook: true };
      }
      looks = looks.filter((timeMs) => timeMs > lastMs);
      yield { endsAt: new Date(lastMs), isLook: false };
      if (endMs >= this.#nowMs) return;
    }
  }

  /** Returns the nodes' new reports up to a time, node by node. */
  *batchesUntil(time: Date): Generator<FleetBatch> {
    for (const [node, life] of this.#lives) {
      yield* batchesOf(node, life.eventsUntil(time.getTime()));
    }
  }
}

interface Lives {
  readonly lives: [string, NodeLife][];
  readonly looks: readonly number[];
}

function makeLives(options: FleetOptions, fromMs: number, nowMs: number): Lives {
  const { nodes, seed = 1, runsPerNode, isWatched = false } = options;
  const timetables = new Timetables(nowMs);
  const bulkMs = runsPerNode === undefined ? undefined : (nowMs - fromMs) / runsPerNode;
  const sets = SET_SPECS.map((spec) => {
    const due = bulkMs === undefined ? timetables.nightly(spec.zone) : evenly(bulkMs);
    const firstMs = bulkMs === undefined ? due.next(fromMs) : fromMs + bulkMs / 2;
    return makeModelSet(spec, seed, {
      fromMs,
      toMs: nowMs,
      dueMs: dueTimes(due, firstMs, nowMs + BEYOND_MS),
    });
  });
  const world = { options, fromMs, nowMs, timetables, bulkMs };
  const casts = makeRoster(nodes, seed, bulkMs === undefined).map((plan) => {
    const set = sets[plan.set];
    if (set === undefined) throw new TypeError(`no model set ${plan.set}`);
    return castOf(plan, set, world);
  });
  const looks = isWatched ? lookTimes(casts.flatMap(({ troubled }) => troubled), nowMs) : [];
  return { lives: casts.map((cast) => [cast.facts.plan.name, makeLife(cast, world, looks)]), looks };
}

interface World {
  readonly options: FleetOptions;
  readonly fromMs: number;
  readonly nowMs: number;
  readonly timetables: Timetables;
  /** The time between two runs of a node in bulk. */
  readonly bulkMs: number | undefined;
}

/** A node before its life is generated: its troubles determine when dashboards check. */
interface Cast extends Pick<NodeParts, "facts" | "behaviour" | "fortune" | "timetable"> {
  readonly troubled: readonly TroubledTime[];
}

function castOf(plan: NodePlan, set: ModelSet, world: World): Cast {
  const { options, fromMs, nowMs, timetables, bulkMs } = world;
  const { seed = 1, isWatched = false } = options;
  const facts: NodeFacts = {
    plan,
    random: Random.of(seed, plan.name),
    nowMs,
    clock: clockOf(plan, nowMs),
  };
  const timetable = bulkMs === undefined ? timetables.of(plan) : evenly(bulkMs);
  const behaviour = behaviourOf(facts, set, world);
  const fortune = new Fortune(facts, set, timetables);
  const isSeen = isWatched && plan.hasDaemon;
  const troubled = isSeen ? troubledTimes(fortune, timetable, fromMs, nowMs) : [];
  return { facts, behaviour, fortune, timetable, troubled };
}

function makeLife(cast: Cast, world: World, looks: readonly number[]): NodeLife {
  const { facts, fortune, timetable, troubled } = cast;
  const { heartbeatMinutes } = world.options;
  return new NodeLife({
    ...cast,
    fromMs: world.fromMs,
    firstDueMs: firstDue(facts.plan, timetable, facts.random, world),
    heartbeatMs: heartbeatMinutes === undefined ? undefined : heartbeatMinutes * MINUTE_MS,
    beatTimes: beatTimes(looks, troubled, fortune),
  });
}

/** In bulk, trainers have the due times of their sets, and the other nodes are spread between two of their own. */
function firstDue(plan: NodePlan, timetable: Timetable, random: Random, { fromMs, bulkMs }: World): number {
  if (bulkMs !== undefined) {
    return fromMs + (plan.kind === "trainer" ? bulkMs / 2 : bulkMs * random.between(0.05, 0.95));
  }
  // Nodes whose schedule counts from their last run did not all start in the same second.
  return timetable.next(plan.kind === "desk" ? fromMs - random.integer(0, 14 * 60) * 1_000 : fromMs);
}

/** The time between two heartbeats while a canary is open. */
const CANARY_HEARTBEAT_MS = 10 * MINUTE_MS;

function behaviourOf(facts: NodeFacts, set: ModelSet, { fromMs, bulkMs }: World): Behaviour {
  switch (facts.plan.kind) {
    case "trainer":
      return new Trainer(facts, set, facts.plan.set === 0 && bulkMs === undefined);
    case "references":
      return new ReferencesNode(facts, set);
    default:
      return new Consumer(facts, set, fromMs, CANARY_HEARTBEAT_MS);
  }
}

function dueTimes(timetable: Timetable, firstMs: number, toMs: number): number[] {
  const times: number[] = [];
  for (let dueMs = firstMs; dueMs <= toMs; dueMs = timetable.next(dueMs)) times.push(dueMs);
  return times;
}

/** The largest event is of a release with forty files. This many of them fit into any batch. */
const UNMEASURED_MAX = 32;

/** Splits events into batches as a node does: a heartbeat alone, other events as many as fit. */
function* batchesOf(node: string, reported: readonly Reported[]): Generator<FleetBatch> {
  const encoder = new TextEncoder();
  const isMeasured = reported.length > UNMEASURED_MAX;
  let batch: ReportEvent[] = [];
  let [bytes, sentMs] = [0, 0];
  for (const { atMs, event } of reported) {
    // With a comma or a bracket.
    const size = isMeasured ? encoder.encode(JSON.stringify(event)).length + 1 : 0;
    const isBeat = event.type === EVENT_TYPES.heartbeat;
    const isFull = isBeat || batch.length === BATCH_EVENTS_MAX || bytes + size > BATCH_BYTES_MAX;
    if (isFull && batch.length > 0) {
      yield { node, events: batch, sentAt: new Date(sentMs) };
      [batch, bytes] = [[], 0];
    }
    if (isBeat) yield { node, events: [event], sentAt: new Date(atMs) };
    else {
      batch.push(event);
      bytes += size;
      sentMs = atMs;
    }
  }
  if (batch.length > 0) yield { node, events: batch, sentAt: new Date(sentMs) };
}
