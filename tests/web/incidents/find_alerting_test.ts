import assert from "node:assert/strict";
import { ALERTS_VARIABLE } from "../../../web/incidents/alerting.ts";
import { findAlerting } from "../../../web/incidents/find_alerting.ts";
import { readAlertSettings } from "../../../web/incidents/read_alert_settings.ts";
import { ConfigError } from "../../../lib/config/config_error.ts";
import { fixedEnvironment, testContext } from "../../helpers/test_context.ts";

const YAML = `
webhook:
  url: https://hooks.example.com/model-sync
chat:
  - type: slack
    url_env: SLACK_WEBHOOK
`;

function read(text: string) {
  return readAlertSettings(fixedEnvironment({ [ALERTS_VARIABLE]: text }));
}

function complaintsOf(text: string): readonly string[] {
  try {
    read(text);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.complaints;
  }
}

Deno.test("a dashboard without a file reads its alerts from one variable of YAML or JSON, with or without the section's name", () => {
  const settings = read(YAML);
  assert.equal(settings.webhook.url, "https://hooks.example.com/model-sync");
  assert.equal(settings.webhook.secret_env, "ALERTS_SECRET");
  assert.deepEqual(settings.chat, [{ type: "slack", url_env: "SLACK_WEBHOOK" }]);
  const json = {
    webhook: { url: settings.webhook.url },
    chat: [{ type: "slack", url_env: "SLACK_WEBHOOK" }],
  };
  const indented = `alerts:${YAML.replaceAll("\n", "\n  ")}`;
  for (
    const text of [
      JSON.stringify(json),
      JSON.stringify({ alerts: json }),
      indented,
      `model_sync:\n  ${indented.replaceAll("\n", "\n  ")}`,
    ]
  ) {
    assert.deepEqual(read(text), settings, text);
  }
  assert.deepEqual(read(" \n").chat, []);
  assert.deepEqual(read("{}").chat, []);
});

Deno.test("an invalid setting is reported with the variable, the problem and a suggestion", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [
      "webhok: {}",
      /^MODEL_SYNC_DASHBOARD_ALERTS: model_sync\.alerts\.webhok is not a setting; did you mean "webhook"\?$/,
    ],
    [
      "email: { host: smtp.example.com, from: a@example.com }",
      /model_sync\.alerts\.email\.to: is needed to send mail$/,
    ],
    [
      "webhook: { url: 'file:///etc/passwd' }",
      /^MODEL_SYNC_DASHBOARD_ALERTS: model_sync\.alerts\.webhook\.url: /,
    ],
    ["[1, 2]", /^MODEL_SYNC_DASHBOARD_ALERTS: model_sync\.alerts: /],
    ["just words", /^MODEL_SYNC_DASHBOARD_ALERTS: model_sync\.alerts: /],
    ["{", /^MODEL_SYNC_DASHBOARD_ALERTS: /],
    ["a: &a [*a]", /^MODEL_SYNC_DASHBOARD_ALERTS: /],
    ["{}\n---\n{}", /more than one document$/],
    ["x".repeat(20_000), /has more than 16384 characters$/],
    [`${"a: ".repeat(5_000)}`, /^MODEL_SYNC_DASHBOARD_ALERTS: /],
  ];
  for (const [text, wanted] of cases) {
    assert.match(complaintsOf(text)[0] ?? "none", wanted, text.slice(0, 80));
  }
});

Deno.test("on Deno Deploy, only the production timeline sends alerts", async () => {
  const timelines = [
    [{}, true],
    [{ DENO_DEPLOY: "true", DENO_TIMELINE: "production" }, true],
    [{ DENO_TIMELINE: "production" }, true],
    [{ DENO_DEPLOY: "true", DENO_TIMELINE: "git-branch/production" }, false],
    [{ DENO_DEPLOY: "true", DENO_TIMELINE: "preview/abc" }, false],
    [{ DENO_TIMELINE: "git-branch/main" }, false],
    [{ DENO_DEPLOY: "true" }, false],
    [{ DENO_DEPLOY: "true", DENO_TIMELINE: "" }, false],
  ] as const;
  for (const [variables, isAlerting] of timelines) {
    const context = testContext({ env: fixedEnvironment({ [ALERTS_VARIABLE]: YAML, ...variables }) });
    assert.equal(await findAlerting(context) !== undefined, isAlerting, JSON.stringify(variables));
    if (!isAlerting) {
      assert.match(context.log.lines[0] ?? "", /^info no alerts are sent: .*production timeline/);
    }
  }
});

Deno.test("a dashboard with an invalid setting runs without alerts, and logs why without the secret in an address", async () => {
  const text =
    "chat: [{ type: slak, url: 'https://hooks.example.com/services/T0/B0/s3cretS3cret' }]\nto: you";
  const context = testContext({ env: fixedEnvironment({ [ALERTS_VARIABLE]: text }) });
  assert.equal(await findAlerting(context), undefined);
  assert.equal(context.log.lines.length, 2);
  for (const line of context.log.lines) {
    assert.match(line, /^error no alerts are sent: MODEL_SYNC_DASHBOARD_ALERTS: /);
  }
  assert.doesNotMatch(context.log.lines.join(), /s3cretS3cret/);
  for (const value of ["", " \n"]) {
    const blank = testContext({ env: fixedEnvironment({ [ALERTS_VARIABLE]: value }) });
    assert.equal(await findAlerting(blank), undefined);
    assert.deepEqual(blank.log.lines, []);
  }
  assert.equal(await findAlerting(testContext()), undefined);
});
