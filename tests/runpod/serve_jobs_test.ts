import assert from "node:assert/strict";
import type { Context } from "../../lib/core/context.ts";
import { FailedError, InterruptedError } from "../../lib/core/errors.ts";
import { readJob } from "../../lib/runpod/job.ts";
import { type JobHandler, serveJobs } from "../../lib/runpod/serve_jobs.ts";
import { WorkerApi } from "../../lib/runpod/worker_api.ts";
import { type ApiFault } from "../../fakes/runpod_messages.ts";
import { type FakeRunPod, startRunPod } from "../../fakes/runpod_server.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

/** Longer than a pause, and shorter than a deadline and than the time between two pings. */
const PAUSE_MS_MAX = 9_000;

const PING_MS = 10_000;

class WorkerClock extends QuickClock {
  /** Resolves when the worker waits for its next ping. */
  readonly waitsToPing = Promise.withResolvers<void>();

  override sleep(durationMs: number, signal: AbortSignal): Promise<void> {
    const sleeping = super.sleep(durationMs, signal);
    if (durationMs === PING_MS) this.waitsToPing.resolve();
    return sleeping;
  }
}

/** An endpoint with a worker, and a client that sends jobs. */
class Bench implements AsyncDisposable {
  readonly api: FakeRunPod = startRunPod();
  readonly clock = new WorkerClock("2026-11-21T03:00:00Z", PAUSE_MS_MAX);
  readonly stop = new AbortController();
  readonly context = testContext({
    clock: this.clock,
    signal: this.stop.signal,
    http: async (input, init) => {
      const response = await fetch(input, init);
      this.#answered.resolve();
      this.#answered = Promise.withResolvers();
      return response;
    },
  });
  #answered = Promise.withResolvers<void>();

  async submit(input: unknown = {}): Promise<string> {
    const response = await fetch(this.api.triggerUrl, {
      method: "POST",
      headers: { authorization: this.api.apiKey },
      body: JSON.stringify({ input }),
    });
    return readJob(await response.json()).id ?? "";
  }

  async ask(id: string) {
    const response = await fetch(this.api.statusUrlTemplate.replace("{job_id}", id), {
      headers: { authorization: this.api.apiKey },
    });
    return await response.json();
  }

  /** Resolves once this many requests of an operation were answered. */
  async seen(operation: string, count: number): Promise<void> {
    while (this.api.requests.filter((request) => request.operation === operation).length < count) {
      await this.#answered.promise;
    }
  }

  serve(handle: JobHandler, env: Readonly<Record<string, string>> = {}): Promise<void> {
    const api = new WorkerApi(fixedEnvironment({ ...this.api.workerEnv, ...env }));
    return serveJobs(this.context, api, handle);
  }

  end(): void {
    this.stop.abort(new InterruptedError("stopped by SIGTERM", { code: "INTERRUPTED" }));
  }

  async [Symbol.asyncDispose]() {
    this.end();
    await this.api[Symbol.asyncDispose]();
  }
}

function answer(status: number, body = ""): ApiFault {
  return { kind: "answer", make: () => new Response(status === 204 ? null : body, { status }) };
}

Deno.test("a job goes to a worker that waits for it, not to one that has gone", async () => {
  await using bench = new Bench();
  const { api } = bench;
  const env = api.workerEnv;
  const gone = new AbortController();
  const taking = fetch(String(env["RUNPOD_WEBHOOK_GET_JOB"]), {
    headers: { authorization: String(env["RUNPOD_AI_API_KEY"]) },
    signal: gone.signal,
  });
  const waiting = async () => {
    const answer = await fetch(api.triggerUrl.replace(/run$/, "health"), {
      headers: { authorization: api.apiKey },
    });
    return (await answer.json()).workers.idle;
  };
  while (await waiting() !== 1);
  gone.abort();
  await assert.rejects(taking);
  while (await waiting() !== 0);
  const id = await bench.submit();
  const served = bench.serve(() => Promise.resolve({ done: true }));
  await bench.seen("job-done", 1);
  assert.deepEqual((await bench.ask(id)).output, { done: true });
  bench.end();
  await served;
});

