import type { RunReport, Timed } from "../lib/pipeline/run.ts";
import { makeControlLock } from "../lib/store/control_lock.ts";
import type { Store } from "../lib/store/store.ts";
import type { Session } from "./_command.ts";
import { runRecorded } from "./_run.ts";
import type { CommandName } from "./_summaries.ts";

/** A recorded run of a command that acts on a daemon's roles: it waits for no other run, and works on a full disk. */
export async function runControl<Report extends RunReport>(
  session: Session,
  store: Store,
  command: CommandName,
  work: () => Report,
): Promise<Timed<Report>> {
  return await runRecorded(session, store, command, () => Promise.resolve(work()), {
    lock: "control",
    prepare: () => Promise.resolve(makeControlLock(store)),
  });
}
