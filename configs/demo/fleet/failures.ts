import { quote } from "../../../lib/core/quote.ts";
import { shortDigest } from "../../../lib/release/manifest.ts";
import type { RunRecord } from "../../../lib/store/history.ts";
import { KINDS } from "./kinds.ts";
import type { FleetRelease } from "./model_sets.ts";
import type { Random } from "./random.ts";
import type { NodePlan } from "./roster.ts";

/** Failures of runs, with the program's messages. */
export const FAILURES = [
  "unreachable",
  "token",
  "server",
  "mismatch",
  "disk",
  "validation",
  "signature",
  "job",
  "killed",
] as const;
export type Failure = (typeof FAILURES)[number];

/** The record of a failed run. */
export interface FailedRun {
  readonly outcome: "failed" | "refused" | "interrupted";
  readonly error: NonNullable<RunRecord["error"]>;
  readonly log: readonly string[];
  /** The failed step, with the steps before, and the duration. */
  readonly steps: readonly string[];
  readonly durationMs: number;
}

/** The context of a failure. */
export interface FailureFacts {
  readonly plan: NodePlan;
  /** The release of the failed pull. */
  readonly release: FleetRelease;
}

/** The planned failures by days before the end, besides random ones. */
const SCRIPT: Readonly<Record<string, readonly { readonly daysAgo: number; readonly failure: Failure }[]>> = {
  "bot-london": [{ daysAgo: 15, failure: "unreachable" }],
  "bot-madrid": [{ daysAgo: 11, failure: "mismatch" }],
  "api-render": [{ daysAgo: 4, failure: "validation" }],
  "gpu-worker-1": [{ daysAgo: 9, failure: "job" }],
  "bot-zurich": [{ daysAgo: 20, failure: "killed" }],
  "api-fly": [{ daysAgo: 7, failure: "server" }],
  "desk-chicago": [{ daysAgo: 14, failure: "disk" }],
};

/** Returns the planned failure of a node on a day; `undefined` for most. */
export function scriptedFailure(node: string, daysAgo: number): Failure | undefined {
  return SCRIPT[node]?.find((entry) => entry.daysAgo === daysAgo)?.failure;
}

/** Returns a random failure that fits the node's kind. */
export function someFailure({ kind }: NodePlan, random: Random): Failure {
  if (kind === "gpu" && random.chance(0.5)) return "job";
  return random.chance(0.7) ? "unreachable" : "server";
}

/** Returns the steps of a pull up to the failed one. */
const RESOLVED = ["resolve"];
const INSPECTED = [...RESOLVED, "inspect"];
const STAGED = [...INSPECTED, "stage"];
const VALIDATED = [...STAGED, "validate"];

/** Returns the record of a failed run. */
export function failedRun(failure: Failure, facts: FailureFacts, random: Random): FailedRun {
  const { kind } = facts.plan;
  switch (failure) {
    case "unreachable":
      return kind === "bot" ? gitUnreachable(facts, random) : hostUnreachable(facts, random);
    case "token":
      return tokenExpired(facts, random);
    case "server":
      return serverFault(facts, random);
    case "mismatch":
      return mismatch(facts, random);
    case "disk":
      return diskFull(facts, random);
    case "validation":
      return invalidModel(facts, random);
    case "signature":
      return untrustedKey(facts, random);
    case "job":
      return failedJob(random);
    case "killed":
      return killed(random);
  }
}

function gitUnreachable({ plan }: FailureFacts, random: Random): FailedRun {
  const { remote } = KINDS[plan.kind];
  return {
    outcome: "failed",
    error: {
      code: "GIT_UNREACHABLE",
      message: `Cannot read the remote origin: unable to access '${remote}/': Could not resolve host: ${
        hostOf(remote)
      }`,
      hint: "check the network and the remote's address, then run again",
      exitCode: 4,
    },
    log: asking(plan),
    steps: RESOLVED,
    durationMs: random.around(20_100),
  };
}

function tokenExpired({ plan }: FailureFacts, random: Random): FailedRun {
  return {
    outcome: "failed",
    error: {
      code: "GIT_AUTHENTICATION",
      message: `Cannot read the remote origin: Authentication failed for '${KINDS[plan.kind].remote}/'`,
      hint:
        "set model_sync.token_env to the variable that holds a token, or set up git's own access (SSH key, credential helper)",
      exitCode: 3,
    },
    log: asking(plan),
    steps: RESOLVED,
    durationMs: random.around(1_300),
  };
}

function hostUnreachable({ plan }: FailureFacts, random: Random): FailedRun {
  const host = hostOf(KINDS[plan.kind].remote);
  return {
    outcome: "failed",
    error: {
      code: "UNREACHABLE",
      message:
        `Cannot read the newest models: ${host} did not answer (Connection reset by peer (os error 104))`,
      hint: `check the network, and that ${host} is right`,
      exitCode: 4,
    },
    log: asking(plan),
    steps: RESOLVED,
    durationMs: random.around(31_000),
  };
}

