import { channelsOf } from "../../lib/notifiers/channels.ts";
import type { Dashboard } from "../dashboard.ts";

/** Returns how alerts go out, each way once, in words without addresses; empty where none do. */
export async function alertWays({ readAlerting }: Pick<Dashboard, "readAlerting">): Promise<string[]> {
  const alerting = await readAlerting();
  if (alerting === undefined) return [];
  const channels = channelsOf(alerting.context.env, alerting.settings);
  return [...new Set(channels.map(({ way }) => way))];
}
