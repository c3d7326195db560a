import assert from "node:assert/strict";
import { parseJsonPath } from "../../lib/core/json_path.ts";
import { type Reading, readJsonNumber } from "../../lib/canary/reading.ts";
import { sampleMetric, sampleMetrics } from "../../lib/canary/sample_metric.ts";
import { Canary, type CanaryMetric } from "../../lib/config/sections/canary.ts";
import type { Context } from "../../lib/core/context.ts";
import { InterruptedError } from "../../lib/core/errors.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

function metricOf(keys: Record<string, unknown>): CanaryMetric {
  const [metric] = Canary.parse({ metrics: [{ name: "win_rate", direction: "higher", ...keys }] }).metrics;
  assert.ok(metric !== undefined);
  return metric;
}

interface Server extends AsyncDisposable {
  readonly origin: string;
  readonly requests: { readonly url: URL; readonly authorization: string | null }[];
}

/** Answers every request alike. */
function startServer(answer: (request: Request) => Response | Promise<Response>): Server {
  const requests: Server["requests"] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    requests.push({ url: new URL(request.url), authorization: request.headers.get("authorization") });
    return answer(request);
  });
  return {
    origin: `http://127.0.0.1:${server.addr.port}`,
    requests,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** A clock on which no request times out by itself. */
const quietContext = (replaced: Partial<Context> = {}) =>
  testContext({ clock: new FakeClock("2026-11-21T00:00:00Z"), ...replaced });

const value = (value: number): Reading => ({ kind: "value", value });

function assertNoData(reading: Reading, reason: RegExp): void {
  assert.equal(reading.kind, "no-data");
  assert.match(reading.kind === "no-data" ? reading.reason : "", reason);
}

Deno.test("a path leads through objects and lists, with quoted names where needed", () => {
  for (
    const [path, steps] of [
      ["a", ["a"]],
      ["$.a.b_c-d[10].e", ["a", "b_c-d", 10, "e"]],
      ["[0][1]", [0, 1]],
      ["['BTC/USDC'].x", ["BTC/USDC", "x"]],
      ['a["q\\"u.o"]', ["a", 'q"u.o']],
    ] as const
  ) {
    assert.deepEqual(parseJsonPath(path), steps, path);
  }
  for (const path of ["", "$", ".a", "a.", "a..b", "a[", "a[-1]", "a[x]", "a b", "[0]a", '["\\q"]', "$a"]) {
    assert.equal(parseJsonPath(path), undefined, path);
  }
});

Deno.test("a number in JSON is a number, a text of a number, or Python's NaN and Infinity", () => {
  const json = '{"n": 0.61, "t": " -1.5e3 ", "nan": NaN, "inf": -Infinity, "quoted": "NaN \\" Infinity", ' +
    '"huge": 1e999, "null": null, "flag": true, "list": [7], "nested": {"NaN": 2}}';
  const read = (path: string) => readJsonNumber(json, path);
  assert.deepEqual(read("n"), value(0.61));
  assert.deepEqual(read("t"), value(-1500));
  assert.deepEqual(read("list[0]"), value(7));
  assert.deepEqual(read("nested.NaN"), value(2));
  for (const path of ["nan", "inf", "huge"]) assert.deepEqual(read(path), { kind: "nan" }, path);
  assertNoData(read("quoted"), /it is "NaN \\" Infinity", not a number/);
  assertNoData(read("null"), /it is null/);
  assertNoData(read("flag"), /it is a boolean/);
  assertNoData(read("list"), /it is a list/);
  assertNoData(read("list.length"), /it has nothing at "list.length"/);
  assertNoData(read("constructor"), /it has nothing at "constructor"/);
  assertNoData(readJsonNumber("0x10", undefined), /not a number/);
  assertNoData(readJsonNumber('\\"'.repeat(200_000) + "NaN", "a"), /it is not JSON/);
});

Deno.test("a metric over HTTP is the number at its path, and its request carries the token", async () => {
  await using server = startServer(() => Response.json({ bots: [{ win_rate: "0.61" }] }));
  const metric = metricOf({
    type: "http",
    url: `${server.origin}/stats?bot=1`,
    path: "bots[0].win_rate",
    token_env: "T",
  });
  const context = quietContext({ env: fixedEnvironment({ T: "s3cret" }) });
  assert.deepEqual(await sampleMetric(context, metric), value(0.61));
  assert.equal(server.requests[0]?.authorization, "Bearer s3cret");
  assert.equal(server.requests[0]?.url.search, "?bot=1");
  assertNoData(await sampleMetric(quietContext(), metric), /the variable T with the token is not set/);
  assert.equal(server.requests.length, 1);
});

Deno.test("a metric over HTTP without a path is the number that the whole response is", async () => {
  await using server = startServer(() => new Response("0.25\n"));
  assert.deepEqual(
    await sampleMetric(quietContext(), metricOf({ type: "http", url: server.origin })),
    value(0.25),
  );
});

Deno.test("a metric over HTTP that fails, returns a page, never ends or lacks the path has no data", async () => {
  const endless = () =>
    new Response(
      new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024).fill(0x31)) }),
    );
  for (
    const [answer, reason] of [
      [
        () => new Response("token s3cret-token-1 unknown", { status: 403 }),
        /answered 403: token \[redacted\] unknown/,
      ],
      [
        () => new Response("busy", { status: 503 }),
        /the metric win_rate: 127\.0\.0\.1:\d+ answered 503: busy/,
      ],
      [() => new Response("<html>log in</html>"), /it is not JSON/],
      [() => Response.json({ other: 1 }), /it has nothing at "win_rate"/],
      [
        () => new Response(null, { status: 302, headers: { location: "file:///etc/passwd" } }),
        /redirects to file:/,
      ],
      [endless, /the answer is longer than 1048576 bytes/],
    ] as const
  ) {
    await using server = startServer(answer);
    const metric = metricOf({ type: "http", url: server.origin, path: "win_rate", token_env: "T" });
    const context = quietContext({ env: fixedEnvironment({ T: "s3cret-token-1" }) });
    assertNoData(await sampleMetric(context, metric), reason);
  }
  const nowhere = metricOf({ type: "http", url: "http://127.0.0.1:2/" });
  assertNoData(await sampleMetric(quietContext(), nowhere), /did not answer \(.*refused/);
});

