import { join } from "node:path";
import { PROJECT } from "../helpers/run_cli.ts";
import type { Result } from "./bench.ts";
import { measure, median } from "./measure.ts";
import { seconds } from "./publish_scenarios.ts";
import { MIB, writeRandomFile } from "./world.ts";

const ONCE = join(PROJECT, "tests/bench/download_once.ts");
const HOST = join(PROJECT, "tests/bench/file_host.py");

/** Another process that serves a folder. */
async function startHost(dir: string) {
  const child = new Deno.Command("python3", { args: [HOST, dir], stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  return {
    origin: new TextDecoder().decode(value).trim(),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await reader.cancel();
      await child.status;
    },
  };
}

/** A download that is hashed and checked, against one that is not. */
export async function downloadVerified(dir: string): Promise<Result[]> {
  writeRandomFile(join(dir, "large.bin"), 1024 * MIB);
  await using host = await startHost(dir);
  const url = `${host.origin}/large.bin`;
  const target = join(dir, "target.bin");
  const ours: number[] = [];
  const theirs: number[] = [];
  const peaks: number[] = [];
  for (let round = 0; round < 5; round++) {
    const plain = await measure(dir, ["curl", "-sS", "-o", target, url]);
    theirs.push(plain.wallMs);
    Deno.removeSync(target);
    const verified = await measure(dir, [Deno.execPath(), "run", "-q", "-A", ONCE, url, target]);
    ours.push(verified.wallMs);
    peaks.push(verified.peakKiB / 1024);
    Deno.removeSync(target);
  }
  const ratio = median(theirs) / median(ours);
  return [{
    what: "download 1 GiB from loopback, verified",
    ours: `${seconds(median(ours))}, peak ${Math.round(median(peaks))} MiB`,
    theirs: `\`curl -o\`, not verified: ${seconds(median(theirs))}`,
    ratio: `${ratio.toFixed(2)} times as fast`,
    wanted: "0.8 times as fast",
    kept: ratio >= 0.8,
  }];
}
