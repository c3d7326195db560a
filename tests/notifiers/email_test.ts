import assert from "node:assert/strict";
import { Alerts } from "../../lib/config/sections/alerts.ts";
import { startMailServer } from "../../fakes/mail_server.ts";
import { alertContext, alertOf, alerts, eventOf } from "../helpers/alert_world.ts";
import { NEW_DIGEST, OLD_DIGEST } from "../helpers/reload_world.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const ADDRESSES = { from: "Bot <bot@example.com>", to: ["you@example.com", "ops@example.com"] };

function mail(port: number, more: object = {}) {
  return alerts({ on: ["failed", "activated"], email: { host: "127.0.0.1", port, ...ADDRESSES, ...more } });
}

/** The parts of a message with their soft line ends joined. */
const unfold = (message: string | undefined) => message?.replace(/=\r?\n/g, "").replace(/=3D/g, "=") ?? "";

Deno.test("new models are mailed with their version, as text and as HTML", async () => {
  using dir = tempDir();
  await using server = await startMailServer();
  const context = alertContext();
  const { error: _error, ...activated } = eventOf({
    outcome: "activated",
    release: NEW_DIGEST,
    previous: OLD_DIGEST,
    sequence: 42,
    files: 12,
    changed: 3,
    bytes: 1_300_000_000,
  });
  await alertOf(context, mail(server.port), `${dir.path}/alerts`, activated);
  assert.deepEqual(context.log.lines, []);
  const message = unfold(server.messages[0]);
  assert.match(message, /^Subject: New models installed - version 2026-11-21T06:00:00Z\r?$/m);
  assert.match(message, /^From: Bot <bot@example\.com>\r?$/m);
  assert.match(message, /^To: you@example\.com, ops@example\.com\r?$/m);
  assert.match(message, /^Auto-Submitted: auto-generated\r?$/m);
  assert.match(message, /Content-Type: text\/plain[^]*Release: +0123456789ab, sequence 42\r?$/m);
  assert.match(message, /^Files: +12, 3 changed, 1\.2 GiB\r?$/m);
  assert.match(message, /Content-Type: text\/html[^]*<td>0123456789ab, sequence 42<\/td>/);
  assert.deepEqual(server.envelopes, ["anybody: bot@example.com to you@example.com,ops@example.com"]);
});

Deno.test("a failure is mailed with what failed and why, escaped in HTML and in one line of the subject", async () => {
  using dir = tempDir();
  await using server = await startMailServer();
  const event = eventOf({ host: "bot-1\r\nBcc: evil@example.com" });
  await alertOf(alertContext(), mail(server.port), `${dir.path}/alerts`, event);
  const message = unfold(server.messages[0]);
  assert.match(message, /^Subject: Model sync failed on bot-1/m);
  assert.doesNotMatch(message, /^Bcc:/m);
  assert.match(message, /Reason: +Cannot read <b>the branch<\/b> & more: example\.com did not answer/);
  assert.match(message, /<td>Cannot read &lt;b&gt;the branch&lt;\/b&gt; &amp; more:/);
});

Deno.test("with a user the mail client logs in, and a wrong password is a warning that does not show it", async () => {
  using dir = tempDir();
  await using server = await startMailServer({
    onAuth({ username, password }, _session, done) {
      if (username === "bot" && password === "s3cret") done(null, { user: username });
      else done(new Error(`wrong password ${password} for ${username}`));
    },
  });
  const settings = mail(server.port, { user: "bot", password_env: "SMTP_PASSWORD" });
  await alertOf(alertContext({ SMTP_PASSWORD: "s3cret" }), settings, `${dir.path}/1`, eventOf());
  assert.match(server.envelopes[0] ?? "", /^bot: /);
  const wrong = alertContext({ SMTP_PASSWORD: "wr0ng" });
  await alertOf(wrong, settings, `${dir.path}/2`, eventOf());
  assert.equal(server.messages.length, 1);
  assert.match(
    wrong.log.lines.join("\n"),
    /^warn cannot send the alert by e-mail: Cannot send mail by 127\.0\.0\.1:\d+: .*wrong password \[redacted\] for bot/,
  );
  const missing = alertContext();
  await alertOf(missing, settings, `${dir.path}/3.json`, eventOf());
  assert.deepEqual(missing.log.lines, [
    "warn cannot send the alert by e-mail: the variable SMTP_PASSWORD is not set",
  ]);
});

