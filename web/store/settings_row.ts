import { alwaysChanged, committed } from "./commit.ts";
import { keys } from "./keys.ts";
import { SettingsRow } from "./rows.ts";
import { sessionKeyOf } from "./session_key.ts";

/** Three months: charts show one. */
const RETENTION_DAYS_DEFAULT = 90;
/** A week contains the last weekly run. */
export const RETENTION_DAYS_MIN = 7;
/** Ten years. */
export const RETENTION_DAYS_MAX = 3_650;

const DEFAULTS: SettingsRow = { isPublic: false, retentionDays: RETENTION_DAYS_DEFAULT };

/** Attempts against operators who save at the same time. More conflicts have another cause. */
const ATTEMPTS_MAX = 10;

/** Returns the stored settings, or the defaults. */
export async function readSettings(kv: Deno.Kv): Promise<SettingsRow> {
  return settingsOf((await kv.get(keys.settings())).value);
}

/** Returns the settings and the session key in one read, because each request needs both. */
export async function readSettingsAndKey(
  kv: Deno.Kv,
): Promise<{ readonly settings: SettingsRow; readonly key: Uint8Array | undefined }> {
  const [settings, key] = await kv.getMany([keys.settings(), keys.sessionKey()]);
  return { settings: settingsOf(settings.value), key: sessionKeyOf(key.value) };
}

/** Changes settings. Concurrent changes of other settings are kept. */
export async function changeSettings(kv: Deno.Kv, change: Partial<SettingsRow>): Promise<SettingsRow> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const entry = await kv.get(keys.settings());
    const settings = { ...settingsOf(entry.value), ...change };
    if (await committed(kv.atomic().check(entry).set(keys.settings(), settings))) return settings;
  }
  throw alwaysChanged();
}

/** @throws ZodError for an unreadable row: continuing without its password would open the dashboard to everyone */
function settingsOf(value: unknown): SettingsRow {
  return value === null || value === undefined ? DEFAULTS : SettingsRow.parse(value);
}
