import assert from "node:assert/strict";
import { FailedError, UsageError } from "../../lib/core/errors.ts";
import { DaemonHealth } from "../../lib/daemon/daemon_health.ts";
import {
  type HealthServer,
  type HealthServerOptions,
  startHealthServer,
} from "../../lib/daemon/health_server.ts";
import { formatAddress, parseListenAddress } from "../../lib/daemon/listen_address.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { recordedLog } from "../helpers/test_context.ts";

const START = "2026-11-29T12:00:00Z";

function daemon(replaced: Partial<HealthServerOptions> = {}) {
  const clock = new FakeClock(START);
  const log = recordedLog();
  const health = new DaemonHealth(clock, ["client", "publisher"]);
  const server = startHealthServer({
    address: { hostname: "127.0.0.1", port: 0 },
    serve: (options, handler) => Deno.serve(options, handler),
    clock,
    log,
    health,
    renderMetrics: () => Promise.resolve("model_sync_up 1\n"),
    ...replaced,
  });
  return { clock, log, health, server, [Symbol.asyncDispose]: () => server.close() };
}

async function get(
  { address }: HealthServer,
  path: string,
  method = "GET",
  signal: AbortSignal | null = null,
) {
  const response = await fetch(`http://${formatAddress(address)}${path}`, { method, signal });
  return { response, status: response.status, body: await response.text() };
}

Deno.test("/healthz reports the last check, the run, the due time and the pause of each role", async () => {
  await using world = daemon();
  const { health, clock } = world;
  health.ticked("client");
  health.due("client", new Date("2026-11-30T05:00:00Z"));
  health.paused("client", new Date("2026-11-29T14:00:00Z"));
  clock.advance(1_000);
  health.ticked("publisher");
  health.began("publisher");
  const { response, status, body } = await get(world.server, "/healthz");
  assert.equal(status, 200);
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.deepEqual(JSON.parse(body), {
    alive: true,
    roles: {
      client: {
        alive: true,
        lastTick: "2026-11-29T12:00:00.000Z",
        runningSince: null,
        nextDue: "2026-11-30T05:00:00.000Z",
        paused: true,
        pausedUntil: "2026-11-29T14:00:00.000Z",
      },
      publisher: {
        alive: true,
        lastTick: "2026-11-29T12:00:01.000Z",
        runningSince: "2026-11-29T12:00:01.000Z",
        nextDue: null,
        paused: false,
        pausedUntil: null,
      },
    },
  });
});

Deno.test("/healthz answers 503 while a loop is stuck", async () => {
  await using world = daemon();
  world.health.began("publisher");
  world.clock.advance(10 * 60_000);
  const { status, body } = await get(world.server, "/healthz");
  assert.equal(status, 503);
  const { alive, roles } = JSON.parse(body);
  assert.deepEqual([alive, roles.client.alive, roles.publisher.alive], [false, false, true]);
});

Deno.test("/metrics returns the rendered metrics in Prometheus' text format", async () => {
  await using world = daemon();
  const { response, status, body } = await get(world.server, "/metrics?x=1");
  assert.equal(status, 200);
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.equal(body, "model_sync_up 1\n");
});

Deno.test("metrics that cannot be read are answered with 503, and only the log has the reason", async () => {
  for (
    const renderMetrics of [
      () => Promise.reject(new Error("secret place")),
      () => {
        throw new Error("secret place");
      },
    ]
  ) {
    await using world = daemon({ renderMetrics });
    for (let time = 0; time < 2; time++) {
      const { status, body } = await get(world.server, "/metrics");
      assert.equal(status, 503);
      assert.doesNotMatch(body, /secret/);
    }
    assert.deepEqual(world.log.lines.slice(1), ["warn cannot serve the metrics: secret place"]);
  }
});

Deno.test("metrics that take too long are answered with 503, and the next request gets them", async () => {
  const rendering = Promise.withResolvers<string>();
  const asked = Promise.withResolvers<void>();
  const clock = new FakeClock(START);
  await using world = daemon({
    clock,
    renderMetrics: () => {
      asked.resolve();
      return rendering.promise;
    },
  });
  const late = get(world.server, "/metrics");
  await asked.promise;
  clock.advance(10_000);
  assert.equal((await late).status, 503);
  const next = get(world.server, "/metrics");
  rendering.resolve("model_sync_up 1\n");
  assert.equal((await next).status, 200);
});

