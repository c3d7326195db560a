import type { Context } from "../../lib/core/context.ts";
import { ConfigError } from "../../lib/config/load.ts";
import { messageOf } from "../../lib/core/errors.ts";
import type { Alerting } from "./alerting.ts";
import { ALERTS_VARIABLE, readAlertSettings } from "./read_alert_settings.ts";

/**
 * Returns where alerts go to by the environment; `undefined` where none go out. A dashboard with a wrong setting runs
 * without alerts, and logs each complaint.
 */
export function findAlerting(context: Context): Alerting | undefined {
  try {
    const settings = readAlertSettings(context.env);
    if (settings === undefined) return undefined;
    const timeline = otherTimeline(context.env);
    if (timeline === undefined) return { context, settings };
    context.log.info(`no alert goes out: ${timeline}`);
  } catch (error) {
    const complaints = error instanceof ConfigError ? error.complaints : [messageOf(error)];
    for (const complaint of complaints) context.log.error(`no alert goes out: ${complaint}`);
  }
  return undefined;
}

/** Why this is not the dashboard that people rely on, on Deno Deploy. */
function otherTimeline(env: Context["env"]): string | undefined {
  const timeline = env.get("DENO_TIMELINE");
  const isOnDeploy = timeline !== undefined || env.get("DENO_DEPLOY") !== undefined;
  if (!isOnDeploy || timeline === "production") return undefined;
  return `${ALERTS_VARIABLE} counts on the production timeline alone, and this is ${
    timeline ?? "an unnamed one"
  }`;
}
