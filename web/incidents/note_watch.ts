import { compareAndSet } from "../store/commit.ts";
import { keys } from "../store/keys.ts";
import { WatchRow } from "../store/rows.ts";

/**
 * Nodes are judged every minute. After a longer time the dashboard was away, or its clock has jumped: heartbeats that it
 * missed itself say nothing of the nodes.
 */
const GAP_MS_MAX = 90_000;

/** Notes that the nodes are judged now. @returns since when that has been done without a pause, on any instance */
export async function noteWatch(kv: Deno.Kv, now: Date): Promise<WatchRow> {
  const at = now.toISOString();
  let watch: WatchRow = { at, resumedAt: at };
  await compareAndSet(async () => {
    const entry = await kv.get(keys.watch());
    const before = WatchRow.safeParse(entry.value).data;
    const gapMs = before === undefined ? Infinity : now.getTime() - Date.parse(before.at);
    const isUnbroken = before !== undefined && Math.abs(gapMs) <= GAP_MS_MAX;
    watch = { at, resumedAt: isUnbroken && before.resumedAt < at ? before.resumedAt : at };
    return { guards: [entry], operation: kv.atomic().set(keys.watch(), watch) };
  });
  return watch;
}
