/**
 * Plays the bot's process, run by a `reload` hook. Checks that the active release has a model for each symbol, "trades"
 * with them, and writes its statistics.
 *
 *     deno run --allow-read --allow-write --allow-env consumer.ts stats.json 0.55
 */
import { join } from "node:path";

const SYMBOLS = ["BTC_USDC", "ETH_USDC", "SOL_USDC"];

const [statsFile = "stats.json", winRate = "0.5"] = Deno.args;
const release = Deno.env.get("MODEL_SYNC_RELEASE_DIR") ?? "models";
for (const symbol of SYMBOLS) {
  try {
    Deno.statSync(join(release, symbol, "direction.onnx"));
  } catch {
    Deno.stderr.writeSync(
      new TextEncoder().encode(`no model for ${symbol}, which the bot trades\n`),
    );
    Deno.exit(1);
  }
}
Deno.writeTextFileSync(statsFile, JSON.stringify({ win_rate: Number(winRate) }));
