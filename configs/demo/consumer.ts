/**
 * Plays the bot's own process, as a `reload` hook runs it: looks for a model of each symbol in the release that was
 * activated, "trades" with them, and writes how that goes.
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
      new TextEncoder().encode(`the bot trades ${symbol}, and there is no model for it\n`),
    );
    Deno.exit(1);
  }
}
Deno.writeTextFileSync(statsFile, JSON.stringify({ win_rate: Number(winRate) }));
