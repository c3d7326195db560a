import assert from "node:assert/strict";
import { Redeploy } from "../../lib/config/sections/redeploy.ts";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { Secret } from "../../lib/core/secret.ts";
import { type DeployTarget, deployTargets } from "../../lib/redeploy/deploy_targets.ts";
import { triggerDeploy } from "../../lib/redeploy/trigger_deploy.ts";
import { waitForRelease, type WaitOptions } from "../../lib/redeploy/wait_for_release.ts";
import { startRecordingHost } from "../../fakes/recording_host.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}` as const;

/** Longer than what passes at once on the clock of these tests. */
const REQUEST_MS = 24 * 3_600_000;

const quickContext = () => testContext({ clock: new QuickClock("2026-11-21T00:00:00Z") });

Deno.test("deployTargets() returns the configured hooks, else those whose usual variables are set", () => {
  const env = fixedEnvironment({
    RENDER_DEPLOY_HOOK: "https://api.render.com/deploy/srv-1?key=a",
    MY_HOOK: "https://hooks.example/b",
    VERCEL_DEPLOY_HOOK: "",
  });
  assert.deepEqual(deployTargets([], env).map(({ type }) => type), ["render"]);
  const { hooks } = Redeploy.parse({ hooks: [{ type: "generic", url_env: "MY_HOOK", method: "GET" }] });
  const [target] = deployTargets(hooks, env);
  assert.ok(target?.kind === "hook");
  assert.deepEqual([target.url.reveal(), target.method], ["https://hooks.example/b", "GET"]);
});

Deno.test("deployTargets() names a variable that is missing or not an address, and never shows its value", () => {
  assert.throws(() => deployTargets([], fixedEnvironment({})), { code: "HOOKS_UNSET", exitCode: 2 });
  const { hooks } = Redeploy.parse({ hooks: [{ type: "vercel" }] });
  assert.throws(() => deployTargets(hooks, fixedEnvironment({})), (error) => {
    assert.ok(error instanceof ModelSyncError);
    assert.match(error.message, /VERCEL_DEPLOY_HOOK/);
    return error.exitCode === 3;
  });
  assert.throws(() => deployTargets([], fixedEnvironment({ DEPLOY_HOOK: "s3cret" })), (error) => {
    assert.ok(error instanceof ModelSyncError);
    assert.doesNotMatch(error.message, /s3cret/);
    return error.exitCode === 2;
  });
});

function hookAt(url: string): DeployTarget {
  return { kind: "hook", type: "vercel", url: new Secret(url), method: "POST" };
}

Deno.test("triggerDeploy() posts to a hook and returns the host's id of the deployment", async () => {
  await using host = startRecordingHost(
    () => Response.json({ job: { id: "okzC", state: "PENDING" } }),
    () => Response.json({ deploy: { id: "dep-1" } }),
    () => new Response("OK"),
  );
  const ids: (string | undefined)[] = [];
  for (let count = 0; count < 3; count++) {
    ids.push((await triggerDeploy(quickContext(), hookAt(`${host.origin}/prj_1/s3cret`), REQUEST_MS)).id);
  }
  assert.deepEqual(ids, ["okzC", "dep-1", undefined]);
  assert.deepEqual(
    host.requests.map(({ method, path }) => `${method} ${path}`),
    Array(3).fill("POST /prj_1/s3cret"),
  );
});

Deno.test("triggerDeploy() fails where the host refuses, and does not show the hook's address", async () => {
  await using host = startRecordingHost(() => new Response("no such hook: /prj_1/s3cret", { status: 404 }));
  await assert.rejects(
    triggerDeploy(quickContext(), hookAt(`${host.origin}/prj_1/s3cret?key=k1`), REQUEST_MS),
    (error) => {
      assert.ok(error instanceof ModelSyncError);
      assert.match(
        error.message,
        /vercel deploy hook: 127\.0\.0\.1:\d+ answered 404: no such hook: \[redacted\]/,
      );
      return error.exitCode === 4;
    },
  );
  assert.equal(host.requests.length, 1);
});

Deno.test("triggerDeploy() shows no part of a hook's address that its host repeats", async () => {
  const said = "no key k1-s3cret-1 for srv-1s3cret in /deploy/srv-1s3cret?key=k1-s3cret-1";
  await using host = startRecordingHost(
    () => new Response(said, { status: 400 }),
    () => Response.json({ id: "https://host.example/deploy/srv-1s3cret\u001b[2J" }),
  );
  const hook = hookAt(`${host.origin}/deploy/srv-1s3cret?key=k1-s3cret-1`);
  await assert.rejects(triggerDeploy(quickContext(), hook, REQUEST_MS), (error) => {
    assert.ok(error instanceof ModelSyncError);
    assert.match(
      error.message,
      /answered 400: no key \[redacted\] for \[redacted\] in \[redacted\]\?key=\[redacted\]$/,
    );
    return true;
  });
  assert.equal((await triggerDeploy(quickContext(), hook, REQUEST_MS)).id, undefined);
});

