import {
  type ApiFault,
  type ApiRequest,
  type FakeJob,
  isOperation,
  type JobState,
  lost,
  type Operation,
  parseJson,
  problem,
  Result,
  RunRequest,
} from "./runpod_messages.ts";

/**
 * RunPod's serverless API on loopback: both sides of an endpoint, as in its documentation and its Python SDK. RunPod's
 * times (`policy.executionTimeout`, `policy.ttl`, results for 30 minutes) follow a clock that tests set. Faults on
 * demand.
 */
export interface FakeRunPod extends AsyncDisposable {
  readonly origin: string;
  readonly triggerUrl: string;
  readonly statusUrlTemplate: string;
  /** The account's key. */
  readonly apiKey: string;
  /** The variables that RunPod sets for a worker. */
  readonly workerEnv: Readonly<Record<string, string>>;
  /** Every started job, in order. */
  readonly jobs: FakeJob[];
  readonly requests: readonly ApiRequest[];
  /** Faults of the next answers of an operation; `undefined` for a correct answer. */
  readonly faults: Readonly<Record<Operation, (ApiFault | undefined)[]>>;
  /** The states of new jobs, one for each query; without it, a worker must take them. */
  script: readonly JobState[] | undefined;
  now: () => Date;
  /** Removes every result, as RunPod does after half an hour. */
  dropResults(): void;
}

const ENDPOINT = "ep1";
const API_KEY = "rpa_test_account_key";
const WORKER_KEY = "worker-key";
const RESULT_KEPT_MS = 30 * 60_000;
const ENDED = ["COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"];

export function startRunPod(): FakeRunPod {
  return new RunPodServer();
}

