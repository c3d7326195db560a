import { join } from "node:path";
import { type Safeguards, safeguardsOf } from "../../lib/pipeline/safeguards.ts";
import { ModelSync } from "../../lib/config/schema.ts";

/** The file with the metric of the bot, and a model that its consumer cannot load. */
export const METRIC = "win_rate";
export const UNLOADABLE = "unloadable.bin";

/** A validate_command, a consumer that writes down its notifications, and a canary. */
export function guards(root: string): Safeguards {
  const script =
    `echo "$MODEL_SYNC_EVENT $MODEL_SYNC_DIGEST" >> "$0"; ! test -e "$MODEL_SYNC_RELEASE_DIR/${UNLOADABLE}"`;
  return safeguardsOf(ModelSync.parse({
    activation: {
      validate: { validate_command: ["sh", "-c", "exit 0"] },
      reload: [{ type: "command", command: ["sh", "-c", script, join(root, "news")], retries: 0 }],
      canary: {
        duration_minutes: 30,
        metrics: [{ name: "win_rate", type: "file", path: join(root, METRIC), direction: "higher" }],
      },
    },
  }));
}

/** Returns the notifications of the consumer as `event digest`, oldest first. */
export function heard(root: string): string[] {
  return Deno.readTextFileSync(join(root, "news")).trimEnd().split("\n");
}
