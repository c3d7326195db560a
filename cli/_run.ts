import { join } from "node:path";
import { recordedRun, type RunReport, type Timed } from "../lib/pipeline/run.ts";
import { notify } from "../lib/notifiers/notify.ts";
import type { IntentRun } from "../lib/store/intent.ts";
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
    (record) =>
      notify(context, settings.alerts, join(store.root, "alerts.json"), {
        ...record,
        modelsDir: store.modelsDir,
      }),
  );
}
