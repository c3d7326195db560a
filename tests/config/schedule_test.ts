import assert from "node:assert/strict";
import { ConfigError } from "../../lib/config/config_error.ts";
import { ROLES, roleSchedule } from "../../lib/config/roles.ts";
import { loadText } from "../helpers/complete_settings.ts";

const SECTIONS = ["publisher", "client", "runpod_client", "artifacts", "huggingface_client", "references"];

async function complaintsOf(yaml: string, env: Readonly<Record<string, string>> = {}) {
  try {
    await loadText(yaml, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.complaints;
    throw error;
  }
  return [];
}

const client = (text: string) => `model_sync:\n  time_zone: UTC\n  client:\n    ${text}\n`;

Deno.test("every role's section accepts a list of times and the settings beside it", async () => {
  const timing =
    '{schedule: ["06:00", "0 18 * * mon-fri"], splay: 10m, catch_up: true, catch_up_within: 2h, ' +
    'deny: [{cron: "0 22 * * *", duration: 8h}]}';
  const sections = SECTIONS.map((section) => `  ${section}: ${timing}\n`).join("");
  const { settings } = await loadText(`model_sync:\n  time_zone: UTC\n${sections}`);
  for (const role of ROLES) {
    const schedule = roleSchedule(role, settings);
    assert.deepEqual(schedule.times, ["06:00", "0 18 * * mon-fri"]);
    assert.deepEqual([schedule.splayMs, schedule.catchUpMs], [600_000, 7_200_000]);
    assert.deepEqual(schedule.deny.map(({ durationMs }) => durationMs), [28_800_000]);
  }
});

Deno.test("a schedule from the environment is a text, JSON, or a list: semicolons, or commas between times of day", async () => {
  const read = async (text: string) =>
    (await loadText(client("splay: 0s"), { MODEL_SYNC_CLIENT_SCHEDULE: text })).settings.client.schedule;
  assert.equal(await read("06:00"), "06:00");
  assert.equal(await read("0 6,18 * * *"), "0 6,18 * * *");
  assert.deepEqual(await read("06:00,18:00"), ["06:00", "18:00"]);
  assert.deepEqual(await read("06:00; 0 6,18 * * *"), ["06:00", "0 6,18 * * *"]);
  assert.deepEqual(await read('["06:00", "0 6,18 * * *"]'), ["06:00", "0 6,18 * * *"]);
  const [complaint = ""] = await complaintsOf(client("splay: 0s"), {
    MODEL_SYNC_CLIENT_SCHEDULE: "06:00,25:00",
  });
  assert.match(
    complaint,
    /^MODEL_SYNC_CLIENT_SCHEDULE: model_sync\.client\.schedule\.1: "25:00" is neither a time/,
  );
});

Deno.test("an impossible schedule is one complaint with the setting and the reason", async () => {
  const cases: Readonly<Record<string, RegExp>> = {
    "schedule: []": /client\.schedule: must hold at least one time/,
    "schedule: 6": /client\.schedule: must be a time of day .* or a list of them/,
    'schedule: ["06:00", noon]': /client\.schedule\.1: "noon" is neither a time of day/,
    'schedule: "0 0 30 2 *"': /client\.schedule: "0 0 30 2 \*" names no day that ever comes/,
    "splay: 10": /client\.splay: must be a duration such as 90s/,
    "splay: ten": /client\.splay: "ten" is not a duration such as 90s, 15m, 2h or 1d/,
    "splay: 2d": /client\.splay: must be at most 1d/,
    "catch_up_within: -1h": /client\.catch_up_within: "-1h" is not a duration/,
    'deny: [{cron: "0 22 * * *"}]': /client\.deny\.0\.duration is missing/,
    "deny: [{cron: noon, duration: 1h}]": /client\.deny\.0\.cron: "noon" is neither/,
    'deny: [{cron: "0 22 * * *", duration: 0s}]': /client\.deny\.0\.duration: must be between 1m and 92d/,
    'deny: [{cron: "* * * * *", duration: 1h}]': /client\.deny: leaves no time to run/,
    'deny: [{cron: "* * * * *", duration: 1m}]': /client\.deny: leaves no time to run/,
    'deny: [{cron: "00:00", duration: 12h}, {cron: "0 12 * * *", duration: 12h}]':
      /client\.deny: leaves no time to run/,
    'deny: [{cron: "0 0 1 * *", duration: 31d}]': /client\.deny: leaves no time to run/,
  };
  for (const [text, complaint] of Object.entries(cases)) {
    const complaints = await complaintsOf(client(text));
    assert.equal(complaints.length, 1, `${text}: ${complaints.join(" | ")}`);
    assert.match(complaints[0] ?? "", complaint, text);
  }
});

Deno.test("long windows that leave a gap are accepted", async () => {
  for (const deny of ['[{cron: "0 0 1 12 *", duration: 40d}]', '[{cron: "0 1 * * *", duration: 23h}]']) {
    assert.deepEqual(await complaintsOf(client(`deny: ${deny}`)), [], deny);
  }
});