Deno.test("a worker does one job after the other and reports each result", async () => {
  await using bench = new Bench();
  const ids = [await bench.submit({ n: 1 }), await bench.submit({ n: 2 }), await bench.submit({ n: 3 })];
  let running = 0;
  const serving = bench.serve(async (_, { id, input }) => {
    assert.equal(++running, 1);
    await Promise.resolve();
    running--;
    return { id, input };
  });
  await bench.seen("job-done", 3);
  for (const [index, id] of ids.entries()) {
    const job = await bench.ask(id);
    assert.deepEqual([job.status, job.output], ["COMPLETED", { id, input: { n: index + 1 } }]);
  }
  bench.end();
  await serving;
});

Deno.test("a worker follows RunPod's protocol: addresses, key, query and body", async () => {
  await using bench = new Bench();
  const id = await bench.submit();
  const serving = bench.serve(() => Promise.resolve({ done: true }));
  await bench.seen("job-done", 1);
  await bench.seen("ping", 1);
  const find = (operation: string) => bench.api.requests.find((request) => request.operation === operation);
  assert.equal(find("job-take")?.path, "/v2/ep1/job-take/pod1?gpu=none&job_in_progress=0");
  assert.match(find("ping")?.path ?? "", /^\/v2\/ep1\/ping\/pod1\?gpu=none/);
  const done = find("job-done");
  assert.equal(done?.path, `/v2/ep1/job-done/pod1/${id}?gpu=none&isStream=false`);
  assert.deepEqual([done?.method, done?.body], ["POST", '{"output":{"done":true}}']);
  assert.equal(done?.headers.get("authorization"), "worker-key");
  assert.equal(done?.headers.get("x-request-id"), id);
  bench.end();
  await serving;
});

Deno.test("any error that a job throws is the job's error, and the worker continues", async () => {
  await using bench = new Bench();
  const errors = [
    new FailedError("Cannot train: no candles", { code: "TRAINING_FAILED", hint: "see its output" }),
    new TypeError("a bug, with https://u:secret@host/"),
    "a text",
  ];
  const ids = [await bench.submit(), await bench.submit(), await bench.submit(), await bench.submit()];
  const serving = bench.serve(() => {
    const error = errors.shift();
    return error === undefined ? Promise.resolve({ ok: true }) : Promise.reject(error);
  });
  await bench.seen("job-done", 4);
  const jobs = await Promise.all(ids.map((id) => bench.ask(id)));
  assert.deepEqual(jobs.map(({ status }) => status), ["FAILED", "FAILED", "FAILED", "COMPLETED"]);
  assert.deepEqual(jobs.slice(0, 3).map((job) => readJob(job).error), [
    "Cannot train: no candles; see its output",
    "a bug, with https://[redacted]@host/",
    "a text",
  ]);
  assert.equal(JSON.parse(jobs[0].error).error_type, "TRAINING_FAILED");
  bench.end();
  await serving;
});

Deno.test("no answer of RunPod ends the worker", async () => {
  await using bench = new Bench();
  bench.api.faults["job-take"].push(
    answer(500),
    answer(429),
    answer(400),
    answer(204),
    answer(401),
    answer(200, "<html>"),
    answer(200, '{"input": {}}'),
  );
  bench.api.faults["job-done"].push(answer(500), { kind: "lost" });
  bench.api.faults.ping.push(answer(500));
  const first = await bench.submit();
  const serving = bench.serve(() => Promise.resolve({ ok: true }));
  await bench.seen("job-done", 2);
  // The second result arrived, although its answer was lost. Sending it again does no harm.
  await bench.seen("job-done", 3);
  assert.equal((await bench.ask(first)).status, "COMPLETED");
  bench.api.faults["job-done"].push(answer(400, "too late"));
  await bench.submit();
  await bench.seen("job-done", 4);
  const last = await bench.submit();
  await bench.seen("job-done", 5);
  assert.equal((await bench.ask(last)).status, "COMPLETED");
  bench.end();
  await serving;
  assert.ok(bench.context.log.lines.some((line) => /error .*RunPod did not accept: .*too late/.test(line)));
});

Deno.test("pings name the current job", async () => {
  await using bench = new Bench();
  const id = await bench.submit();
  const serving = bench.serve(async () => {
    await bench.clock.waitsToPing.promise;
    bench.clock.advance(PING_MS);
    await bench.seen("ping", 2);
    return {};
  }, { RUNPOD_PING_INTERVAL: String(PING_MS) });
  await bench.seen("job-done", 1);
  const pings = bench.api.requests.filter(({ operation }) => operation === "ping");
  assert.match(pings[1]?.path ?? "", new RegExp(`&job_id=${id}&`));
  for (const { path } of pings) assert.match(path, /&runpod_version=model-sync%2F\d+\.\d+\.\d+$/);
  bench.end();
  await serving;
});

