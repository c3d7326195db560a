import assert from "node:assert/strict";
import { addresses } from "../../../web/shared/addresses.ts";
import { apiWorld } from "../../helpers/api_world.ts";
import * as events from "../../helpers/web_events.ts";

/** Texts that a node may send in any text field. */
const HOSTILE: Readonly<Record<string, string>> = {
  "half of a surrogate pair": "run-\ud800",
  "the other half": "\udc00run",
  "a control character": "a\u0000b\u001b[2Jc",
  "another direction": "bot-\u202esirap",
  "markup": `"'><script>alert(1)</script>`,
  "a name of JavaScript's own": "__proto__",
  "an address that runs": "javascript:alert(1)",
  "an address elsewhere": "//example.org/x",
  "parts of a path": "../../settings",
  "broken escapes": "%ff%00%",
  "a long text": "x".repeat(255),
};

Deno.test("any text of a node is shown on every page and answer, and never as markup or a link", async () => {
  for (const [what, text] of Object.entries(HOSTILE)) {
    await using world = await apiWorld();
    const secret = await world.token("bot-1");
    const batch = [
      events.failed("bot-1", {
        runId: text,
        command: text,
        carrier: text,
        revision: text,
        signer: text,
        host: text,
        error: { code: text, message: text, hint: text },
        log: [text],
        steps: [{ name: text, startMs: 0, durationMs: 1 }],
      }),
      events.activated("bot-1", 2, { runId: `2 ${text}`.slice(0, 255), outcome: "activated" }),
      events.started("bot-1", { runId: `3 ${text}`.slice(0, 255), startedAt: "2026-11-29T06:59:00.000Z" }),
      events.published("bot-1", 2, { carrier: text, revision: text, signer: text, files: [] }),
      events.pullRequest("bot-1", { repository: text, url: text, outcome: text }),
      events.heartbeat("bot-1", {
        host: text,
        version: text,
        configFingerprint: text,
        time: "2026-11-29T06:59:50.000Z",
        status: {
          modelsDir: text,
          modelFolderFault: text,
          activatedAt: text,
          canary: events.canary(2, { status: text, reason: text, startedAt: text, runId: text }),
          quarantine: [{ digest: events.digestOfRelease(3), sequence: 3, reason: text, at: text }],
          schedules: { client: events.schedule({ times: [text], timeZone: text }) },
          running: [{
            runId: `4 ${text}`.slice(0, 255),
            command: text,
            startedAt: events.EVENT_TIME,
            step: text,
          }],
        },
      }),
    ];
    const taken = await world.post(secret, batch);
    assert.deepEqual(await taken.json(), { accepted: batch.length, unknownTypes: 0, invalid: 0 }, what);
    const paths = [
      ...[
        "/",
        "/news",
        "/releases",
        "/pull-requests",
        "/incidents",
        "/incidents.atom",
        "/settings",
        "/metrics",
      ],
      ...["/status.json", "/api/v1/fleet", "/nodes/bot-1", "/api/v1/nodes/bot-1", "/badge/bot-1.svg"],
      ...[1, 2, 3].flatMap((number) => {
        const digest = events.digestOfRelease(number);
        return [addresses.release(digest), `/api/v1${addresses.release(digest)}`];
      }),
      ...["", "2 ", "3 ", "4 "].flatMap((prefix) => {
        const run = addresses.run(`${prefix}${text}`.slice(0, 255), "bot-1");
        return [run, `/api/v1${run}`];
      }),
    ];
    const run = await world.send(`/api/v1${addresses.run(text, "bot-1")}`);
    assert.equal((await run.json()).run?.runId, text.toWellFormed(), what);
    for (const path of paths) {
      const response = await world.send(path);
      const page = await response.text();
      assert.ok(response.status < 500, `${what}: ${path}\n${world.log.lines.join("\n")}`);
      const isMarkup = response.headers.get("content-type")?.startsWith("application/json") === false;
      assert.ok(!isMarkup || !/<script>|href="(javascript:|\/\/)/.test(page), `${what}: ${path}`);
    }
  }
});
