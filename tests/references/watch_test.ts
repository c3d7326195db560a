import assert from "node:assert/strict";
import fc from "fast-check";
import {
  AuthenticationError,
  FailedError,
  InterruptedError,
  LockedError,
  TransientError,
  UnreachableError,
} from "../../lib/core/errors.ts";
import type { KnownTimestamp, KnownTimestamps } from "../../lib/references/references_state.ts";
import type { SyncResult } from "../../lib/references/sync_failures.ts";
import { watchReferences } from "../../lib/references/watch.ts";
import { type WatchEvent, watchLines } from "../../lib/references/watch_event.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { recordedLog } from "../helpers/test_context.ts";

/** The server's answer to a poll, or an error. */
type Answer = number | null | Error;

interface Script {
  /** One for each poll. After the last one, the watch is stopped. */
  readonly answers: readonly Answer[];
  /** The result of each sync, in order; later syncs succeed. */
  readonly failures?: readonly (Error | SyncResult | undefined)[];
  readonly startupSync?: boolean;
  readonly initialDelaySec?: number;
  readonly intervalSec?: number;
  readonly start?: string;
  readonly retriesParts?: boolean;
  /** The stored state, before and after the watch. */
  readonly disk?: Disk;
}

/** The state in memory, instead of a file. */
interface Disk {
  known: KnownTimestamp;
  isIncomplete?: boolean;
  isBroken?: boolean;
}

interface Told {
  readonly kinds: string[];
  readonly lines: string[];
  readonly log: string[];
  readonly syncs: number;
  readonly clock: QuickClock;
  readonly disk: Disk;
  /** The error of the watch, if it was not stopped. */
  readonly error: unknown;
}

const START = "2025-10-25T12:00:00Z";
const T = 1_729_864_800;

function stateOn(disk: Disk): KnownTimestamps {
  return {
    find: () => ({ timestamp: disk.known, isComplete: disk.isIncomplete !== true }),
    remember: (timestamp, isComplete) => {
      if (disk.isBroken) throw new Error("the disk is full");
      disk.known = timestamp;
      disk.isIncomplete = !isComplete;
    },
  };
}

/** Runs a watch with scripted answers, on a clock whose pauses end at once. */
async function play(script: Script): Promise<Told> {
  const { disk = { known: undefined } } = script;
  const clock = new QuickClock(script.start ?? START, Infinity);
  const stop = new AbortController();
  const answers = [...script.answers];
  const failures = [...script.failures ?? []];
  const told: WatchEvent[] = [];
  const log = recordedLog();
  let syncs = 0;
  let error: unknown;
  await watchReferences({
    clock,
    log,
    signal: stop.signal,
    primaryUrl: "http://localhost:19800",
    intervalSec: script.intervalSec ?? 60,
    initialDelaySec: script.initialDelaySec ?? 0,
    startupSync: script.startupSync ?? false,
    retriesParts: script.retriesParts ?? true,
    state: stateOn(disk),
    onEvent: (event) => void told.push(event),
    poll: (signal) => {
      const answer = answers.shift();
      if (answer === undefined) stop.abort(interrupted());
      signal.throwIfAborted();
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer ?? null);
    },
    sync: () => {
      syncs++;
      const failure = failures.shift();
      return failure instanceof Error ? Promise.reject(failure) : Promise.resolve(failure ?? COMPLETE);
    },
  }).catch((thrown) => error = thrown);
  return {
    kinds: told.map(({ kind }) => kind).filter((kind) => !["started", "watching", "stopped"].includes(kind)),
    lines: told.flatMap((event) => watchLines(event, "UTC")),
    log: log.lines,
    syncs,
    clock,
    disk,
    error,
  };
}

function interrupted(): InterruptedError {
  return new InterruptedError("Cannot continue: stopped by SIGTERM", { code: "INTERRUPTED" });
}

const COMPLETE: SyncResult = { kind: "complete" };

const LOCKED = new LockedError("Cannot sync references: another run does", { code: "LOCKED" });

