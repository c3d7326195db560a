import assert from "node:assert/strict";
import { checkAlerts } from "../../lib/doctor/report_checks.ts";
import { startMailServer } from "../../fakes/mail_server.ts";
import { alerts } from "../helpers/alert_world.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

async function checksOf(written: object, env: Readonly<Record<string, string>> = {}) {
  const checks = await checkAlerts(testContext({ env: fixedEnvironment(env) }), alerts(written));
  assert.ok(checks.every(({ status, mend }) => status === "pass" || (mend ?? "") !== ""));
  return checks.map(({ name, status, detail }) => `${status} ${name}: ${detail}`);
}

Deno.test("checkAlerts() returns nothing without channels", async () => {
  assert.deepEqual(await checksOf({}), []);
});

Deno.test("checkAlerts() logs in at the mail server, and sends no mail", async () => {
  await using server = await startMailServer({
    onAuth({ username, password }, _session, done) {
      if (username === "bot" && password === "s3cret") done(null, { user: username });
      else done(new Error("go away"));
    },
  });
  const address = { host: "127.0.0.1", port: server.port, from: "bot@example.com", to: "you@example.com" };
  const email = { ...address, user: "bot", password_env: "PW" };
  assert.deepEqual(await checksOf({ email }, { PW: "s3cret" }), [
    `pass alerts: mail by 127.0.0.1:${server.port}: the server accepts bot; no mail was sent to try it`,
  ]);
  const [wrong = ""] = await checksOf({ email }, { PW: "wr0ng" });
  assert.match(wrong, /^fail alerts: Cannot send mail by 127\.0\.0\.1:\d+: .*go away/);
  assert.doesNotMatch(wrong, /wr0ng/);
  assert.deepEqual(await checksOf({ email }), ["fail alerts: the variable PW is not set"]);
  assert.deepEqual(server.messages, []);
});

Deno.test("checkAlerts() names a mail server that does not answer", async () => {
  // No server listens on port 1. A free port could be used by another test meanwhile.
  const email = { host: "127.0.0.1", port: 1, from: "bot@example.com", to: "you@example.com" };
  const [away = ""] = await checksOf({ email });
  assert.match(away, /^fail alerts: Cannot send mail by 127\.0\.0\.1:1: .*ECONNREFUSED/);
});

Deno.test("checkAlerts() reaches webhooks and channels without posting, and shows no address", async () => {
  const asked: string[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    asked.push(`${request.method} ${new URL(request.url).pathname}`);
    return new Response(null, { status: 404 });
  });
  const host = `127.0.0.1:${server.addr.port}`;
  const written = {
    webhook: { url: `http://${host}/hook` },
    chat: [{ type: "slack", url_env: "SLACK" }, { type: "discord", url_env: "DISCORD" }],
  };
  const env = { ALERTS_SECRET: "s", SLACK: `http://${host}/services/T0/B0/token` };
  assert.deepEqual(await checksOf(written, env), [
    `pass alerts: webhook: ${host} answers; nothing was posted to try it`,
    `pass alerts: slack: ${host} answers; nothing was posted to try it`,
    "fail alerts: the variable DISCORD is not set",
  ]);
  assert.deepEqual(asked, ["HEAD /", "HEAD /"]);
  const [webhook, slack] = await checksOf(written, { SLACK: "not an address" });
  assert.equal(webhook, "fail alerts: the variable ALERTS_SECRET is not set");
  assert.equal(slack, "fail alerts: the value of SLACK is not an http address");
});