Deno.test("a metric over HTTP that hangs has no data after its time limit, and an aborted run ends at once", async () => {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  await using server = startServer(async () => {
    ask();
    await released;
    return new Response("late");
  });
  const metric = metricOf({ type: "http", url: server.origin });
  const clock = new FakeClock("2026-11-21T00:00:00Z");
  const sampling = sampleMetric(quietContext({ clock }), metric);
  await asked;
  clock.advance(30_000);
  assertNoData(await sampling, /no answer from 127\.0\.0\.1:\d+ in 30 s/);

  const stop = new AbortController();
  const aborted = sampleMetrics(quietContext({ signal: stop.signal }), [metric, {
    ...metric,
    name: "other",
  }]);
  stop.abort(new InterruptedError("stopped", { code: "INTERRUPTED" }));
  await assert.rejects(aborted, { code: "INTERRUPTED" });
  release();
});

Deno.test("a metric of Prometheus is the one number of its query", async () => {
  const results: Record<string, unknown> = {
    vector: { resultType: "vector", result: [{ metric: { bot: "1" }, value: [1435781451.781, "0.61"] }] },
    scalar: { resultType: "scalar", result: [1435781451.781, "3"] },
    nan: { resultType: "vector", result: [{ metric: {}, value: [1435781451, "NaN"] }] },
    inf: { resultType: "scalar", result: [1435781451, "+Inf"] },
    empty: { resultType: "vector", result: [] },
    two: { resultType: "vector", result: [{ metric: {}, value: [1, "1"] }, { metric: {}, value: [1, "2"] }] },
    histogram: { resultType: "vector", result: [{ metric: {}, histogram: [1, { count: "3" }] }] },
    range: { resultType: "matrix", result: [] },
    text: { resultType: "string", result: [1, "0.61"] },
  };
  await using server = startServer((request) => {
    const url = new URL(request.url);
    const data = results[url.searchParams.get("query") ?? ""];
    if (url.pathname !== "/prometheus/api/v1/query") return new Response("no", { status: 404 });
    if (data !== undefined) return Response.json({ status: "success", data, warnings: ["slow"] });
    return Response.json({ status: "error", errorType: "bad_data", error: "parse error" }, { status: 400 });
  });
  const sample = (query: string, base = `${server.origin}/prometheus/`) =>
    sampleMetric(quietContext(), metricOf({ type: "prometheus", url: base, query }));
  assert.deepEqual(await sample("vector"), value(0.61));
  assert.deepEqual(await sample("scalar"), value(3));
  assert.deepEqual([await sample("nan"), await sample("inf")], [{ kind: "nan" }, { kind: "nan" }]);
  assertNoData(await sample("empty"), /the query returns nothing/);
  assertNoData(await sample("two"), /the query returns 2 numbers instead of one/);
  assertNoData(await sample("histogram"), /histogram/);
  assertNoData(await sample("range"), /the query returns a matrix/);
  assertNoData(await sample("text"), /the query returns a string/);
  assertNoData(await sample("sum("), /answered 400: .*parse error/);
  assertNoData(await sample("vector", server.origin), /answered 404/);
});

