import assert from "node:assert/strict";
import { join } from "node:path";
import { Report } from "../../lib/config/sections/report.ts";
import { checkReporting } from "../../lib/doctor/report_checks.ts";
import { DashboardServer } from "../../fakes/dashboard_server.ts";
import { startRecordingHost } from "../../fakes/recording_host.ts";
import { readOnlyFs } from "../helpers/fake_fs.ts";
import { listing, tempDir } from "../helpers/temp_dir.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

async function checksOf(
  settings: object,
  env: Readonly<Record<string, string>> = {},
  replaced: Parameters<typeof testContext>[0] = {},
) {
  const context = testContext({ env: fixedEnvironment(env), ...replaced });
  const checks = await checkReporting(context, Report.parse(settings), {
    root: "/srv/bot/.model-sync",
    modelsDir: "/srv/bot/models",
  });
  assert.ok(checks.every(({ status, mend }) => status === "pass" || (mend ?? "") !== ""));
  return checks.map(({ name, status, detail, mend = "" }) =>
    `${status} ${name}: ${detail}${mend === "" ? "" : `; ${mend}`}`
  );
}

Deno.test("checkReporting() returns nothing where nothing is reported", async () => {
  assert.deepEqual(await checksOf({}), []);
});

Deno.test("checkReporting() sends the dashboard an empty batch with the token, and no report", async () => {
  await using dashboard = new DashboardServer();
  const [check = ""] = await checksOf({ url: dashboard.origin, token_env: "T" }, { T: dashboard.token });
  assert.match(
    check,
    /^pass report: 127\.0\.0\.1:\d+ accepts reports, with the token in T; an empty batch was sent/,
  );
  assert.deepEqual(dashboard.requests.map(({ path, body }) => [path, body]), [["/api/v1/events", "[]"]]);
  assert.equal(dashboard.events.size, 0);
});

Deno.test("checkReporting() distinguishes a wrong and a missing token, a page, a redirect and no answer", async () => {
  await using dashboard = new DashboardServer();
  const { origin } = dashboard;
  const check = async (url: string, token: string) =>
    (await checksOf({ url }, { MODEL_SYNC_REPORT_TOKEN: token }))[0];
  assert.match(
    await check(origin, "wr0ng") ?? "",
    /^fail report: .* answered 401: who\?; check MODEL_SYNC_REPORT_TOKEN/,
  );
  assert.doesNotMatch(await check(origin, "wr0ng") ?? "", /wr0ng/);
  assert.match(
    await check(origin, "") ?? "",
    /answered 401: who\?; set MODEL_SYNC_REPORT_TOKEN to this node's token/,
  );
  assert.match(
    await check(`${origin}/elsewhere`, dashboard.token) ?? "",
    /answered 404: no such page; check report\.url/,
  );
  dashboard.fault = () => new Response("<html>Sign in</html>");
  assert.match(
    await check(origin, dashboard.token) ?? "",
    /^fail report: .* not with the JSON of a dashboard/,
  );
  dashboard.fault = () => Response.redirect("https://login.example/", 307);
  assert.match(
    await check(origin, dashboard.token) ?? "",
    /^fail report: .* redirects to https:\/\/login\.example\//,
  );
  assert.match(await check("http://127.0.0.1:9", dashboard.token) ?? "", /^fail report: .* did not answer/);
});

Deno.test("checkReporting() warns of a dashboard without TLS, except on this machine", async () => {
  const http = () => Promise.resolve(new Response());
  const env = { MODEL_SYNC_REPORT_TOKEN: "t" };
  assert.deepEqual(await checksOf({ url: "http://models.example.com" }, env, { http }), [
    "warn report: models.example.com accepts reports, but without TLS: others can read them and the token; " +
    "set report.url to an https address",
  ]);
  for (const url of ["http://localhost:8080", "http://127.1.2.3", "http://[::1]:80"]) {
    assert.match((await checksOf({ url }, env, { http }))[0] ?? "", /^pass report: /, url);
  }
  for (const url of ["http://127.example.com", "http://localhost.example.com", "http://10.0.0.1"]) {
    assert.match((await checksOf({ url }, env, { http }))[0] ?? "", /^warn report: /, url);
  }
  assert.match(
    (await checksOf({ url: "https://models.example.com" }, {}, { http }))[0] ?? "",
    /without a token: MODEL/,
  );
});

Deno.test("checkReporting() reaches the monitor's server, and sends no ping", async () => {
  await using monitor = startRecordingHost(() => new Response("", { status: 405 }));
  const ping = { url_env: "PING" };
  const [check = ""] = await checksOf({ ping }, { PING: `${monitor.origin}/secret-uuid-1` });
  assert.match(check, /^pass ping: 127\.0\.0\.1:\d+ answers; no ping was sent to try it$/);
  assert.deepEqual(monitor.requests.map(({ method, path }) => [method, path]), [["HEAD", "/"]]);
  const [missing = ""] = await checksOf({ ping });
  assert.match(missing, /^fail ping: Cannot ping the monitor: the variable PING is not set; set PING in/);
});

Deno.test("checkReporting() says whether the metrics file can be written, and leaves nothing behind", async () => {
  using dir = tempDir();
  const metrics_file = join(dir.path, "a.prom");
  assert.deepEqual(await checksOf({ metrics_file }), [`pass metrics file: ${dir.path} is writable`]);
  assert.deepEqual(listing(dir.path), []);
  const [none = ""] = await checksOf({ metrics_file: join(dir.path, "none/a.prom") });
  assert.match(none, /^fail metrics file: .*none does not exist; create the folder that node_exporter reads/);
  const [readOnly = ""] = await checksOf({ metrics_file }, {}, { fs: readOnlyFs(Deno, "EROFS") });
  assert.match(readOnly, /^fail metrics file: .* is not writable: .*EROFS/);
  Deno.mkdirSync(metrics_file);
  assert.match((await checksOf({ metrics_file }))[0] ?? "", /a\.prom is a folder, not a file/);
});