/** A category that PRIMARY lacks, while the others are synced. */
const LACKING: SyncResult = {
  kind: "incomplete",
  error: new UnreachableError("Cannot read the records of clip: PRIMARY has none", {
    code: "RECORDS_MISSING",
  }),
  failures: 2,
};

const FAULT = new TransientError("Cannot read when the records changed last: no answer", { code: "TIMEOUT" });

Deno.test("banner and lines are those of seed 4, to the letter", async () => {
  const seed = `\
================================================================================
GitHub Model Reference Sync Service - WATCH MODE
================================================================================
Monitoring PRIMARY API: http://localhost:19800
Polling interval: 60 seconds
Initial delay: 0 seconds
Startup sync: disabled
================================================================================
Starting watch loop. Press Ctrl+C to stop.
--------------------------------------------------------------------------------
[2025-10-25 12:00:00] Initialized last known timestamp: 1729864800
[2025-10-25 12:01:00] No changes detected (timestamp: 1729864800)
[2025-10-25 12:02:00] Changes detected! Timestamp changed from 1729864800 to 1729864920
[2025-10-25 12:02:00] Triggering sync operation due to detected changes...
--------------------------------------------------------------------------------
--------------------------------------------------------------------------------
[2025-10-25 12:02:02] Sync completed successfully
[2025-10-25 12:02:02] Resuming watch loop...
[2025-10-25 12:03:02] Watch mode stopped`;
  const { lines, error } = await play({ answers: [T, T, T + 120] });
  assert.equal(lines.join("\n"), seed);
  assert.equal(error, undefined);
});

Deno.test("a first start waits for the delay, stores the timestamp and syncs nothing", async () => {
  const { syncs, disk, clock, lines } = await play({ answers: [T, T], initialDelaySec: 30 });
  assert.equal(syncs, 0);
  assert.equal(disk.known, T);
  assert.deepEqual(clock.pausesMs, [30_000, 60_000, 60_000]);
  assert.ok(lines.includes("Initial delay: 30 seconds"));
  assert.ok(lines.includes("Waiting 30 seconds before starting watch loop..."));
});

Deno.test("changes while no watch ran are found at the start", async () => {
  const { lines, syncs, disk } = await play({ answers: [T + 5], disk: { known: T } });
  assert.equal(syncs, 1);
  assert.equal(disk.known, T + 5);
  assert.ok(lines.includes(`[2025-10-25 12:00:00] Initialized last known timestamp: ${T}`));
  assert.ok(
    lines.includes(`[2025-10-25 12:00:00] Changes detected! Timestamp changed from ${T} to ${T + 5}`),
  );
});

Deno.test("a sync begins after the second of its timestamp, so that it includes all changes of that second", async () => {
  const { clock } = await play({ answers: [T + 1], disk: { known: T } });
  assert.deepEqual(clock.pausesMs, [2_000, 60_000]);
});

Deno.test("a failed sync is retried at the next poll, and the timestamp advances only then", async () => {
  const disk = { known: T };
  const failed = new TransientError("Cannot sync clip: the push got no answer", { code: "X" });
  const first = await play({ answers: [T + 1], failures: [failed], disk });
  assert.deepEqual([first.syncs, disk.known], [1, T]);
  const { kinds, lines } = await play({ answers: [T + 1, T + 1, T + 1], failures: [failed], disk });
  assert.deepEqual(kinds, [
    "initialized",
    "changed",
    "sync-started",
    "sync-failed",
    "changed",
    "sync-started",
    "sync-completed",
    "unchanged",
  ]);
  assert.equal(disk.known, T + 1);
  const line = lines.find((line) => line.includes("Sync failed")) ?? "";
  assert.match(
    line,
    /^\[2025-10-25 12:00:02\] Sync failed \(error 1 of 10\): Cannot sync clip: the push got no answer; trying again in \d/,
  );
});

Deno.test("a change during a sync is found by the next poll", async () => {
  // The poll before the sync returned the first timestamp; the records may be newer.
  const { syncs, disk } = await play({ answers: [T, T + 1, T + 2, T + 2] });
  assert.deepEqual([syncs, disk.known], [2, T + 2]);
});

