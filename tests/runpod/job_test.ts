import assert from "node:assert/strict";
import { readJob } from "../../lib/runpod/job.ts";

Deno.test("readJob() finds id, status and address in all fields that the original read", () => {
  for (const name of ["id", "job_id", "requestId"]) assert.equal(readJob({ [name]: "a-1" }).id, "a-1", name);
  for (const name of ["status", "state"]) {
    assert.equal(readJob({ [name]: "running" }).status, "RUNNING", name);
  }
  for (const name of ["models_archive_url", "model_archive_url", "download_url"]) {
    assert.equal(readJob({ output: { [name]: "https://a.example" } }).archiveUrl, "https://a.example");
    assert.equal(readJob({ [name]: "https://a.example" }).archiveUrl, "https://a.example");
    assert.equal(readJob({ output: ["epoch 1", { [name]: "x" }] }).archiveUrl, undefined);
    assert.equal(readJob({ output: [{ [name]: "https://a.example" }] }).archiveUrl, "https://a.example");
  }
});

Deno.test("readJob() takes the first field with a value, and skips blank texts", () => {
  assert.equal(readJob({ id: " ", job_id: 12 }).id, "12");
  const job = readJob({
    output: { models_archive_url: "", download_url: "https://b" },
    download_url: "https://c",
  });
  assert.equal(job.archiveUrl, "https://b");
  assert.equal(readJob({ id: "x".repeat(201) }).id, undefined);
});

Deno.test("readJob() knows the documented states, and treats others as running", () => {
  const phases = {
    waiting: ["IN_QUEUE", "IN_PROGRESS", "RUNNING", "warming up"],
    succeeded: ["COMPLETED", "completed", "SUCCEEDED", "SUCCESS"],
    failed: ["FAILED", "ERROR", "CANCELED", "CANCELLED", "TIMED_OUT", "timeout"],
  };
  for (const [phase, states] of Object.entries(phases)) {
    for (const status of states) assert.equal(readJob({ status }).phase, phase, status);
  }
  assert.equal(readJob({}).phase, undefined);
});

Deno.test("readJob() extracts the message of RunPod's error, without stack trace and secrets", () => {
  const exception = JSON.stringify({
    error_type: "<class 'ValueError'>",
    error_message: "no candles\nfor BTC with https://x:hf_secret@host/",
    error_traceback: "Traceback: line 1",
    hostname: "h",
  });
  assert.equal(readJob({ error: exception }).error, "no candles for BTC with https://[redacted]@host/");
  assert.equal(readJob({ output: { error: "out of memory" } }).error, "out of memory");
  assert.equal(readJob({ error: "", message: "no worker" }).error, "no worker");
  assert.equal(readJob({ error: { error_message: "as an object" } }).error, "as an object");
  assert.equal(readJob({ error: { code: 7 } }).error, '{"code":7}');
  assert.equal(readJob({ error: "x".repeat(9_000) }).error?.length, 500);
  assert.equal(readJob({ error: null, output: { error: {} } }).error, undefined);
});

Deno.test("readJob() accepts any answer of an API", () => {
  for (
    const answer of [null, undefined, 7, "text", [], [{}], { output: "text" }, { __proto__: { id: "x" } }]
  ) {
    assert.deepEqual(readJob(answer), {
      id: undefined,
      status: undefined,
      phase: undefined,
      archiveUrl: undefined,
      error: undefined,
    });
  }
});