Deno.test("a cancelled job is stopped and not reported, and the worker does the next one", async () => {
  await using bench = new Bench();
  const [first, second] = [await bench.submit({ waits: true }), await bench.submit()];
  const handle = (context: Context, id: string) => {
    if (id !== first) return Promise.resolve({ ok: true });
    return new Promise<never>((_, reject) => {
      context.signal.addEventListener("abort", () => reject(context.signal.reason), { once: true });
      const url = bench.api.statusUrlTemplate.replace("/status/{job_id}", `/cancel/${first}`);
      fetch(url, { method: "POST", headers: { authorization: bench.api.apiKey } })
        .then((response) => response.body?.cancel());
    });
  };
  const serving = bench.serve((context, { id }) => handle(context, id));
  await bench.seen("job-done", 1);
  assert.equal((await bench.ask(first)).status, "CANCELLED");
  assert.equal((await bench.ask(second)).status, "COMPLETED");
  bench.end();
  await serving;
});

Deno.test("a worker that is stopped during a job finishes the job, takes no other, and ends", async () => {
  await using bench = new Bench();
  const [id, waiting] = [await bench.submit(), await bench.submit()];
  const serving = bench.serve(async (context) => {
    bench.end();
    await bench.clock.waitsToPing.promise;
    // Pings go on: otherwise RunPod would give the job to another worker.
    const pings = bench.api.requests.filter(({ operation }) => operation === "ping").length;
    bench.clock.advance(PING_MS);
    await bench.seen("ping", pings + 1);
    context.signal.throwIfAborted();
    return { done: true };
  }, { RUNPOD_PING_INTERVAL: String(PING_MS) });
  await serving;
  const job = await bench.ask(id);
  assert.deepEqual([job.status, job.output], ["COMPLETED", { done: true }]);
  assert.equal((await bench.ask(waiting)).status, "IN_QUEUE");
  assert.ok(
    bench.context.log.lines.includes(`warn the worker finishes RunPod job ${id} before it stops`),
  );
});

Deno.test("a job's clients see its progress, and its result last, even if progress messages fail", async () => {
  await using bench = new Bench();
  const id = await bench.submit();
  bench.api.faults["job-done"].push(undefined, undefined, answer(500));
  const shown: unknown[] = [];
  const serving = bench.serve(async (context, _job, showStep) => {
    showStep("training");
    await bench.seen("job-done", 1);
    shown.push((await bench.ask(id)).output);
    context.log.progress("uploading", 1, 4);
    await bench.seen("job-done", 2);
    shown.push((await bench.ask(id)).output);
    // Bytes are reported many times a second.
    context.log.progress("uploading", 2, 4);
    showStep("not taken");
    showStep("replaced");
    showStep("dropped at the end");
    return { done: true };
  });
  await bench.seen("job-done", 4);
  const job = await bench.ask(id);
  assert.deepEqual([job.status, job.output], ["COMPLETED", { done: true }]);
  assert.deepEqual(shown, ["training", "uploading: 25%"]);
  const bodies = bench.api.requests.filter(({ operation }) => operation === "job-done").map(({ body }) =>
    body
  );
  assert.deepEqual(bodies, [
    '{"status":"IN_PROGRESS","output":"training"}',
    '{"status":"IN_PROGRESS","output":"uploading: 25%"}',
    '{"status":"IN_PROGRESS","output":"not taken"}',
    '{"output":{"done":true}}',
  ]);
  bench.end();
  await serving;
});

Deno.test("a worker names the missing variable", () => {
  for (const name of ["RUNPOD_WEBHOOK_GET_JOB", "RUNPOD_WEBHOOK_POST_OUTPUT"]) {
    const env = fixedEnvironment({
      RUNPOD_WEBHOOK_GET_JOB: "https://a.example",
      RUNPOD_WEBHOOK_POST_OUTPUT: "https://b.example",
      [name]: "",
    });
    assert.throws(() => new WorkerApi(env), { code: "NOT_ON_RUNPOD", message: new RegExp(name) });
  }
});