Deno.test("a startup sync happens once after the first successful poll, and again after a failure", async () => {
  const plain = await play({ answers: [FAULT, T, T], startupSync: true });
  assert.deepEqual(plain.kinds, [
    "poll-failed",
    "initialized",
    "sync-started",
    "sync-completed",
    "unchanged",
  ]);
  assert.ok(plain.lines.includes("Startup sync: enabled"));
  assert.ok(plain.lines.some((line) => line.endsWith("Triggering sync operation on startup...")));
  const failing = await play({ answers: [T, T, T], startupSync: true, failures: [FAULT] });
  assert.deepEqual(failing.kinds, [
    "initialized",
    "sync-started",
    "sync-failed",
    "sync-started",
    "sync-completed",
    "unchanged",
  ]);
  const resumed = await play({ answers: [T, T], startupSync: true, disk: { known: T } });
  assert.deepEqual([resumed.syncs, resumed.disk.known], [1, T]);
  const both = await play({ answers: [T + 1, T + 1], startupSync: true, disk: { known: T } });
  assert.deepEqual([both.syncs, both.disk.known], [1, T + 1]);
});

Deno.test("a startup sync that never succeeded stores nothing that the next start would rely on", async () => {
  const { disk } = await play({ answers: [T], startupSync: true, failures: [FAULT] });
  assert.equal(disk.known, undefined);
});

Deno.test("a server's first timestamp is a change, also after a restart", async () => {
  const disk: Disk = { known: undefined };
  const before = await play({ answers: [null, null], disk });
  assert.deepEqual([before.syncs, disk.known], [0, null]);
  assert.deepEqual(before.kinds, ["no-timestamp", "no-timestamp"]);
  const after = await play({ answers: [null, T], disk });
  assert.deepEqual([after.syncs, disk.known], [1, T]);
  assert.ok(after.lines.some((line) => line.endsWith(`Timestamp changed from none to ${T}`)));
  const gone = await play({ answers: [null, T, null, T + 1], disk });
  assert.deepEqual([gone.syncs, disk.known], [1, T + 1], "a null in between forgets nothing");
});

Deno.test("a startup sync works without a timestamp, and then the first one is a change", async () => {
  const { syncs, disk } = await play({ answers: [null, null, T], startupSync: true });
  assert.deepEqual([syncs, disk.known], [2, T]);
});

Deno.test("a smaller timestamp is a change, and logged as a reset", async () => {
  const { syncs, disk, lines } = await play({ answers: [T, T - 500, T - 500] });
  assert.deepEqual([syncs, disk.known], [1, T - 500]);
  assert.ok(lines.some((line) => line.endsWith("The timestamp decreased: PRIMARY was reset or restored")));
});

Deno.test("a timestamp in the far future is reported once, and compared like any other", async () => {
  const future = Date.parse(START) / 1000 + 10 * 86_400;
  const { kinds, syncs } = await play({ answers: [future, future, T, T] });
  assert.equal(kinds.filter((kind) => kind === "far-future").length, 1);
  assert.equal(syncs, 1);
  const near = await play({ answers: [Date.parse(START) / 1000 + 3_600] });
  assert.deepEqual(near.kinds, ["initialized"]);
});

Deno.test("pauses after errors grow by half from the interval to a quarter of an hour, until a success", async () => {
  const answers = [...Array(9).fill(FAULT), T, FAULT, T];
  const { clock, error, lines } = await play({ answers });
  assert.equal(error, undefined);
  const minutes = clock.pausesMs.map((pauseMs) => pauseMs / 60_000);
  for (const [index, pause] of minutes.slice(0, 9).entries()) {
    const least = Math.min(15, 1.5 ** index);
    assert.ok(least <= pause && pause <= 1.5 * least, `${index}: ${pause}`);
  }
  const [ok = 0, again = 0, end = 0] = minutes.slice(9);
  assert.deepEqual([ok, end], [1, 1]);
  assert.ok(1 <= again && again <= 1.5);
  assert.ok(lines.some((line) => line.includes("(error 9 of 10)")));
  assert.equal(lines.filter((line) => line.includes("(error 1 of 10)")).length, 2);
});

