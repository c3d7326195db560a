import { join } from "node:path";
import { PROJECT } from "../helpers/run_cli.ts";
import { writeRandomFile } from "./model_writer.ts";
import { GIB, median, seconds, size } from "./units.ts";
import type { Workbench } from "./workbench.ts";

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

/** A download with verification, compared with one without. */
export async function downloadVerified(bench: Workbench): Promise<void> {
  const bytes = bench.scale.bytes(GIB);
  await writeRandomFile(join(bench.dir, "large.bin"), bytes, bench.signal);
  await using host = await startHost(bench.dir);
  const url = `${host.origin}/large.bin`;
  const target = join(bench.dir, "target.bin");
  const ours: number[] = [];
  const theirs: number[] = [];
  const peaks: number[] = [];
  for (let round = 0; round < bench.scale.rounds(5); round++) {
    theirs.push((await bench.run(bench.dir, ["curl", "-sSf", "-o", target, url])).wallMs);
    Deno.removeSync(target);
    const verified = await bench.script(bench.dir, "tests/bench/measured/download_once.ts", url, target);
    ours.push(verified.wallMs);
    peaks.push(verified.peakKiB / 1024);
    Deno.removeSync(target);
  }
  const ratio = median(theirs) / median(ours);
  bench.report({
    what: `download ${size(bytes)} from loopback, verified`,
    ours: `${seconds(median(ours))}, peak ${Math.round(median(peaks))} MiB`,
    theirs: `\`curl -o\`, not verified: ${seconds(median(theirs))}`,
    ratio: `${ratio.toFixed(2)} times as fast`,
    wanted: "0.8 times as fast",
    kept: ratio >= 0.8,
  });
}
