import { messageOf } from "../../lib/core/errors.ts";
import type { Context } from "../../lib/core/context.ts";
import { type Alerting, ALERTS_VARIABLE } from "./alerting.ts";

/**
 * Returns the alert channels that the environment configures; `undefined` if no alerts are sent. With an invalid
 * setting, the dashboard runs without alerts and logs each problem. Call it once: the environment of a process does not
 * change.
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
  // Loaded here, because the configuration's schema takes 30 ms, which a cold start need not wait for.
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

/** Returns the timeline of Deno Deploy; `undefined` for production, and outside of Deno Deploy. */
function otherTimeline(env: Context["env"]): string | undefined {
  const timeline = env.get("DENO_TIMELINE");
  const isOnDeploy = timeline !== undefined || env.get("DENO_DEPLOY") !== undefined;
  if (!isOnDeploy || timeline === "production") return undefined;
  return timeline === undefined || timeline === "" ? "an unnamed one" : timeline;
}
