import type { RunRecord } from "../../../lib/store/history.ts";
import {
  type Behaviour,
  type Moment,
  type NodeFacts,
  type NodeState,
  recordOf,
  stepsOver,
} from "./behaviour.ts";
import { failedRun, type Failure } from "./failures.ts";
import { KINDS } from "./kinds.ts";
import type { ModelSet } from "./model_sets.ts";

/** The repositories of references, with the number of the first pull request. */
const REPOSITORIES = [["desk/trading-bots", 412], ["desk/risk-console", 96]] as const;
/** How often PRIMARY has changes for a repository. */
const NEWS = 0.07;
/** The number of updates of a pull request before a person merges it. */
const UPDATES_MAX = 3;

type PullRequest = NonNullable<RunRecord["pullRequests"]>[number];

/** A node that syncs model references by pull requests. */
export class ReferencesNode implements Behaviour {
  readonly #facts: NodeFacts;
  readonly #set: ModelSet;
  /** The open pull request of each repository. */
  readonly #open = new Map<
    string,
    { readonly number: number; readonly changes: number; readonly updates: number }
  >();
  readonly #next = new Map<string, number>(REPOSITORIES);

  constructor(facts: NodeFacts, set: ModelSet) {
    this.#facts = facts;
    this.#set = set;
  }

  *run(startMs: number, failure: Failure | undefined): Generator<Moment> {
    const record = failure === undefined ? this.#syncRecord(startMs) : this.#failedRecord(startMs, failure);
    yield { kind: "run", startMs, record };
  }

  /** It has no models of its own. */
  state(): NodeState {
    return {
      modelFolder: "missing",
      current: null,
      previous: null,
      releases: [],
      otherWriter: null,
      activatedAt: null,
      quarantine: [],
      canary: null,
    };
  }

  #syncRecord(startMs: number): RunRecord {
    const { random } = this.#facts;
    const pullRequests = REPOSITORIES.flatMap(([repository]) => this.#propose(repository));
    const isNews = pullRequests.length > 0;
    const { command, changedMs, unchangedMs } = KINDS.references;
    const durationMs = random.around(isNews ? changedMs : unchangedMs);
    return recordOf(this.#facts, command, startMs, {
      outcome: isNews ? "proposed" : "unchanged",
      durationMs,
      changed: pullRequests.reduce((sum, { changes }) => sum + changes, 0),
      ...(isNews ? { pullRequests } : {}),
      steps: stepsOver(durationMs, isNews ? { read: 3, compare: 2, propose: 11 } : { read: 8, compare: 1 }),
    });
  }

  #propose(repository: string): PullRequest[] {
    const { random } = this.#facts;
    if (!random.chance(NEWS)) return [];
    const open = this.#open.get(repository);
    if (open === undefined) {
      const number = this.#next.get(repository) ?? 1;
      const changes = random.integer(2, 14);
      this.#open.set(repository, { number, changes, updates: 0 });
      return [pullRequest(repository, "created", number, changes)];
    }
    const { number, changes, updates } = open;
    if (updates < UPDATES_MAX && random.chance(0.55)) {
      const grown = changes + random.integer(1, 4);
      this.#open.set(repository, { number, changes: grown, updates: updates + 1 });
      return [pullRequest(repository, "updated", number, grown)];
    }
    this.#open.delete(repository);
    // Other people open pull requests and issues, too.
    this.#next.set(repository, number + random.integer(2, 9));
    // A merged pull request is missing from the next sync; one without changes is closed.
    return random.chance(0.5) ? [pullRequest(repository, "closed", number, 0)] : [];
  }

  #failedRecord(startMs: number, failure: Failure): RunRecord {
    const { plan, random } = this.#facts;
    const [release] = this.#set.releases;
    if (release === undefined) throw new TypeError("a set has a release");
    const { outcome, error, log, durationMs } = failedRun(failure, { plan, release }, random);
    return recordOf(this.#facts, KINDS.references.command, startMs, {
      outcome,
      durationMs,
      error,
      log: [...log],
      steps: stepsOver(durationMs, { read: 1 }),
    });
  }
}

function pullRequest(repository: string, outcome: string, number: number, changes: number): PullRequest {
  return { repository, outcome, number, url: `https://github.com/${repository}/pull/${number}`, changes };
}
