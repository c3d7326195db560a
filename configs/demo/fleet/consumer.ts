import { shortDigest } from "../../../lib/release/manifest.ts";
import type { Status, StatusRelease } from "../../../lib/wire/schema.ts";
import type { RunRecord } from "../../../lib/store/history.ts";
import {
  type Behaviour,
  type Moment,
  type NodeFacts,
  type NodeState,
  recordOf,
  stepsOver,
} from "./behaviour.ts";
import { CanaryStory } from "./canary_story.ts";
import { failedRun, type Failure } from "./failures.ts";
import { type KindFacts, KINDS } from "./kinds.ts";
import { type FleetRelease, type ModelSet, newestAt } from "./model_sets.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** The default number of releases that stores keep. */
const KEPT = 5;
/** A node in canary pulls older releases before this time, so that a new one is left for its last run. */
const HELD_BACK_MS = 3 * HOUR_MS;
/** The number of days since another program changed the files that a node pulled. */
const OTHER_WRITER_DAYS_AGO = 12;
/** A training on RunPod, which a pull waits for. */
const TRAINING_MS = 38 * MINUTE_MS;

/** A node that pulls releases. */
export class Consumer implements Behaviour {
  readonly #facts: NodeFacts;
  readonly #set: ModelSet;
  readonly #kind: KindFacts;
  readonly #canaryBeatMs: number;
  #active: FleetRelease;
  #previous: FleetRelease | undefined;
  #activatedAt: string;
  #releases: readonly FleetRelease[];
  #quarantine: Status["quarantine"] = [];
  #canary: CanaryStory | undefined;
  #otherWriter: RunRecord["otherWriter"];

  constructor(facts: NodeFacts, set: ModelSet, fromMs: number, canaryBeatMs: number) {
    this.#facts = facts;
    this.#set = set;
    this.#kind = KINDS[facts.plan.kind];
    this.#canaryBeatMs = canaryBeatMs;
    this.#active = newestAt(set, fromMs);
    this.#activatedAt = facts.clock(fromMs - 2 * HOUR_MS);
    this.#releases = [this.#active];
  }