function serverFault({ plan }: FailureFacts, random: Random): FailedRun {
  const host = hostOf(KINDS[plan.kind].remote);
  return {
    outcome: "failed",
    error: {
      code: "HTTP_503",
      message: `Cannot read the newest models: ${host} answered 503: upstream connect error`,
      hint: "run again later",
      exitCode: 4,
    },
    log: asking(plan),
    steps: RESOLVED,
    durationMs: random.around(42_000),
  };
}

function mismatch(facts: FailureFacts, random: Random): FailedRun {
  const { path, sha256 } = someFile(facts, random);
  return {
    outcome: "refused",
    error: {
      code: "DIGEST_MISMATCH",
      message: `Cannot accept release ${shortDigest(facts.release.digest)}: ${path} has SHA-256 ${
        random.hex(64)
      }, manifest says ${sha256}`,
      hint: "publish again from the training side; the active release is untouched",
      exitCode: 5,
    },
    log: staging(facts),
    steps: STAGED,
    durationMs: random.around(7_800),
  };
}

function invalidModel(facts: FailureFacts, random: Random): FailedRun {
  const model = facts.release.files.find(({ path }) => path.endsWith(".onnx")) ?? someFile(facts, random);
  return {
    outcome: "refused",
    error: {
      code: "VALIDATION_FAILED",
      message:
        `Cannot activate ${model.path}: its output "probability_up" is too far from the active model's: total variation 0.347, allowed 0.2`,
      hint:
        "to use your own vectors or none, set activation.validate.onnx.sanity_vectors to a file or to 0; the active release is untouched",
      exitCode: 5,
    },
    log: staging(facts),
    steps: VALIDATED,
    durationMs: random.around(16_400),
  };
}

function untrustedKey({ plan, release }: FailureFacts, random: Random): FailedRun {
  const key = quote(release.signer ?? "");
  return {
    outcome: "refused",
    error: {
      code: "SIGNATURE_INVALID",
      message: `Cannot accept the signature of release ${
        shortDigest(release.digest)
      }: it was made by the key ${key}, which is not trusted here`,
      hint: "sign again on the publishing side with a key that is trusted here",
      exitCode: 5,
    },
    log: looking(plan, release),
    steps: INSPECTED,
    durationMs: random.around(1_900),
  };
}

function diskFull(facts: FailureFacts, random: Random): FailedRun {
  return {
    outcome: "failed",
    error: {
      code: "DISK",
      message: `Cannot write ${someFile(facts, random).path} into the store: the disk is full`,
      hint: "free disk space or repair the disk, then run again",
      exitCode: 7,
    },
    log: staging(facts),
    steps: STAGED,
    durationMs: random.around(5_200),
  };
}

function failedJob(random: Random): FailedRun {
  const job = `${random.hex(8)}-${random.hex(4)}-e1`;
  return {
    outcome: "failed",
    error: {
      code: "JOB_FAILED",
      message:
        `RunPod job ${job} failed (FAILED): torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.31 GiB`,
      hint: "check the job's log on RunPod; the active release is untouched",
      exitCode: 1,
    },
    log: [
      `info: started RunPod job ${job}`,
      `info: RunPod job ${job}: IN_QUEUE`,
      `info: RunPod job ${job}: IN_PROGRESS`,
      `info: RunPod job ${job}: FAILED`,
    ],
    steps: ["train"],
    durationMs: random.around(9 * 60_000),
  };
}

function killed(random: Random): FailedRun {
  return {
    outcome: "interrupted",
    error: {
      code: "KILLED",
      message: 'the run was killed in its step "stage"; the next run has undone its work',
      hint: "check the system's log for the cause: out of memory, a restart, kill -9",
    },
    log: [],
    steps: INSPECTED,
    durationMs: random.around(3_000),
  };
}

function asking({ kind }: NodePlan): string[] {
  return [`info: asking ${KINDS[kind].remote} for main`];
}

function looking(plan: NodePlan, { revision }: FleetRelease): string[] {
  return [...asking(plan), `info: inspecting revision ${revision.slice(0, 12)}`];
}

function staging({ plan, release }: FailureFacts): string[] {
  return [...looking(plan, release), `info: staging ${release.files.length} files`];
}

function someFile({ release }: FailureFacts, random: Random): FleetRelease["files"][number] {
  const file = release.files[random.integer(0, release.files.length - 1)];
  if (file === undefined) throw new TypeError("a release has files");
  return file;
}

function hostOf(remote: string): string {
  return URL.parse(remote)?.host ?? remote;
}