class RunPodServer implements FakeRunPod {
  readonly apiKey = API_KEY;
  readonly jobs: FakeJob[] = [];
  readonly requests: ApiRequest[] = [];
  readonly faults: Record<Operation, (ApiFault | undefined)[]> = {
    run: [],
    status: [],
    cancel: [],
    health: [],
    "job-take": [],
    "job-done": [],
    "job-stop": [],
    ping: [],
  };
  script: readonly JobState[] | undefined;
  now = () => new Date();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  /** The number of workers that wait for a job. */
  #idleWorkers = 0;
  /** Wakes the waiting long polls. */
  #changed = Promise.withResolvers<void>();
  #isClosing = false;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        const response = await this.#answer(request);
        // Otherwise a pooled connection would hide that the server is closed.
        response.headers.set("connection", "close");
        return response;
      },
    );
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  get triggerUrl(): string {
    return `${this.origin}/v2/${ENDPOINT}/run`;
  }

  get statusUrlTemplate(): string {
    return `${this.origin}/v2/${ENDPOINT}/status/{job_id}`;
  }

  get workerEnv(): Record<string, string> {
    const base = `${this.origin}/v2/${ENDPOINT}`;
    return {
      RUNPOD_WEBHOOK_GET_JOB: `${base}/job-take/$ID?gpu=none`,
      RUNPOD_WEBHOOK_POST_OUTPUT: `${base}/job-done/$RUNPOD_POD_ID/$ID?gpu=none`,
      RUNPOD_WEBHOOK_PING: `${base}/ping/$RUNPOD_POD_ID?gpu=none`,
      RUNPOD_PING_INTERVAL: "10000",
      RUNPOD_AI_API_KEY: WORKER_KEY,
      RUNPOD_POD_ID: "pod1",
    };
  }

  dropResults(): void {
    for (const job of this.jobs) if (job.endedMs !== undefined) job.endedMs -= 2 * RESULT_KEPT_MS;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    this.#changed.resolve();
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const [, operation = "", ...rest] = new RegExp(`^/v2/${ENDPOINT}/([a-z-]+)(?:/([^/]+))?(?:/([^/]+))?$`)
      .exec(pathname) ?? [];
    const known = isOperation(operation) ? operation : undefined;
    const body = await request.text();
    this.requests.push({
      operation: known,
      method: request.method,
      path: pathname + search,
      headers: request.headers,
      body,
    });
    if (known === undefined) return problem(404, "not found");
    const fault = this.faults[known].shift();
    if (fault?.kind === "answer") return await fault.make();
    const isWorker = known.startsWith("job-") || known === "ping";
    const key = request.headers.get("authorization");
    if (!(isWorker ? key === WORKER_KEY : key === `Bearer ${API_KEY}` || key === API_KEY)) {
      return problem(401, "unauthorized");
    }
    const answer = await this.#operate(known, request, rest, body);
    return fault === undefined ? answer : lost();
  }

  async #operate(
    operation: Operation,
    { method, signal }: Request,
    [first = "", second = ""]: readonly string[],
    body: string,
  ): Promise<Response> {
    switch (operation) {
      case "run":
        return method === "POST" ? this.#run(body) : problem(405, "method not allowed");
      case "status":
        return this.#status(first);
      case "cancel":
        return method === "POST" ? this.#cancel(first) : problem(405, "method not allowed");
      case "health":
        return Response.json(this.#health());
      case "job-take":
        this.#idleWorkers++;
        try {
          return await this.#poll(signal, () => this.#take());
        } finally {
          this.#idleWorkers--;
        }
      case "job-stop":
        return await this.#poll(signal, () => this.#stopSignals());
      case "job-done":
        return this.#done(second, body);
      case "ping":
        return new Response("ok");
    }
  }

  #run(body: string): Response {
    const parsed = RunRequest.safeParse(parseJson(body));
    if (!parsed.success) return problem(400, `bad request: ${parsed.error.issues[0]?.path.join(".")}`);
    const id = `job-${this.jobs.length + 1}-u1`;
    const { input, policy } = parsed.data;
    this.jobs.push({
      id,
      input,
      policy,
      createdMs: this.now().getTime(),
      startedMs: undefined,
      endedMs: undefined,
      state: { status: "IN_QUEUE" },
      script: this.script ?? [],
      isStopped: false,
    });
    this.#tell();
    return Response.json({ id, status: "IN_QUEUE" });
  }

  #status(id: string): Response {
    const job = this.#find(id);
    if (job === undefined) return problem(404, "job not found");
    const [next, ...later] = job.script;
    if (next !== undefined && !ENDED.includes(job.state.status)) {
      job.script = later;
      this.#enter(job, next);
    }
    return Response.json(this.#shown(job));
  }

  #cancel(id: string): Response {
    const job = this.#find(id);
    if (job === undefined) return problem(404, "job not found");
    if (!ENDED.includes(job.state.status)) {
      job.isStopped = job.state.status === "IN_PROGRESS";
      this.#enter(job, { status: "CANCELLED" });
    }
    return Response.json({ id, status: job.state.status });
  }

  #take(): Response | undefined {
    const job = this.jobs.find(({ state, script }) => state.status === "IN_QUEUE" && script.length === 0);
    if (job === undefined) return undefined;
    this.#enter(job, { status: "IN_PROGRESS" });
    return Response.json({ id: job.id, input: job.input, webhook: null });
  }

  #stopSignals(): Response | undefined {
    const jobs = this.jobs.filter(({ isStopped }) => isStopped);
    for (const job of jobs) job.isStopped = false;
    return jobs.length === 0 ? undefined : Response.json({ jobsToStop: jobs.map(({ id }) => id) });
  }

  #done(id: string, body: string): Response {
    const job = this.jobs.find((job) => job.id === id);
    const result = Result.safeParse(parseJson(body)).data;
    if (job === undefined || result === undefined) return problem(400, "bad result");
    if (ENDED.includes(job.state.status)) return new Response("ok");
    if (result.status !== undefined) {
      this.#enter(job, { status: "IN_PROGRESS", output: result.output });
    } else {
      // RunPod's format of an error that is not a text (runpod-python, issue 299).
      const isError = typeof result.error === "string";
      this.#enter(job, {
        status: isError ? "FAILED" : "COMPLETED",
        ...(result.output === undefined ? {} : { output: result.output }),
        ...(isError ? { error: result.error } : {}),
      });
    }
    return new Response("ok");
  }

  /** The counts of `/health`, as RunPod's documentation has them. */
  #health() {
    const count = (...states: readonly string[]) =>
      this.jobs.filter(({ state }) => states.includes(state.status)).length;
    const jobs = {
      completed: count("COMPLETED"),
      failed: count("FAILED", "TIMED_OUT"),
      inProgress: count("IN_PROGRESS"),
      inQueue: count("IN_QUEUE"),
      retried: 0,
    };
    return { jobs, workers: { idle: this.#idleWorkers, running: jobs.inProgress } };
  }

  /** Holds the request until there is an answer. A worker that has closed its connection gets none. */
  async #poll(client: AbortSignal, look: () => Response | undefined): Promise<Response> {
    const wake = () => this.#tell();
    client.addEventListener("abort", wake, { once: true });
    try {
      for (;;) {
        const response = client.aborted ? undefined : look();
        if (response !== undefined) return response;
        if (this.#isClosing || client.aborted) return new Response(null, { status: 204 });
        await this.#changed.promise;
      }
    } finally {
      client.removeEventListener("abort", wake);
    }
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #find(id: string): FakeJob | undefined {
    const job = this.jobs.find((job) => job.id === id);
    if (job === undefined) return undefined;
    const nowMs = this.now().getTime();
    const { startedMs, policy } = job;
    if (
      startedMs !== undefined && job.state.status === "IN_PROGRESS" &&
      nowMs - startedMs > policy.executionTimeout
    ) this.#enter(job, { status: "TIMED_OUT" });
    const isGone = nowMs - job.createdMs > policy.ttl ||
      (job.endedMs !== undefined && nowMs - job.endedMs > RESULT_KEPT_MS);
    return isGone ? undefined : job;
  }

  #enter(job: FakeJob, state: JobState): void {
    const nowMs = this.now().getTime();
    if (state.status !== "IN_QUEUE") job.startedMs ??= nowMs;
    if (ENDED.includes(state.status)) job.endedMs ??= nowMs;
    job.state = state;
    this.#tell();
  }

  #shown({ id, createdMs, startedMs, endedMs, state }: FakeJob): Record<string, unknown> {
    return {
      id,
      ...state,
      ...(startedMs === undefined ? {} : { delayTime: startedMs - createdMs }),
      ...(startedMs === undefined || endedMs === undefined ? {} : { executionTime: endedMs - startedMs }),
    };
  }
}