Deno.test("ten errors in a row, of polls and syncs, end the watch with exit code 1", async () => {
  const isSyncFault = (index: number) => index % 2 === 1;
  const answers = Array.from({ length: 10 }, (_, index) => isSyncFault(index) ? T + 1 : FAULT);
  const { error, lines } = await play({ answers, failures: Array(5).fill(FAULT), disk: { known: T } });
  assert.ok(error instanceof FailedError);
  assert.deepEqual([error.code, error.exitCode, error.cause], ["TOO_MANY_ERRORS", 1, FAULT]);
  assert.match(
    error.message,
    /^Cannot continue to watch PRIMARY: too many errors, 10 in a row: Cannot read when/,
  );
  assert.match(lines.at(-1) ?? "", /Sync failed \(error 10 of 10\): [^;]*$/);
});

Deno.test("a watch does not end because a part always fails: it is reported, the rest is stored, and retries become rare", async () => {
  const looks = 600;
  const { error, kinds, lines, syncs, disk, clock } = await play({
    answers: Array(looks).fill(T + 1),
    failures: Array(looks).fill(LACKING),
    disk: { known: T },
  });
  assert.equal(error, undefined);
  assert.deepEqual([disk.known, disk.isIncomplete], [T + 1, true]);
  assert.equal(kinds.filter((kind) => kind === "changed").length, 1, "it is no change any more");
  assert.equal(kinds.filter((kind) => kind === "sync-failed").length, 0);
  // Ten hours of polls: after about eleven attempts, one an hour.
  assert.ok(12 <= syncs && syncs <= 25, `${syncs} syncs`);
  assert.ok(clock.pausesMs.every((pauseMs) => pauseMs <= 60_000), "PRIMARY is looked at as often as ever");
  const incomplete = lines.filter((line) => line.includes("Sync incomplete"));
  assert.equal(incomplete.length, syncs);
  assert.match(
    incomplete[0] ?? "",
    /Sync incomplete: Cannot read the records of clip: PRIMARY has none; and 1 more; trying again in 1/,
  );
  assert.ok(lines.some((line) => line.endsWith("Triggering sync operation to retry what failed...")));
});

Deno.test("a change is synced at once although retries are due, and a complete sync ends the retries", async () => {
  const { kinds, disk, syncs } = await play({
    answers: [T + 1, T + 2, T + 2, T + 2],
    failures: [LACKING],
    disk: { known: T },
  });
  assert.deepEqual(kinds.slice(1), [
    "changed",
    "sync-started",
    "sync-incomplete",
    "changed",
    "sync-started",
    "sync-completed",
    "unchanged",
    "unchanged",
  ]);
  assert.deepEqual([syncs, disk.known, disk.isIncomplete], [2, T + 2, false]);
});

Deno.test("failed parts of an earlier watch are retried at the start", async () => {
  const { syncs, disk } = await play({ answers: [T, T], disk: { known: T, isIncomplete: true } });
  assert.deepEqual([syncs, disk.known, disk.isIncomplete], [1, T, false]);
});

Deno.test("if each sync creates a pull request, failed parts wait for the next change", async () => {
  const left = { disk: { known: T, isIncomplete: true }, retriesParts: false };
  const { syncs, lines } = await play({
    ...left,
    answers: [T, T + 1, ...Array(90).fill(T + 1)],
    failures: [LACKING],
  });
  assert.equal(syncs, 1);
  assert.ok(lines.some((line) => line.endsWith("; and 1 more; trying again when the records change")));
});