Deno.test("triggerDeploy() does not take an HTML page for a started deployment", async () => {
  const page = () => new Response("<html>log in</html>", { headers: { "content-type": "text/html" } });
  await using host = startRecordingHost(page);
  await assert.rejects(triggerDeploy(quickContext(), hookAt(`${host.origin}/x`), REQUEST_MS), {
    code: "DEPLOY_REFUSED",
    exitCode: 1,
  });
});

Deno.test("triggerDeploy() retries a passing fault", async () => {
  await using host = startRecordingHost(
    () => new Response("busy", { status: 503 }),
    () => new Response("OK"),
  );
  await triggerDeploy(quickContext(), hookAt(`${host.origin}/x`), REQUEST_MS);
  assert.equal(host.requests.length, 2);
});

Deno.test("triggerDeploy() starts a service through Railway's API, with either kind of token", async () => {
  await using host = startRecordingHost(() => Response.json({ data: { serviceInstanceRedeploy: true } }));
  const { hooks } = Redeploy.parse({
    hooks: [{ type: "railway-api", service_id: "svc", environment_id: "env" }],
  });
  for (
    const [variable, header, value] of [
      ["RAILWAY_TOKEN", "project-access-token", "t1"],
      ["RAILWAY_API_TOKEN", "authorization", "Bearer t1"],
    ] as const
  ) {
    const [target] = deployTargets(
      hooks,
      fixedEnvironment({ [variable]: "t1", RAILWAY_API_URL: `${host.origin}/graphql/v2` }),
    );
    assert.ok(target !== undefined);
    await triggerDeploy(quickContext(), target, REQUEST_MS);
    assert.equal(host.requests.at(-1)?.headers.get(header), value);
  }
  const body: unknown = JSON.parse(host.requests[0]?.body ?? "");
  assert.ok(typeof body === "object" && body !== null && "variables" in body);
  assert.deepEqual(body.variables, { serviceId: "svc", environmentId: "env" });
});

Deno.test("triggerDeploy() fails when Railway refuses with status 200", async () => {
  await using host = startRecordingHost(() =>
    Response.json({ errors: [{ message: "Not Authorized" }], data: null })
  );
  const { hooks } = Redeploy.parse({
    hooks: [{ type: "railway-api", service_id: "svc", environment_id: "env" }],
  });
  const [target] = deployTargets(
    hooks,
    fixedEnvironment({ RAILWAY_TOKEN: "t1", RAILWAY_API_URL: host.origin }),
  );
  assert.ok(target !== undefined);
  await assert.rejects(triggerDeploy(quickContext(), target, REQUEST_MS), {
    code: "DEPLOY_REFUSED",
    exitCode: 1,
  });
});

function waitingAt(url: string, changed: Partial<WaitOptions> = {}): WaitOptions {
  return {
    url,
    token: undefined,
    field: undefined,
    timeoutMs: 900_000,
    pollMs: 10_000,
    requestTimeoutMs: REQUEST_MS,
    ...changed,
  };
}

Deno.test("waitForRelease() waits through whatever a starting backend answers", async () => {
  await using host = startRecordingHost(
    () => Response.json({ status: "online", release: "sha256:aaaa" }),
    () => new Response("<html>Bad gateway</html>", { status: 502 }),
    () => Response.json({ status: "starting" }),
    () => Response.json({ status: "online", release: DIGEST }),
  );
  const context = quickContext();
  assert.equal(await waitForRelease(context, DIGEST, waitingAt(`${host.origin}/health`)), 30_000);
  assert.match(
    context.log.lines.join("\n"),
    /reports "sha256:aaaa"[^]*answered 502[^]*answers without "release", "digest"/,
  );
});

Deno.test("waitForRelease() accepts a whole or shortened digest from the configured field, and sends the token", async () => {
  const shown = { model: { version: DIGEST.slice("sha256:".length, "sha256:".length + 12) } };
  await using host = startRecordingHost(() => Response.json(shown));
  const options = waitingAt(host.origin, { field: "model.version", token: new Secret("t1") });
  assert.equal(await waitForRelease(quickContext(), DIGEST, options), 0);
  assert.equal(host.requests[0]?.headers.get("authorization"), "Bearer t1");
  await using other = startRecordingHost(() =>
    Response.json({ release: DIGEST.slice("sha256:".length, "sha256:".length + 8) })
  );
  await assert.rejects(waitForRelease(quickContext(), DIGEST, waitingAt(other.origin)), {
    code: "RELEASE_NOT_SERVED",
  });
});

Deno.test("waitForRelease() fails at the end of its time, and says what the backend reported", async () => {
  await using host = startRecordingHost(() => Response.json({ digest: "sha256:old" }));
  await assert.rejects(
    waitForRelease(quickContext(), DIGEST, waitingAt(host.origin, { timeoutMs: 60_000 })),
    (error) => {
      assert.ok(error instanceof ModelSyncError);
      assert.match(
        error.message,
        /Cannot see release 0123456789ab at 127\.0\.0\.1:\d+ after 60 s: the backend reports "sha256:old"/,
      );
      return error.exitCode === 1;
    },
  );
  assert.equal(host.requests.length, 7);
});
