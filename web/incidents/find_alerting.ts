import { messageOf } from "../../lib/core/errors.ts";
import type { Context } from "../../lib/core/context.ts";
import { type Alerting, ALERTS_VARIABLE } from "./alerting.ts";

/**
 * Returns where alerts go to by the environment; `undefined` where none go out. A dashboard with a wrong setting runs
 * without alerts, and logs each complaint. Once for a process is enough: its environment stays.
 */
export async function findAlerting(context: Context): Promise<Alerting | undefined> {
  if ((context.env.get(ALERTS_VARIABLE) ?? "").trim() === "") return undefined;
  const timeline = otherTimeline(context.env);
  if (timeline !== undefined) {
    context.log.info(
      `no alerts are sent: ${ALERTS_VARIABLE} applies only to the production timeline, and this is ${timeline}`,
    );
    return undefined;
  }
  // The configuration's schema takes 30 ms to load, which a cold start need not wait for.
  const { alertComplaints, readAlertSettings } = await import("./read_alert_settings.ts");
  try {
    return { context, settings: readAlertSettings(context.env) };
  } catch (error) {
    for (const complaint of alertComplaints(error) ?? [messageOf(error)]) {
      context.log.error(`no alerts are sent: ${complaint}`);
    }
    return undefined;
  }
}

/** Returns the timeline of Deno Deploy that this is; `undefined` for production, and where this is not Deno Deploy. */
function otherTimeline(env: Context["env"]): string | undefined {
  const timeline = env.get("DENO_TIMELINE");
  const isOnDeploy = timeline !== undefined || env.get("DENO_DEPLOY") !== undefined;
  if (!isOnDeploy || timeline === "production") return undefined;
  return timeline === undefined || timeline === "" ? "an unnamed one" : timeline;
}