Deno.test("a sync that finds the lock held is retried, is not counted as an error, and stores nothing", async () => {
  const { error, kinds, disk } = await play({
    answers: Array(12).fill(T + 1),
    failures: Array(11).fill(LOCKED),
    disk: { known: T },
  });
  assert.equal(error, undefined);
  assert.equal(kinds.filter((kind) => kind === "sync-incomplete").length, 11);
  assert.deepEqual([kinds.at(-1), disk.known], ["sync-completed", T + 1]);
});

Deno.test("the watch ends after ten rounds in which GitHub rejects the token, with exit code 3", async () => {
  const refused = new AuthenticationError("Cannot clone you/images: Authentication failed", { code: "X" });
  const { error } = await play({
    answers: Array(10).fill(T + 1),
    failures: Array(10).fill({ kind: "outage", error: refused }),
    disk: { known: T },
  });
  assert.ok(error instanceof AuthenticationError);
  assert.deepEqual([error.code, error.exitCode], ["TOO_MANY_ERRORS", 3]);
});

Deno.test("a pause that a server requires is kept, up to an hour, and longer by up to half of it", async () => {
  for (const [askedMs, keptMs] of [[1_800_000, 1_800_000], [7_200_000, 3_600_000]] as const) {
    const limited = new TransientError("Cannot push: limited", { code: "HTTP_429", retryAfterMs: askedMs });
    const { clock } = await play({ answers: [T + 1], failures: [limited], disk: { known: T } });
    const [settling, pausedMs = 0, ...others] = clock.pausesMs;
    assert.deepEqual([settling, others], [2_000, []]);
    assert.ok(pausedMs >= keptMs && pausedMs <= 1.5 * keptMs, String(pausedMs));
  }
});

Deno.test("errors are one line without secrets", async () => {
  const error = new Error("fatal: unable to access\nhttps://x:ghp_1@github.com/a/b");
  const { lines } = await play({ answers: [T + 1], failures: [error], disk: { known: T } });
  assert.match(
    lines.join("\n"),
    /\(error 1 of 10\): fatal: unable to access https:\/\/\[redacted\]@github\.com\/a\/b; trying/,
  );
});

Deno.test("a disk without space does not cause the same sync again", async () => {
  const { syncs, log } = await play({ answers: [T + 1, T + 1], disk: { known: T, isBroken: true } });
  assert.equal(syncs, 1);
  assert.deepEqual(log, [
    "warn the state cannot be stored, so the next start may sync the same again: the disk is full",
  ]);
});

