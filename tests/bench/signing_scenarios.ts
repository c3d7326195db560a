import { join } from "node:path";
import { writeModel } from "./model_writer.ts";
import { median, MIB, seconds, size } from "./units.ts";
import type { Measured, Workbench } from "./workbench.ts";

const MODELS = 8;

/** Signing and verifying a folder, against hashing it once. */
export async function signAndVerify(bench: Workbench): Promise<void> {
  const models = join(bench.dir, "models");
  const bytes = bench.scale.bytes(256 * MIB);
  Deno.mkdirSync(models);
  for (let index = 0; index < MODELS; index++) {
    await writeModel(join(models, `model_${index}.safetensors`), bytes, bench.signal);
  }
  const keys = (...args: string[]) => bench.cli(bench.dir, "keys", ...args);
  await keys("generate", "--private-key", "key.pem", "--public-key", "key.pub.pem");
  const runs: Record<"hash" | "sign" | "verify", Measured[]> = { hash: [], sign: [], verify: [] };
  for (let round = 0; round < bench.scale.rounds(3); round++) {
    runs.hash.push(await bench.script(bench.dir, "tests/bench/measured/hash_once.ts", models));
    runs.sign.push(await keys("sign", "--private-key", "key.pem", "--signature", "model.sig", models));
    runs.verify.push(
      await keys("verify", "--public-key", "key.pub.pem", "--signature", "model.sig", models),
    );
  }
  const wallMs = (measured: readonly Measured[]) => median(measured.map(({ wallMs }) => wallMs));
  for (const what of ["sign", "verify"] as const) {
    const ratio = wallMs(runs[what]) / wallMs(runs.hash);
    const peakMiB = Math.round(Math.max(...runs[what].map(({ peakKiB }) => peakKiB)) / 1024);
    bench.report({
      what: `${what} a folder of ${size(MODELS * bytes)}`,
      ours: `${seconds(wallMs(runs[what]))}, peak ${peakMiB} MiB`,
      theirs: `hashing it once: ${seconds(wallMs(runs.hash))}`,
      ratio: `${ratio.toFixed(2)} times the time`,
      wanted: "within 1.1 times",
      kept: ratio <= 1.1,
    });
  }
}
