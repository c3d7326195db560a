import type { MetricsSource } from "../../lib/metrics/metrics_text.ts";
import { type CountedRun, countRuns, NO_RUNS } from "../../lib/metrics/run_totals.ts";
import type { ShownStatus } from "../../lib/metrics/status_families.ts";

export const DIGEST = `sha256:${"0f".repeat(32)}` as const;

export const CURRENT = {
  digest: DIGEST,
  sequence: 42,
  createdAt: "2026-11-28T00:00:07Z",
  files: 3,
  bytes: 20,
} as const;

export const SCHEDULE = {
  times: ["06:00"],
  timeZone: "UTC",
  splaySeconds: 0,
  catchUpSeconds: null,
  deny: [],
  paused: null,
};

const REFUSED = { digest: DIGEST, sequence: 41, reason: "refused", at: "2026-11-28T00:00:07Z" } as const;

export const CANARY: NonNullable<ShownStatus["canary"]> = {
  digest: DIGEST,
  previous: DIGEST,
  sequence: 42,
  runId: "run",
  status: "watching",
  reason: "",
  startedAt: "2026-11-28T06:00:01Z",
  statusSince: "2026-11-28T06:00:01Z",
  concludedAt: null,
  watchedMs: 0,
  leftMs: 60_000,
  intervalMs: 1_000,
  rounds: 0,
  waitsForOperator: false,
  failureLimit: 2,
  metrics: [],
};

export const STATUS: ShownStatus = {
  current: CURRENT,
  activatedAt: "2026-11-28T06:00:01Z",
  next: { client: "2026-11-30T06:00:00.000Z", publisher: null },
  schedules: {
    client: { ...SCHEDULE, paused: { since: "2026-11-29T00:00:00Z", until: null, host: "bot" } },
    publisher: SCHEDULE,
  },
  daemons: ["client", "publisher"].map((role) => ({
    role,
    pid: 7,
    host: "bot",
    since: "2026-11-29T00:00:00Z",
  })),
  canary: CANARY,
  canaryFault: null,
  quarantine: [REFUSED, REFUSED, REFUSED],
  quarantineFault: null,
  withdrawn: [
    { digest: `sha256:${"1e".repeat(32)}`, state: "withdrawn", at: "2026-11-28T00:00:07Z" },
    { digest: DIGEST, state: "withdrawn", at: "2026-11-29T00:00:07Z" },
  ],
  freeBytes: 12_345_678_901,
};

const RUNS: readonly CountedRun[] = [
  {
    command: "pull",
    outcome: "activated",
    startedAt: "2026-11-28T06:00:00Z",
    durationMs: 1_500,
    carrier: "git",
    writtenBytes: 2_000,
  },
  {
    command: "pull",
    outcome: "unchanged",
    startedAt: "2026-11-29T06:00:00Z",
    durationMs: 200,
    carrier: "git",
  },
  {
    command: "publish",
    outcome: "failed",
    startedAt: "2026-11-29T00:00:00Z",
    durationMs: 100_000_000,
    error: { code: "X", message: "x" },
  },
];

/** A source with metrics of every family. */
export const SOURCE: MetricsSource = {
  store: "/srv/bot/.model-sync",
  build: { version: "1.2.3", deno: "2.9.6" },
  totals: countRuns(NO_RUNS, RUNS),
  status: STATUS,
};
