import assert from "node:assert/strict";
import { join } from "node:path";
import type { RunPodSourceOptions } from "../../lib/carriers/runpod_source.ts";
import type { Context } from "../../lib/core/context.ts";
import { InterruptedError, ModelSyncError } from "../../lib/core/errors.ts";
import type { RunPodApi } from "../../lib/runpod/client.ts";
import { JobMemory } from "../../lib/runpod/job_memory.ts";
import { openStore } from "../../lib/store/store.ts";
import type { ApiFault, Operation } from "../../fakes/runpod_messages.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { RunPodWorld } from "../helpers/runpod_world.ts";
import { readFiles, type TempDir, tempDir } from "../helpers/temp_dir.ts";
import { type RecordedLog, testContext } from "../helpers/test_context.ts";
import { assertPause } from "../helpers/assert_pause.ts";

const MODELS = { "BTC_USDC/metadata.json": "{}", "BTC_USDC/rf.joblib": "one" };
const START = "2026-11-21T03:00:00Z";

/** Longer than a pause between two attempts, shorter than every deadline. */
const PAUSE_MS_MAX = 9_000;
const POLL_MS = 5_000;

/** A machine that pulls from RunPod, with a clock whose pauses end immediately. */
class Bench implements AsyncDisposable {
  readonly #dir: TempDir = tempDir();
  readonly world = new RunPodWorld(join(this.#dir.path, "runpod"));
  readonly clock = new QuickClock(START, PAUSE_MS_MAX);
  readonly modelsDir = join(this.#dir.path, "bot/models");
  log: RecordedLog = testContext().log;

  constructor() {
    this.world.api.now = () => this.clock.now();
  }

  static async with(models: Readonly<Record<string, string>> = MODELS): Promise<Bench> {
    const bench = new Bench();
    await bench.world.offer(models, 1);
    return bench;
  }

  async pull(
    changed: Partial<RunPodSourceOptions> & { readonly settings?: Partial<RunPodApi> } = {},
    replaced: Partial<Context> = {},
  ) {
    const { settings, ...options } = changed;
    const context = testContext({ clock: this.clock, ...replaced });
    this.log = context.log;
    const api = this.world.apiSettings({ requestTimeoutMs: 600_000, ...settings });
    return await this.world.pullTo(this.modelsDir, context, { pollIntervalMs: POLL_MS, api, ...options });
  }

  /** Returns how often an operation was requested. */
  count(operation: Operation): number {
    return this.world.api.requests.filter((request) => request.operation === operation).length;
  }

  remembered() {
    const { triggerUrl } = this.world.api;
    return new JobMemory(openStore(Deno, { modelsDir: this.modelsDir }), triggerUrl).find();
  }

  async [Symbol.asyncDispose]() {
    await this.world[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}

function answer(status: number, body: unknown = {}, headers: Record<string, string> = {}): ApiFault {
  return { kind: "answer", make: () => Response.json(body, { status, headers }) };
}

async function failure(work: Promise<unknown>, code: string, exitCode: number): Promise<ModelSyncError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof ModelSyncError, String(error));
    assert.deepEqual([error.code, error.exitCode], [code, exitCode], error.message);
    return error;
  }
  throw new assert.AssertionError({ message: `nothing was thrown, ${code} was expected` });
}

Deno.test("a job is started, waited for, and its models are activated", async () => {
  await using bench = await Bench.with();
  const report = await bench.pull();
  assert.deepEqual([report.outcome, report.carrier, report.revision], ["activated", "runpod", "job-1-u1"]);
  assert.deepEqual(readFiles(bench.modelsDir), MODELS);
  const [start] = bench.world.api.requests;
  assert.equal(start?.headers.get("authorization"), `Bearer ${bench.world.api.apiKey}`);
  assert.equal(start?.headers.get("x-team"), "team-secret");
  assert.deepEqual(JSON.parse(start?.body ?? ""), {
    input: { prompt: "train" },
    policy: { executionTimeout: 3_600_000, ttl: 5_400_000 },
  });
  assert.deepEqual([bench.count("run"), bench.count("status"), bench.count("cancel")], [1, 2, 0]);
  assert.deepEqual(bench.clock.pausesMs, [POLL_MS]);
  assert.equal(bench.remembered(), undefined);
});

Deno.test("no header for the API is sent to the host of the archive", async () => {
  await using bench = await Bench.with();
  await bench.pull();
  assert.ok(bench.world.files.requests.length > 0);
  for (const { headers } of bench.world.files.requests) {
    const sent = [...headers].flat().join(" ");
    assert.doesNotMatch(sent, /rpa_test_account_key|team-secret|cookie-secret/);
    assert.deepEqual([headers.get("authorization"), headers.get("cookie"), headers.get("x-team")], [
      null,
      null,
      null,
    ]);
  }
});

Deno.test("equal models from another job are reported as unchanged", async () => {
  await using bench = await Bench.with();
  await bench.pull();
  const again = await bench.pull();
  assert.deepEqual([again.outcome, again.revision, bench.world.api.jobs.length], [
    "unchanged",
    "job-2-u1",
    2,
  ]);
  assert.equal(bench.remembered(), undefined);
});

Deno.test("an archive without a manifest is ordered by the start of its job", async () => {
  await using bench = await Bench.with();
  await bench.world.offer(MODELS);
  assert.equal((await bench.pull()).sequence, Date.parse(START) / 1000);
});

Deno.test("the next run continues the job of an interrupted run, and pays for no second one", async () => {
  await using bench = await Bench.with();
  const http: typeof fetch = (input, init) =>
    String(input).includes("/status/") ? Promise.reject(new RangeError("killed")) : fetch(input, init);
  await assert.rejects(bench.pull({}, { http }), RangeError);
  assert.deepEqual(bench.remembered(), { state: "started", at: START, id: "job-1-u1" });
  const report = await bench.pull();
  assert.deepEqual([report.outcome, report.revision, bench.count("run")], ["activated", "job-1-u1", 1]);
});

Deno.test("the job is on the disk before the pull waits for it", async () => {
  await using bench = await Bench.with();
  const states: unknown[] = [];
  const http: typeof fetch = (input, init) => {
    if (!String(input).includes("model.bin")) states.push(bench.remembered());
    return fetch(input, init);
  };
  await bench.pull({}, { http });
  const started = { state: "started", at: START, id: "job-1-u1" };
  assert.deepEqual(states, [{ state: "asked", at: START }, started, started]);
});

Deno.test("failed status requests are retried, and start no job", async () => {
  await using bench = await Bench.with();
  bench.world.api.faults.status.push(
    answer(500),
    answer(429, {}, { "retry-after": "5" }),
    { kind: "lost" },
    undefined,
    answer(502),
  );
  assert.equal((await bench.pull()).outcome, "activated");
  assert.equal(bench.count("run"), 1);
  assertPause(bench.clock.pausesMs[1], 5_000);
});

Deno.test("a start is retried if RunPod is busy; a refused start is not, and is forgotten", async () => {
  await using bench = await Bench.with();
  bench.world.api.faults.run.push(answer(429), answer(429));
  await bench.pull();
  assert.equal(bench.world.api.jobs.length, 1);
  for (
    const [status, code, exitCode] of [[401, "HTTP_401", 3], [400, "HTTP_400", 4], [
      404,
      "HTTP_404",
      4,
    ]] as const
  ) {
    bench.world.api.faults.run.push(answer(status, { error: "refused for a reason" }));
    const error = await failure(bench.pull(), code, exitCode);
    assert.match(error.message, /refused for a reason/);
    assert.equal(bench.remembered(), undefined);
  }
  assert.equal(bench.world.api.jobs.length, 1);
});

Deno.test("a start whose response is lost is not repeated: the error says what to do, until the job must be over", async () => {
  for (const fault of [{ kind: "lost" }, answer(502), answer(200, "no object")] as const) {
    await using bench = await Bench.with();
    bench.world.api.faults.run.push(fault);
    await failure(bench.pull(), "JOB_UNKNOWN", 1);
    bench.clock.advance(3_600_000);
    const error = await failure(bench.pull(), "JOB_UNKNOWN", 1);
    assert.match(error.message, /sent at 2026-11-21T03:00:00Z got no response/);
    assert.match(error.hint ?? "", /--new-job/);
    assert.equal(bench.count("run"), 1);
    bench.clock.advance(1_800_001);
    assert.equal((await bench.pull()).outcome, "activated");
    assert.equal(bench.count("run"), 2);
    assert.ok(bench.log.lines.some((line) => /warn .*too old.*starting another job/.test(line)));
  }
});

Deno.test("--new-job gives up a job whose start got no response", async () => {
  await using bench = await Bench.with();
  bench.world.api.faults.run.push({ kind: "lost" });
  await failure(bench.pull(), "JOB_UNKNOWN", 1);
  const report = await bench.pull({ startsNewJob: true });
  assert.deepEqual([report.outcome, report.revision], ["activated", "job-2-u1"]);
});

Deno.test("a failed job is reported with its reason and forgotten, and the active release stays", async () => {
  await using bench = await Bench.with();
  await bench.pull();
  for (const status of ["FAILED", "CANCELLED", "TIMED_OUT"]) {
    const error_message = "no candles for BTC/USDC";
    const error = JSON.stringify({
      error_type: "<class 'ValueError'>",
      error_message,
      error_traceback: "secret",
    });
    bench.world.api.script = [{ status: "IN_PROGRESS" }, { status, error }];
    const failed = await failure(bench.pull(), "JOB_FAILED", 1);
    assert.match(
      failed.message,
      new RegExp(`^RunPod job job-\\d-u1 failed \\(${status}\\): no candles for BTC/USDC$`),
    );
    assert.equal(bench.remembered(), undefined);
  }
  assert.deepEqual(readFiles(bench.modelsDir), MODELS);
});

Deno.test("a key that a job or an API repeats does not appear in errors", async () => {
  await using bench = await Bench.with();
  const { apiKey } = bench.world.api;
  bench.world.api.script = [{ status: "FAILED", error: `called with ${apiKey}` }];
  assert.match((await failure(bench.pull(), "JOB_FAILED", 1)).message, /: called with \[redacted\]$/);
  bench.world.api.faults.run.push(answer(401, { error: `bad key ${apiKey}` }));
  assert.match((await failure(bench.pull(), "HTTP_401", 3)).message, /"bad key \[redacted\]"/);
});

Deno.test("a job that completes without an address fails at once, and the error says what the worker must return", async () => {
  await using bench = await Bench.with();
  for (
    const output of [undefined, {}, "done", { models_archive_url: " " }, {
      models_archive_url: "s3://b/m.zip",
    }]
  ) {
    bench.world.api.script = [{ status: "COMPLETED", ...(output === undefined ? {} : { output }) }];
    const error = await failure(bench.pull(), "NO_ARCHIVE_URL", 1);
    assert.match(error.hint ?? "", /\{"models_archive_url": "https:\/\/…"\}/);
    assert.equal(bench.remembered(), undefined);
  }
  assert.deepEqual(bench.clock.pausesMs, []);
});

Deno.test("a remembered job that is gone is replaced, with a warning; a fresh one that is gone is an error", async () => {
  await using bench = await Bench.with();
  bench.world.api.faults.status.push(answer(404));
  const error = await failure(bench.pull(), "JOB_GONE", 4);
  assert.match(error.message, /job-1-u1/);
  assert.equal(bench.remembered(), undefined);
  await failure(bench.pull({ downloadBytesMax: 10 }), "DOWNLOAD_TOO_LARGE", 5);
  assert.equal(bench.remembered()?.state, "started");
  bench.world.api.dropResults();
  const report = await bench.pull();
  assert.equal(report.revision, "job-3-u1");
  assert.ok(
    bench.log.lines.some((line) => /warn RunPod job job-2-u1 .*gone.*starting another job/.test(line)),
  );
});

Deno.test("a job that takes too long is cancelled and forgotten, unless cancelling is off", async () => {
  await using bench = await Bench.with();
  bench.world.api.script = Array.from({ length: 100 }, () => ({ status: "IN_PROGRESS" }));
  const settings = { jobTimeoutMs: 60_000 };
  const error = await failure(bench.pull({ settings }), "JOB_TIMEOUT", 1);
  assert.match(error.message, /no end after 60 s/);
  assert.deepEqual([bench.world.api.jobs[0]?.state.status, bench.remembered()], ["CANCELLED", undefined]);
  await failure(bench.pull({ settings, cancels: false }), "JOB_TIMEOUT", 1);
  assert.equal(bench.count("cancel"), 1);
  assert.equal(bench.remembered()?.state, "started");
});

Deno.test("an interrupted wait cancels its job although the run's signal is aborted", async () => {
  await using bench = await Bench.with();
  bench.world.api.script = Array.from({ length: 100 }, () => ({ status: "IN_PROGRESS" }));
  const controller = new AbortController();
  const http: typeof fetch = (input, init) => {
    if (bench.count("status") === 2) {
      controller.abort(new InterruptedError("stopped", { code: "INTERRUPTED" }));
    }
    return fetch(input, init);
  };
  await failure(bench.pull({}, { http, signal: controller.signal }), "INTERRUPTED", 130);
  assert.deepEqual([bench.world.api.jobs[0]?.state.status, bench.remembered()], ["CANCELLED", undefined]);
  assert.ok(bench.log.lines.includes("warn cancelled RunPod job job-1-u1"));
});

Deno.test("an interruption while the job is being started waits for its name, and cancels it", async () => {
  await using bench = await Bench.with();
  const controller = new AbortController();
  const http: typeof fetch = (input, init) => {
    if (String(input).endsWith("/run")) {
      controller.abort(new InterruptedError("stopped", { code: "INTERRUPTED" }));
    }
    return fetch(input, init);
  };
  await failure(bench.pull({}, { http, signal: controller.signal }), "INTERRUPTED", 130);
  assert.deepEqual([bench.count("status"), bench.world.api.jobs[0]?.state.status], [0, "CANCELLED"]);
});

Deno.test("a cancellation without a response ends in time, and the job is not forgotten", async () => {
  await using bench = await Bench.with();
  bench.world.api.script = Array.from({ length: 100 }, () => ({ status: "IN_PROGRESS" }));
  const released = Promise.withResolvers<void>();
  bench.world.api.faults.cancel.push({
    kind: "answer",
    make: async () => {
      bench.clock.advance(10_000);
      await released.promise;
      return new Response();
    },
  });
  await failure(bench.pull({ settings: { jobTimeoutMs: 60_000 } }), "JOB_TIMEOUT", 1);
  released.resolve();
  assert.equal(bench.remembered()?.state, "started");
  assert.ok(
    bench.log.lines.some((line) => /no answer from .* in 10 s: .*keeps running and is paid for/.test(line)),
  );
});

Deno.test("the next run uses a job that ended just before it was cancelled", async () => {
  await using bench = await Bench.with();
  bench.world.api.script = Array.from({ length: 100 }, () => ({ status: "IN_PROGRESS" }));
  bench.world.api.faults.cancel.push({
    kind: "answer",
    make: () => {
      const [job] = bench.world.api.jobs;
      assert.ok(job !== undefined);
      job.state = { status: "COMPLETED", output: { models_archive_url: bench.world.archiveUrl } };
      return Response.json({ id: job.id, status: "COMPLETED" });
    },
  });
  await failure(bench.pull({ settings: { jobTimeoutMs: 60_000 } }), "JOB_TIMEOUT", 1);
  assert.equal((await bench.pull()).revision, "job-1-u1");
});

Deno.test("an expired address of an archive is requested again; one that never works is another error", async () => {
  await using bench = await Bench.with();
  const expired = {
    kind: "answer",
    make: () => new Response("Request has expired", { status: 403 }),
  } as const;
  const [fresh, stale] = [bench.world.archiveUrl, `${bench.world.files.origin}/stale?X-Amz-Signature=old`];
  bench.world.api.script = [{ status: "COMPLETED", output: { models_archive_url: stale } }];
  bench.world.files.faults.push({
    kind: "answer",
    make: (request) => {
      assert.match(request.url, /\/stale\?/);
      const [job] = bench.world.api.jobs;
      if (job !== undefined) job.state = { status: "COMPLETED", output: { models_archive_url: fresh } };
      return expired.make();
    },
  });
  assert.equal((await bench.pull()).outcome, "activated");
  bench.world.files.faults.push(...Array.from({ length: 6 }, () => expired));
  const error = await failure(
    bench.pull({}, { clock: new QuickClock(START, 20_000) }),
    "ARCHIVE_EXPIRED",
    4,
  );
  assert.doesNotMatch(error.message, /Signature/);
  assert.match(error.hint ?? "", /the worker must return .*--new-job/);
});

Deno.test("a completed job whose archive is refused stays remembered, and the hint says how to start another", async () => {
  await using bench = await Bench.with();
  await bench.world.tamper("BTC_USDC/rf.joblib", "two");
  const error = await failure(bench.pull(), "DIGEST_MISMATCH", 5);
  assert.match(error.hint ?? "", /uses RunPod job job-1-u1 again .*model-sync runpod-pull --new-job/);
  bench.world.files.content = new TextEncoder().encode("no archive");
  const second = await failure(bench.pull(), "ARCHIVE_FORMAT", 5);
  assert.match(second.hint ?? "", /--new-job/);
  // Only one job is paid for, until the user requests another.
  assert.equal(bench.count("run"), 1);
  await bench.world.offer(MODELS, 1);
  assert.equal((await bench.pull({ startsNewJob: true })).revision, "job-2-u1");
});

Deno.test("an API that returns the archive in its first response is not asked again", async () => {
  await using bench = await Bench.with();
  for (
    const [reply, revision] of [[{ download_url: bench.world.archiveUrl }, /^started at 2026/], [{
      job_id: "j-9",
      state: "queued",
      model_archive_url: bench.world.archiveUrl,
    }, /^j-9$/]] as const
  ) {
    bench.world.api.faults.run.push(answer(200, reply));
    const report = await bench.pull({ settings: { statusUrlTemplate: undefined } });
    assert.match(report.revision ?? "", revision);
    assert.equal(bench.remembered(), undefined);
  }
  assert.equal(bench.count("status"), 0);
});

Deno.test("a job that cannot be followed says which setting is missing", async () => {
  await using bench = await Bench.with();
  const error = await failure(
    bench.pull({ settings: { statusUrlTemplate: undefined } }),
    "JOB_NOT_FOLLOWED",
    1,
  );
  assert.match(error.message, /status_url_template is not set/);
  bench.world.api.faults.run.push(answer(200, { status: "IN_QUEUE" }));
  assert.match((await failure(bench.pull(), "JOB_NOT_FOLLOWED", 1)).message, /no id, job_id or requestId/);
});

Deno.test("after a permanent failure of the API, the job stays remembered", async () => {
  await using bench = await Bench.with();
  bench.world.api.faults.status.push(...Array.from({ length: 15 }, () => answer(503)));
  await failure(bench.pull({}, { clock: new QuickClock(START, 61_000) }), "HTTP_503", 4);
  assert.deepEqual([bench.count("cancel"), bench.remembered()?.state], [0, "started"]);
});

Deno.test("an archive that is larger than allowed, or than the free disk space, is not downloaded", async () => {
  await using bench = await Bench.with();
  await failure(bench.pull({ downloadBytesMax: 10 }), "DOWNLOAD_TOO_LARGE", 5);
  await failure(bench.pull({}, { freeBytes: () => Promise.resolve(1_000) }), "DISK", 7);
  const { partials } = openStore(Deno, { modelsDir: bench.modelsDir });
  assert.deepEqual([...Deno.readDirSync(partials)], []);
  assert.equal(bench.world.api.jobs.length, 1);
});