Deno.test("a server that is not Prometheus gives no data", async () => {
  await using server = startServer(() => Response.json({ status: "success", data: { result: 1 } }));
  const metric = metricOf({ type: "prometheus", url: server.origin, query: "up" });
  assertNoData(await sampleMetric(quietContext(), metric), /the response is not Prometheus'/);
});

Deno.test("a metric in a file is its number, or the number at a path in its JSON", async () => {
  using dir = tempDir();
  writeFiles(dir.path, {
    "number": "0.61\n",
    "stats.json": '{"sharpe": {"30d": 1.2}}',
    "torn.json": '{"sharpe": ',
  });
  const sample = (path: string, query?: string) =>
    sampleMetric(quietContext(), metricOf({ type: "file", path, query }));
  assert.deepEqual(await sample(`${dir.path}/number`), value(0.61));
  assert.deepEqual(await sample(`${dir.path}/stats.json`, "sharpe.30d"), value(1.2));
  assertNoData(await sample(`${dir.path}/torn.json`, "sharpe"), /it is not JSON/);
  assertNoData(await sample(`${dir.path}/none`), /there is no file .*none/);
  assertNoData(await sample(dir.path), /is not a file/);
});

Deno.test("a file that is a pipe, too long, not text or not readable has no data", async () => {
  using dir = tempDir();
  Deno.writeFileSync(`${dir.path}/long`, new Uint8Array(1024 * 1024 + 1).fill(0x31));
  Deno.writeFileSync(`${dir.path}/binary`, Uint8Array.of(0xff, 0xfe));
  const sample = (path: string, context = quietContext()) =>
    sampleMetric(context, metricOf({ type: "file", path: `${dir.path}/${path}` }));
  assertNoData(await sample("long"), /is longer than 1048576 bytes/);
  assertNoData(await sample("binary"), /is not UTF-8/);
  if (Deno.build.os !== "windows") {
    assert.ok(new Deno.Command("mkfifo", { args: [`${dir.path}/pipe`] }).outputSync().success);
    assertNoData(await sample("pipe"), /is not a file/);
  }
  const denied = () => {
    throw new Deno.errors.NotCapable('Requires read access to "x"');
  };
  assertNoData(
    await sample("binary", quietContext({ fs: { ...Deno, openSync: denied } })),
    /Requires read access/,
  );
});

const shell = (script: string, keys: Record<string, unknown> = {}) =>
  metricOf({ type: "command", command: ["sh", "-c", script], ...keys });

Deno.test("a metric of a command is its last line, or a number at a path in JSON", async () => {
  const context = quietContext({ env: fixedEnvironment({ ...Deno.env.toObject(), RATE: "0.61" }) });
  assert.deepEqual(await sampleMetric(context, shell('echo reading; echo "$RATE"; echo')), value(0.61));
  const path = "a.b";
  assert.deepEqual(
    await sampleMetric(context, shell(`printf '{\\n"a":\\n{"b": 2}}\\n'`, { path })),
    value(2),
  );
  assert.deepEqual(
    await sampleMetric(context, shell(`echo log; echo '{"a": {"b": NaN}}'`, { path })),
    { kind: "nan" },
  );
  assertNoData(await sampleMetric(context, shell("true")), /it is "", not a number/);
});

Deno.test("a command that fails, is missing, prints without end or hangs has no data", async () => {
  const context = quietContext();
  const failing = shell("echo 0.61; echo 'no route to https://u:s3cret@db.example' >&2; exit 3");
  assertNoData(
    await sampleMetric(context, failing),
    /^the command ended with exit code 3: no route to https:\/\/\[redacted\]@db\.example$/,
  );
  const missing = metricOf({ type: "command", command: ["/nowhere/metric"] });
  assertNoData(await sampleMetric(context, missing), /no such program/);
  assertNoData(
    await sampleMetric(context, shell("exec sleep 61"), 50),
    /"the metric win_rate": no end after/,
  );
  assertNoData(await sampleMetric(context, shell("exec yes"), 200), /no end after/);
  using dir = tempDir();
  writeFiles(dir.path, { "plain": "echo 1" });
  const plain = metricOf({ type: "command", command: [`${dir.path}/plain`] });
  assertNoData(await sampleMetric(context, plain), /ermission denied/);
});