Deno.test("HEAD returns only headers; other methods get 405, other paths 404", async () => {
  await using world = daemon();
  for (const path of ["/healthz", "/metrics"]) {
    const { status, response, body } = await get(world.server, path, "HEAD");
    assert.deepEqual([status, body], [200, ""]);
    assert.ok(response.headers.get("content-type"));
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const refused = await get(world.server, path, method);
      assert.deepEqual([refused.status, refused.response.headers.get("allow")], [405, "GET, HEAD"]);
    }
  }
  for (const path of ["/", "/healthz/", "/metrics/x", "/__proto__", "/constructor", "/%2fhealthz"]) {
    assert.equal((await get(world.server, path)).status, 404, path);
  }
});

Deno.test("a request with an invalid Host header gets 400, and nothing is logged", async () => {
  await using world = daemon();
  const { hostname, port } = world.server.address;
  using connection = await Deno.connect({ hostname, port });
  await connection.write(new TextEncoder().encode("GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n"));
  const answer = new Uint8Array(1_000);
  const length = await connection.read(answer) ?? 0;
  assert.match(new TextDecoder().decode(answer.subarray(0, length)), /^HTTP\/1\.1 400 /);
  assert.equal(world.log.lines.length, 1);
});

Deno.test("nothing answers on the port of a closed server, and its connections are closed", async () => {
  // Its own address: on the usual one, another test may use the port at once.
  const hostname = Deno.build.os === "linux" ? "127.0.0.77" : "127.0.0.1";
  const world = daemon({ renderMetrics: () => new Promise(() => {}), address: { hostname, port: 0 } });
  const open = get(world.server, "/metrics");
  open.catch(() => {});
  await get(world.server, "/healthz");
  await world.server.close();
  await assert.rejects(open);
  // Not by listening again: a program that a test starts at this moment holds the port until it runs.
  await assert.rejects(get(world.server, "/healthz", "GET", AbortSignal.timeout(30_000)), TypeError);
});

Deno.test("a used port and an address of another machine are one clear line each", () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  assert.throws(() => daemon({ address: { hostname: "127.0.0.1", port: taken.addr.port } }), (error) => {
    assert.ok(error instanceof FailedError);
    assert.equal(error.exitCode, 1);
    assert.match(error.message, /^Cannot listen on 127\.0\.0\.1:\d+: another program uses the port$/);
    return true;
  });
  for (const hostname of ["192.0.2.1", "no-such-host.invalid"]) {
    assert.throws(() => daemon({ address: { hostname, port: 0 } }), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, new RegExp(`^Cannot listen on ${hostname}:0: `));
      return true;
    });
  }
});

Deno.test("a server that the network reaches is logged as open, one on loopback is not", async () => {
  for (const [hostname, isOpen] of [["0.0.0.0", true], ["127.0.0.1", false], ["localhost", false]] as const) {
    await using world = daemon({ address: { hostname, port: 0 } });
    assert.equal(/warn .*open to the network/.test(world.log.lines.join("\n")), isOpen, hostname);
    assert.match(world.log.lines[0] ?? "", /^info health server listens on http:\/\/[\d.:[\]]+: /);
  }
});

Deno.test("parseListenAddress() accepts a host and a port, and names a text that is not", () => {
  const good = {
    "127.0.0.1:9464": ["127.0.0.1", 9464],
    "[::1]:0": ["::1", 0],
    "localhost:65535": ["localhost", 65_535],
  };
  for (const [text, [hostname, port]] of Object.entries(good)) {
    assert.deepEqual(parseListenAddress(text, "--health-listen"), { hostname, port });
  }
  for (
    const text of [
      "",
      "9464",
      ":9464",
      "127.0.0.1",
      "127.0.0.1:",
      "::1:9464",
      "host:65536",
      "host:-1",
      "a b:1",
    ]
  ) {
    assert.throws(() => parseListenAddress(text, "--health-listen"), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /is not a host and a port/);
      return true;
    });
  }
});
