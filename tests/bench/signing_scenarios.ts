import { join } from "node:path";
import { PROJECT } from "../helpers/run_cli.ts";
import type { Result } from "./bench.ts";
import { measure, measureCli, type Measured, median } from "./measure.ts";
import { seconds } from "./publish_scenarios.ts";
import { MIB, writeRandomFile } from "./world.ts";

const HASH_ONCE = join(PROJECT, "tests/bench/hash_once.ts");
const ROUNDS = 3;

/** Signing and verifying a folder of 2 GiB, against hashing it once. */
export async function signAndVerify(dir: string): Promise<Result[]> {
  const models = join(dir, "models");
  Deno.mkdirSync(models);
  for (let index = 0; index < 8; index++) writeRandomFile(join(models, `model_${index}.bin`), 256 * MIB);
  const [key, publicKey, signature] = ["key.pem", "key.pub.pem", "model.sig"].map((name) => join(dir, name));
  const keys = (...args: string[]) => measureCli(dir, "keys", ...args);
  await keys("generate", "--private-key", `${key}`, "--public-key", `${publicKey}`);
  const runs: Record<"hash" | "sign" | "verify", Measured[]> = { hash: [], sign: [], verify: [] };
  for (let round = 0; round < ROUNDS; round++) {
    runs.hash.push(await measure(dir, [Deno.execPath(), "run", "-q", "-A", HASH_ONCE, models]));
    runs.sign.push(await keys("sign", "--private-key", `${key}`, "--signature", `${signature}`, models));
    runs.verify.push(
      await keys("verify", "--public-key", `${publicKey}`, "--signature", `${signature}`, models),
    );
  }
  const wallMs = (measured: readonly Measured[]) => median(measured.map(({ wallMs }) => wallMs));
  return (["sign", "verify"] as const).map((what) => {
    const ratio = wallMs(runs[what]) / wallMs(runs.hash);
    const peakMiB = Math.round(Math.max(...runs[what].map(({ peakKiB }) => peakKiB)) / 1024);
    return {
      what: `${what} a folder of 2 GiB`,
      ours: `${seconds(wallMs(runs[what]))}, peak ${peakMiB} MiB`,
      theirs: `hashing it once: ${seconds(wallMs(runs.hash))}`,
      ratio: `${ratio.toFixed(2)} times the time`,
      wanted: "within 1.1 times",
      kept: ratio <= 1.1,
    };
  });
}