  /** Returns the number of releases that are newer than the active one. */
  behindAt(timeMs: number): number {
    return newestAt(this.#set, timeMs).sequence - this.#active.sequence;
  }

  *run(startMs: number, failure: Failure | undefined): Generator<Moment> {
    const { plan, nowMs } = this.#facts;
    const isLast = startMs > nowMs - 20 * HOUR_MS;
    const seenMs = plan.fate === "in-canary" && !isLast ? startMs - HELD_BACK_MS : startMs;
    const newest = newestAt(this.#set, seenMs);
    const isForeign = plan.fate === "untrusted-key" && newest.signer !== this.#set.releases[0]?.signer;
    if (failure !== undefined || isForeign) {
      yield { kind: "run", startMs, record: this.#failedRecord(startMs, failure ?? "signature", newest) };
    } else if (this.#isOtherWriters(startMs, newest)) {
      yield* this.#pullForeign(startMs, newest);
    } else if (newest.digest === this.#active.digest) {
      yield { kind: "run", startMs, record: this.#unchangedRecord(startMs) };
    } else {
      yield* this.#pull(startMs, newest);
    }
  }

  state(atMs: number): NodeState {
    return {
      modelFolder: "linked",
      current: statusRelease(this.#active),
      previous: this.#previous === undefined ? null : statusRelease(this.#previous),
      releases: this.#releases.map(statusRelease),
      otherWriter: this.#otherWriter ?? null,
      activatedAt: this.#activatedAt,
      quarantine: this.#quarantine,
      canary: this.#canary?.describe(atMs) ?? null,
    };
  }

  *#pull(startMs: number, release: FleetRelease): Generator<Moment> {
    const record = this.#activatedRecord(startMs, release);
    yield { kind: "run", startMs, record };
    const { plan, clock, random } = this.#facts;
    const replaced = this.#active;
    this.#activate(release, record.startedAt);
    if (!plan.hasCanary) return;
    const isBad = release.sequence === this.#set.badSequence;
    const startedMs = startMs + record.durationMs;
    const { runId } = record;
    this.#canary = new CanaryStory({ release, previous: replaced, runId, startedMs, isBad }, clock, random);
    yield* this.#watch(this.#canary);
  }

  /** Heartbeats show the canary's course; its end is a separate run. */
  *#watch(canary: CanaryStory): Generator<Moment> {
    const { startedMs, endMs, isBad, release, previous } = canary;
    for (let atMs = startedMs + MINUTE_MS; atMs < endMs; atMs += this.#canaryBeatMs) {
      yield { kind: "beat", atMs };
    }
    yield { kind: "beat", atMs: endMs };
    const startMs = endMs + 1_000;
    const record = isBad ? this.#rollbackRecord(canary, startMs) : recordOf(this.#facts, "canary", startMs, {
      outcome: "promoted",
      durationMs: this.#facts.random.around(140),
      release: release.digest,
      sequence: release.sequence,
    });
    yield { kind: "run", startMs, record };
    canary.conclude(startMs + record.durationMs);
    if (isBad) {
      this.#activate(previous, record.startedAt);
      const { digest, sequence } = release;
      const reason = `it failed its canary: ${canary.reason}`;
      this.#quarantine = [...this.#quarantine, {
        digest,
        sequence,
        reason,
        at: record.startedAt,
        wasLeft: true,
      }];
    }
    yield { kind: "beat", atMs: endMs + 30_000 };
  }

  #rollbackRecord({ release, previous, reason }: CanaryStory, startMs: number): RunRecord {
    const [failed, to] = [shortDigest(release.digest), shortDigest(previous.digest)];
    const durationMs = this.#facts.random.around(2_100);
    const what = `failed its canary: ${reason}`;
    return recordOf(this.#facts, "canary", startMs, {
      outcome: "rolled-back",
      durationMs,
      release: previous.digest,
      previous: release.digest,
      sequence: previous.sequence,
      steps: stepsOver(durationMs, { activate: 2, reload: 7 }),
      error: {
        code: "CANARY_DEGRADED",
        message: `Cannot keep release ${failed} active: it ${what}; release ${to} is active again`,
        hint: `fix it and publish again; to activate it anyway: model-sync rollback --to ${failed}`,
        exitCode: 8,
      },
      log: [`warn: release ${failed} ${what}; rolling back to ${to}`],
    });
  }

  #isOtherWriters(startMs: number, newest: FleetRelease): boolean {
    const { plan, nowMs } = this.#facts;
    const daysAgo = Math.floor((nowMs - startMs) / DAY_MS);
    return plan.fate === "other-writer" && daysAgo === OTHER_WRITER_DAYS_AGO &&
      newest.digest !== this.#active.digest;
  }

  /** Returns the newest release with files that another program changed: a separate release. */
  *#pullForeign(startMs: number, described: FleetRelease): Generator<Moment> {
    const { random } = this.#facts;
    const revision = random.hex(40);
    const release: FleetRelease = {
      ...described,
      digest: `sha256:${random.hex(64)}`,
      revision,
    };
    const otherWriter = {
      revision,
      author: "Maya Lindqvist",
      subject: "hotfix: cap position size of SOL",
      described: described.revision,
    };
    const { signer: _changedSince, ...record } = this.#activatedRecord(startMs, release);
    yield { kind: "run", startMs, record: { ...record, otherWriter } };
    this.#activate(release, record.startedAt);
    this.#otherWriter = otherWriter;
  }

  #activate(release: FleetRelease, startedAt: string): void {
    this.#previous = this.#active;
    this.#active = release;
    this.#activatedAt = startedAt;
    this.#otherWriter = undefined;
    const others = this.#releases.filter(({ digest }) => digest !== release.digest);
    this.#releases = [release, ...others].sort((one, other) => other.sequence - one.sequence).slice(0, KEPT);
  }

  #activatedRecord(startMs: number, release: FleetRelease): RunRecord {
    const { plan, random } = this.#facts;
    const { command, changedMs } = this.#kind;
    const pullMs = random.around(changedMs * (release.bytes > 100_000_000 ? 3 : 1));
    const trainMs = plan.kind === "gpu" ? random.around(TRAINING_MS) : 0;
    const shares = { resolve: 4, inspect: 6, stage: 55, validate: 22, install: 5, activate: 2, reload: 6 };
    const steps = stepsOver(pullMs, shares).map((step) => ({ ...step, startMs: step.startMs + trainMs }));
    const training = trainMs === 0 ? [] : [{ name: "train", startMs: 0, durationMs: trainMs }];
    const { changed, changedBytes } = changesBetween(this.#active, release);
    return recordOf(this.#facts, command, startMs, {
      outcome: "activated",
      durationMs: trainMs + pullMs,
      ...this.#told(release),
      previous: this.#active.digest,
      changed,
      writtenBytes: changedBytes,
      ...(release.signer === undefined ? {} : { signer: release.signer }),
      steps: [...training, ...steps],
    });
  }

  #unchangedRecord(startMs: number): RunRecord {
    const { command, unchangedMs } = this.#kind;
    const durationMs = this.#facts.random.around(unchangedMs);
    return recordOf(this.#facts, command, startMs, {
      outcome: "unchanged",
      durationMs,
      ...this.#told(this.#active),
      ...(this.#previous === undefined ? {} : { previous: this.#previous.digest }),
      changed: 0,
      writtenBytes: 0,
      steps: stepsOver(Math.floor(durationMs * 0.9), { resolve: 1 }),
    });
  }

  #failedRecord(startMs: number, failure: Failure, release: FleetRelease): RunRecord {
    const { plan, random } = this.#facts;
    const { outcome, error, log, steps, durationMs } = failedRun(failure, { plan, release }, random);
    return recordOf(this.#facts, this.#kind.command, startMs, {
      outcome,
      durationMs,
      release: this.#active.digest,
      error,
      ...(log.length === 0 ? {} : { log: [...log] }),
      steps: stepsOver(durationMs, Object.fromEntries(steps.map((name, index) => [name, index + 1]))),
    });
  }

  #told({ digest, sequence, files, bytes, revision }: FleetRelease): Partial<RunRecord> {
    const { carrier } = this.#kind;
    return {
      ...(carrier === undefined ? {} : { carrier }),
      revision,
      release: digest,
      sequence,
      files: files.length,
      bytes,
    };
  }
}

function statusRelease({ digest, sequence, publishedMs, files, bytes }: FleetRelease): StatusRelease {
  return { digest, sequence, createdAt: new Date(publishedMs).toISOString(), files: files.length, bytes };
}

/** Returns the changes between two releases; those of successive ones are known. */
function changesBetween(
  from: FleetRelease,
  to: FleetRelease,
): Pick<FleetRelease, "changed" | "changedBytes"> {
  if (to.sequence === from.sequence + 1) return to;
  const before = new Map(from.files.map(({ path, sha256 }) => [path, sha256]));
  const changed = to.files.filter(({ path, sha256 }) => before.get(path) !== sha256);
  const kept = new Set(to.files.map(({ path }) => path));
  const removed = from.files.filter(({ path }) => !kept.has(path));
  const changedBytes = changed.reduce((sum, { size }) => sum + size, 0);
  return { changed: changed.length + removed.length, changedBytes };
}