Deno.test("with a password, a server without login gets no mail", async () => {
  using dir = tempDir();
  await using server = await startMailServer({ disabledCommands: ["AUTH", "STARTTLS"] });
  const context = alertContext({ SMTP_PASSWORD: "s3cret" });
  const settings = mail(server.port, { user: "bot", password_env: "SMTP_PASSWORD" });
  await alertOf(context, settings, `${dir.path}/alerts`, eventOf());
  assert.equal(server.messages.length, 0);
  assert.equal(context.log.lines.length, 1);
});

Deno.test("a refused recipient is a warning, a deferred one is retried", async () => {
  using dir = tempDir();
  let attempts = 0;
  await using server = await startMailServer({
    onRcptTo({ address }, _session, done) {
      attempts++;
      if (address === "no@example.com") done(Object.assign(new Error("no such user"), { responseCode: 550 }));
      else if (attempts < 3) done(Object.assign(new Error("greylisted"), { responseCode: 451 }));
      else done();
    },
  });
  const later = alertContext();
  await alertOf(later, mail(server.port, { to: "you@example.com" }), `${dir.path}/1`, eventOf());
  assert.equal(server.messages.length, 1);
  assert.match(later.log.lines.join("\n"), /greylisted; trying again in/);
  const refused = alertContext();
  await alertOf(refused, mail(server.port, { to: "no@example.com" }), `${dir.path}/2`, eventOf());
  assert.equal(server.messages.length, 1);
  assert.equal(refused.log.lines.length, 1);
  assert.match(refused.log.lines[0] ?? "", /no such user/);
});

Deno.test("no password is sent without TLS to another machine", async () => {
  using dir = tempDir();
  let attempts = 0;
  await using server = await startMailServer({
    onAuth(_auth, _session, done) {
      attempts++;
      done(null, { user: "bot" });
    },
  });
  const context = alertContext({ SMTP_PASSWORD: "s3cret" });
  // The same machine by another name.
  const settings = mail(server.port, { host: "127.1", user: "bot", password_env: "SMTP_PASSWORD" });
  await alertOf(context, settings, `${dir.path}/alerts`, eventOf());
  assert.equal(attempts, 0);
  assert.equal(server.messages.length, 0);
  assert.match(context.log.lines.at(-1) ?? "", /STARTTLS/);
});

Deno.test("a missing or silent mail server costs no more than the time of alerts", async () => {
  using dir = tempDir();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const silent = alertContext();
  const sending = alertOf(silent, mail(listener.addr.port), `${dir.path}/1`, eventOf());
  using connection = await listener.accept();
  silent.clock.advance(30_000);
  await sending;
  assert.deepEqual(silent.log.lines, ["warn cannot send the alert by e-mail: it took longer than 30 s"]);
  assert.ok(connection.remoteAddr.transport === "tcp");
  listener.close();
  const gone = alertContext();
  await alertOf(gone, mail(1), `${dir.path}/2`, eventOf());
  assert.equal(gone.log.lines.length, 3);
  assert.match(gone.log.lines.at(-1) ?? "", /cannot send the alert by e-mail: .*ECONNREFUSED|refused/i);
});

Deno.test("the configuration of mail has the usual port, and names missing settings", () => {
  const settings = mail(587).email;
  assert.equal(settings.port, 587);
  assert.equal(alerts({}).email.host, undefined);
  for (
    const [wrong, path] of [
      [{ host: "smtp.example.com", to: "you@example.com" }, "email.from"],
      [{ host: "smtp.example.com", from: "you@example.com" }, "email.to"],
      [{ from: "a@example.com", to: "b@example.com" }, "email.host"],
      [{ host: "smtp.example.com", ...ADDRESSES, user: "bot" }, "email.password_env"],
      [{ host: "smtp.example.com", ...ADDRESSES, password_env: "X" }, "email.user"],
      [{ host: "smtp.example.com", ...ADDRESSES, password: "x" }, "email"],
      [{ host: "smtp.example.com", ...ADDRESSES, to: [] }, "email.to"],
      [{ host: "smtp.example.com", ...ADDRESSES, from: "a@example.com\r\nBcc: c@example.com" }, "email.from"],
    ] as const
  ) {
    const issues = Alerts.safeParse({ email: wrong }).error?.issues ?? [];
    assert.deepEqual(issues.map((issue) => issue.path.join(".")), [path], JSON.stringify(wrong));
  }
});
