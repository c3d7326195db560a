import type { RunRecord } from "../../../lib/store/history.ts";
import type { PublishedFiles } from "../../../lib/store/published_files.ts";
import {
  type Behaviour,
  type Moment,
  type NodeFacts,
  type NodeState,
  recordOf,
  stepsOver,
} from "./behaviour.ts";
import { KINDS } from "./kinds.ts";
import { type FleetRelease, type ModelSet, newestAt, type Night, PUBLISH_MS } from "./model_sets.ts";

/** The upload to the hub begins after the push to git. */
const UPLOAD_AFTER_MS = 5_000;
const UPLOAD_MS = 45_000;

/** A node that trains and publishes at night. */
export class Trainer implements Behaviour {
  readonly #facts: NodeFacts;
  readonly #set: ModelSet;
  readonly #uploads: boolean;

  /** @param uploads whether each release also goes to a hub */
  constructor(facts: NodeFacts, set: ModelSet, uploads: boolean) {
    this.#facts = facts;
    this.#set = set;
    this.#uploads = uploads;
  }

  *run(startMs: number): Generator<Moment> {
    const night = this.#set.nights.find((one) => one.startedMs === startMs);
    if (night === undefined) return;
    const record = this.#record(night);
    const { release } = night;
    yield { kind: "run", startMs, record, ...(release === undefined ? {} : { published: filesOf(release) }) };
    if (release === undefined || !this.#uploads) return;
    const uploadMs = startMs + record.durationMs + UPLOAD_AFTER_MS;
    const upload = this.#uploadRecord(uploadMs, release);
    yield { kind: "run", startMs: uploadMs, record: upload, published: filesOf(release) };
  }

  /** Its releases are not active on this node. */
  state(): NodeState {
    return {
      modelFolder: "folder",
      current: null,
      previous: null,
      releases: [],
      otherWriter: null,
      activatedAt: null,
      quarantine: [],
      canary: null,
    };
  }

  #record(night: Night): RunRecord {
    const { startedMs, release } = night;
    const { carrier = "git", command } = KINDS.trainer;
    if (night.failed) return this.#failedRecord(night);
    const durationMs = night.trainMs + PUBLISH_MS;
    const steps = [
      { name: "train", startMs: 0, durationMs: night.trainMs },
      // The folder is read while the registry is being opened.
      { name: "read", startMs: night.trainMs, durationMs: PUBLISH_MS * 0.2 },
      { name: "open", startMs: night.trainMs, durationMs: PUBLISH_MS * 0.35 },
      { name: "publish", startMs: night.trainMs + PUBLISH_MS * 0.35, durationMs: PUBLISH_MS * 0.6 },
    ];
    const newest = release ?? this.#before(startedMs);
    return recordOf(this.#facts, command, startedMs, {
      outcome: release === undefined ? "unchanged" : "published",
      durationMs,
      carrier,
      revision: newest.revision,
      ...this.#told(newest, release === undefined),
      steps: release === undefined ? steps.slice(0, 3) : steps,
    });
  }

  #uploadRecord(startMs: number, release: FleetRelease): RunRecord {
    const durationMs = this.#facts.random.around(UPLOAD_MS);
    return recordOf(this.#facts, "hf-upload", startMs, {
      outcome: "published",
      durationMs,
      carrier: "huggingface",
      revision: release.digest.slice(-40),
      ...this.#told(release, false),
      steps: stepsOver(durationMs, { read: 1, open: 2, publish: 16 }),
    });
  }

  #failedRecord({ startedMs, trainMs }: Night): RunRecord {
    const durationMs = Math.round(trainMs * 0.4);
    return recordOf(this.#facts, "publish", startedMs, {
      outcome: "failed",
      durationMs,
      error: {
        code: "TRAINING_FAILED",
        message: 'Cannot train: the training command "python3" ended with exit code 1',
        hint: "see its output above; nothing was published",
        exitCode: 1,
      },
      log: [
        "info: training: python3 train.py --all",
        "info: [train] EURUSD: 41 of 120 rounds, loss 0.6712",
        "info: [train] Traceback (most recent call last):",
        'info: [train]   File "train.py", line 214, in load_candles',
        "info: [train] ValueError: candles of USDJPY end at 2 h before the cutoff: expected 86400 rows, got 84960",
      ],
      steps: [{ name: "train", startMs: 0, durationMs }],
    });
  }

  #told(release: FleetRelease, isUnchanged: boolean): Partial<RunRecord> {
    const { digest, sequence, files, bytes, changed, changedBytes, signer } = release;
    const index = this.#set.releases.indexOf(release);
    const previous = isUnchanged ? undefined : this.#set.releases[index - 1];
    return {
      release: digest,
      ...(previous === undefined ? {} : { previous: previous.digest }),
      ...(signer === undefined ? {} : { signer }),
      sequence,
      files: files.length,
      bytes,
      changed: isUnchanged ? 0 : changed,
      writtenBytes: isUnchanged ? 0 : changedBytes,
    };
  }

  #before(timeMs: number): FleetRelease {
    return newestAt(this.#set, timeMs);
  }
}

function filesOf({ digest, files, bytes }: FleetRelease): PublishedFiles {
  return { digest, filesTotal: files.length, bytes, files: [...files] };
}
