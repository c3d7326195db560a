import assert from "node:assert/strict";
import { AuthenticationError, FailedError, TransientError, UnreachableError } from "../../lib/core/errors.ts";
import { Secret } from "../../lib/core/secret.ts";
import {
  jobLifeMs,
  mayHaveStarted,
  type RunPodApi,
  RunPodClient,
  startBody,
} from "../../lib/runpod/client.ts";
import { testContext } from "../helpers/test_context.ts";

const RUN = "https://api.runpod.ai/v2/abc/run";
const HOUR_MS = 3_600_000;

function api(changed: Partial<RunPodApi> = {}): RunPodApi {
  return {
    triggerUrl: RUN,
    statusUrlTemplate: "https://api.runpod.ai/v2/abc/status/{job_id}",
    method: "POST",
    payload: {},
    headers: { authorization: new Secret("Bearer rpa_1") },
    requestTimeoutMs: 20_000,
    jobTimeoutMs: HOUR_MS,
    ...changed,
  };
}

/** Records requests instead of sending them. */
function recorded(answer: () => Response = () => Response.json({ id: "a", status: "IN_QUEUE" })) {
  const requests: { url: string; headers: Headers; method: string; hasBody: boolean }[] = [];
  const http: typeof fetch = (input, init) => {
    const { url, headers, method, body } = new Request(input, init);
    requests.push({ url, headers, method, hasBody: body !== null });
    return Promise.resolve(answer());
  };
  return { requests, context: testContext({ http }) };
}

Deno.test("a start request gives the job our time limit, within RunPod's limits", () => {
  const policyOf = (jobTimeoutMs: number, payload = {}) => startBody(RUN, payload, jobTimeoutMs)["policy"];
  assert.deepEqual(policyOf(HOUR_MS), { executionTimeout: HOUR_MS, ttl: HOUR_MS + 1_800_000 });
  assert.deepEqual(policyOf(30 * 24 * HOUR_MS), { executionTimeout: 168 * HOUR_MS, ttl: 168 * HOUR_MS });
  assert.deepEqual(policyOf(1_000), { executionTimeout: 5_000, ttl: 1_805_000 });
  assert.deepEqual(policyOf(HOUR_MS, { policy: { executionTimeout: 2 * HOUR_MS, lowPriority: true } }), {
    executionTimeout: 2 * HOUR_MS,
    ttl: 2 * HOUR_MS + 1_800_000,
    lowPriority: true,
  });
});

Deno.test("input is added for RunPod only, and the user's payload stays unchanged", () => {
  assert.deepEqual(startBody(RUN, {}, HOUR_MS)["input"], {});
  assert.deepEqual(startBody(RUN, { input: [1], webhook: "w" }, HOUR_MS)["input"], [1]);
  assert.equal(startBody(RUN, { webhook: "w" }, HOUR_MS)["webhook"], "w");
  assert.deepEqual(startBody("https://own.example/v1/jobs", {}, HOUR_MS), {});
});

Deno.test("a job may have a result for as long as its own ttl says", () => {
  assert.equal(jobLifeMs(api()), HOUR_MS + 1_800_000);
  assert.equal(jobLifeMs(api({ payload: { policy: { ttl: 60_000 } } })), 60_000);
  assert.equal(jobLifeMs(api({ triggerUrl: "https://own.example/start" })), HOUR_MS + 1_800_000);
});

Deno.test("both placeholders are replaced by the job's id, which cannot change the path", async () => {
  for (const name of ["{job_id}", "{id}"]) {
    const { requests, context } = recorded();
    const template = `https://api.example/status/${name}?of=${name}`;
    await new RunPodClient(api({ statusUrlTemplate: template })).status(context, "../a?b#c");
    assert.equal(requests[0]?.url, "https://api.example/status/..%2Fa%3Fb%23c?of=..%2Fa%3Fb%23c");
  }
});

Deno.test("a job is cancelled if the address for that follows from the status address", async () => {
  const { requests, context } = recorded(() => Response.json({ id: "a", status: "CANCELLED" }));
  const client = new RunPodClient(api());
  assert.equal((await client.cancel(context, "a-u1")).phase, "failed");
  assert.deepEqual([requests[0]?.method, requests[0]?.url], [
    "POST",
    "https://api.runpod.ai/v2/abc/cancel/a-u1",
  ]);
  assert.ok(!new RunPodClient(api({ statusUrlTemplate: "https://a.example/jobs/{id}" })).canCancel);
});

Deno.test("a GET start has no body, and custom headers replace the usual ones", async () => {
  const { requests, context } = recorded();
  const headers = { Accept: new Secret("application/vnd.own+json"), Authorization: new Secret("Basic x") };
  const client = new RunPodClient(api({ method: "GET", headers, payload: { a: 1 } }));
  assert.deepEqual(client.plan(), {
    method: "GET",
    url: RUN,
    body: null,
    headers: ["accept", "authorization"],
  });
  await client.start(context);
  const [request] = requests;
  assert.deepEqual([request?.method, request?.hasBody], ["GET", false]);
  assert.equal(request?.headers.get("accept"), "application/vnd.own+json");
  assert.equal(request?.headers.get("authorization"), "Basic x");
});

Deno.test("the archive's host gets no header of the API; another port counts as another host", () => {
  const client = new RunPodClient(api({
    triggerUrl: "http://127.0.0.1:8000/v2/a/run",
    statusUrlTemplate: "http://127.0.0.1:8001/v2/a/status/{id}",
  }));
  assert.equal(client.credentialsFor("http://127.0.0.1:8002/models.zip"), undefined);
  assert.equal(client.credentialsFor("https://127.0.0.1:8000/models.zip"), undefined);
  assert.equal(client.credentialsFor("not an address"), undefined);
  assert.equal(client.credentialsFor("http://127.0.0.1:8001/x.zip")?.origin, "http://127.0.0.1:8001");
});

Deno.test("a start is repeated only if it certainly started no job", () => {
  const connect = new TypeError("fetch failed", {
    cause: new Error("error sending request for url (…): client error (Connect): tcp connect error: refused"),
  });
  const cutOff = new TypeError("fetch failed", {
    cause: new Error("client error (SendRequest): connection closed"),
  });
  for (const code of ["HTTP_400", "HTTP_404", "HTTP_422", "HTTP_429", "ADDRESS_INVALID", "PROXY_REFUSED"]) {
    assert.ok(!mayHaveStarted(new UnreachableError("x", { code })), code);
  }
  assert.ok(!mayHaveStarted(new AuthenticationError("x", { code: "HTTP_401" })));
  assert.ok(!mayHaveStarted(new TransientError("x", { code: "UNREACHABLE", cause: connect })));
  for (const code of ["HTTP_500", "HTTP_502", "HTTP_408", "HTTP_425", "TIMEOUT"]) {
    assert.ok(mayHaveStarted(new TransientError("x", { code })), code);
  }
  assert.ok(mayHaveStarted(new TransientError("x", { code: "UNREACHABLE", cause: cutOff })));
  assert.ok(mayHaveStarted(new UnreachableError("x", { code: "ANSWER_INVALID" })));
  assert.ok(mayHaveStarted(new FailedError("x", { code: "OTHER" })));
});

Deno.test("the runtime's error for a connection that was never made is recognised", async () => {
  const client = new RunPodClient(api({ triggerUrl: "http://127.0.0.1:2/v2/abc/run" }));
  await assert.rejects(client.start(testContext()), (error) => !mayHaveStarted(error));
});
