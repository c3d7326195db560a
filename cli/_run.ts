import { join } from "node:path";
import { recordedRun, type RunReport, type Timed } from "../lib/pipeline/run.ts";
import type { IntentRun } from "../lib/store/intent.ts";
import type { RunRecord } from "../lib/store/history.ts";
import type { AlertsSettings } from "../lib/config/sections/alerts.ts";
import type { Context } from "../lib/core/context.ts";
import type { Store } from "../lib/store/store.ts";
import type { Session } from "./_command.ts";
import type { CommandName } from "./_summaries.ts";

/** A recorded run whose outcome is told to whoever the configuration names. */
export async function runRecorded<Report extends RunReport>(
  { context, settings }: Session,
  store: Store,
  command: CommandName,
  work: (run: IntentRun) => Promise<Report>,
): Promise<Timed<Report>> {
  return await recordedRun(
    context,
    store,
    command,
    work,
    (record) => tell(context, settings.alerts, store, record),
  );
}

/** Who wants no alerts need not wait until their code is loaded. */
export async function tell(
  context: Context,
  alerts: AlertsSettings,
  store: Store,
  record: RunRecord,
): Promise<void> {
  const { email, webhook, chat } = alerts;
  if (email.host === undefined && webhook.url === undefined && chat.length === 0) return;
  const { notify } = await import("../lib/notifiers/notify.ts");
  await notify(context, alerts, join(store.root, "alerts.json"), { ...record, modelsDir: store.modelsDir });
}