Deno.test("an abort ends the watch at once, in a delay, a poll, a settling, a sync and a pause", async () => {
  type Place = "delay" | "poll" | "settle" | "sync" | "pause";
  for (const place of ["delay", "poll", "settle", "sync", "pause"] as const) {
    const clock = new QuickClock(START, place === "sync" ? 2_000 : 0);
    const stop = new AbortController();
    const disk: Disk = { known: T };
    const reached = Promise.withResolvers<void>();
    /** Never ends, unless the signal is aborted. */
    const forever = (here: Place, signal: AbortSignal) => {
      if (here === place) reached.resolve();
      return new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    const kinds: string[] = [];
    const watching = watchReferences({
      clock: {
        now: () => clock.now(),
        monotonicMs: () => clock.monotonicMs(),
        every: (periodMs, work) => clock.every(periodMs, work),
        sleep: (durationMs, signal) => {
          if ({ delay: 7_000, settle: 2_000, pause: 60_000, poll: 0, sync: 0 }[place] === durationMs) {
            reached.resolve();
          }
          return clock.sleep(durationMs, signal);
        },
      },
      log: recordedLog(),
      signal: stop.signal,
      primaryUrl: "http://localhost:19800",
      intervalSec: 60,
      initialDelaySec: place === "delay" ? 7 : 0,
      startupSync: false,
      retriesParts: true,
      state: stateOn(disk),
      onEvent: ({ kind }) => void kinds.push(kind),
      poll: (signal) => {
        if (place === "poll") return forever("poll", signal);
        return Promise.resolve(place === "pause" ? T : T + 1);
      },
      sync: (signal) => forever("sync", signal),
    });
    await reached.promise;
    stop.abort(interrupted());
    await watching;
    assert.equal(kinds.at(-1), "stopped", place);
    assert.equal(kinds.some((kind) => kind.endsWith("failed")), false, place);
    assert.equal(disk.known, T, place);
  }
});

Deno.test("a sync that returns although it was interrupted does not count as complete", async () => {
  const stop = new AbortController();
  const disk: Disk = { known: T };
  await watchReferences({
    clock: new QuickClock(START),
    log: recordedLog(),
    signal: stop.signal,
    primaryUrl: "http://localhost:19800",
    intervalSec: 60,
    initialDelaySec: 0,
    startupSync: false,
    retriesParts: true,
    state: stateOn(disk),
    onEvent: () => {},
    poll: () => Promise.resolve(T + 1),
    sync: () => {
      stop.abort(interrupted());
      return Promise.resolve(COMPLETE);
    },
  });
  assert.equal(disk.known, T);
});

/** The events of one round at the server and the network. */
const Move = fc.record({
  change: fc.constantFrom("none", "forward", "back"),
  goesWrong: fc.constantFrom("nothing", "nothing", "poll", "sync", "lock", "part", "stop"),
  /** A record changes after the sync read it. */
  isChangedInSync: fc.boolean(),
});
type Move = typeof Move extends fc.Arbitrary<infer Value> ? Value : never;

const QUIET: Move = { change: "none", goesWrong: "nothing", isChangedInSync: false };

Deno.test("no change is missed and none is synced twice, whatever happens", async () => {
  await fc.assert(fc.asyncProperty(fc.array(Move, { maxLength: 20 }), fc.boolean(), playMoves), {
    numRuns: 500,
  });
});

async function playMoves(moves: readonly Move[], isEmpty: boolean): Promise<void> {
  const server: { version: number; timestamp: number | null } = { version: 0, timestamp: isEmpty ? null : T };
  const change = (direction: number) => {
    server.version++;
    // Always a new number: at most 42 changes stay exact.
    server.timestamp = (server.timestamp ?? T) + direction * 2 ** server.version;
  };
  const disk: Disk = { known: undefined };
  /** The version of the last successful sync, or at first the current one. */
  let synced: number | undefined;
  let goodSyncs = 0;
  // A retry comes after a pause in which polls find no change.
  const queue = [...moves, ...Array(1_500).fill(QUIET)];
  while (queue.length > 0) {
    const stop = new AbortController();
    let move = QUIET;
    await watchReferences({
      clock: new QuickClock(START, Infinity),
      log: recordedLog(),
      signal: stop.signal,
      primaryUrl: "http://localhost:19800",
      intervalSec: 60,
      initialDelaySec: 0,
      startupSync: false,
      retriesParts: true,
      state: stateOn(disk),
      onEvent: () => {},
      poll: (signal) => {
        move = queue.shift() ?? { ...QUIET, goesWrong: "stop" };
        if (move.change !== "none") change(move.change === "forward" ? 1 : -1);
        if (move.goesWrong === "stop") stop.abort(interrupted());
        signal.throwIfAborted();
        if (move.goesWrong === "poll") return Promise.reject(FAULT);
        synced ??= server.version;
        return Promise.resolve(server.timestamp);
      },
      sync: () => {
        const read = server.version;
        if (move.isChangedInSync) change(1);
        if (move.goesWrong === "sync") return Promise.reject(FAULT);
        if (move.goesWrong === "lock") return Promise.reject(LOCKED);
        if (move.goesWrong === "part") return Promise.resolve(LACKING);
        synced = read;
        goodSyncs++;
        return Promise.resolve(COMPLETE);
      },
    }).catch((error) => assert.equal(error.code, "TOO_MANY_ERRORS"));
  }
  assert.equal(synced, server.version);
  assert.equal(disk.known, server.timestamp);
  const parts = moves.filter(({ goesWrong }) => goesWrong === "part").length;
  assert.ok(goodSyncs <= server.version + parts, `${goodSyncs} syncs for ${server.version} changes`);
}
