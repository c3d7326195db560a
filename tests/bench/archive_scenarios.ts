import { join } from "node:path";
import { writeModel } from "./model_writer.ts";
import { memoryRow } from "./pull_scenarios.ts";
import type { Result } from "./table.ts";
import { GIB, median, MIB, seconds, size } from "./units.ts";
import type { Workbench } from "./workbench.ts";

const MODELS = 16;
const ROUNDS = 3;

/** Extracting and hashing models that are stored. */
export async function extractStored(bench: Workbench): Promise<void> {
  const bytes = await writeArchived(bench, bench.scale.bytes(GIB / MODELS));
  await bench.shell(bench.dir, "zip -q0r models.zip models");
  bench.report(await compareExtraction(bench, `${size(bytes)}, stored`, 1));
}

/** Extracting and hashing models that shrink to half, as trees in joblib do. */
export async function extractDeflated(bench: Workbench): Promise<void> {
  const bytes = 2 * await writeArchived(bench, bench.scale.bytes(GIB / MODELS / 2));
  // Half of each byte is noise.
  const toHex = "import sys; sys.stdout.write(open(sys.argv[1], 'rb').read().hex())";
  await bench.shell(
    bench.dir,
    `mkdir hex && for f in models/*; do python3 -c "${toHex}" $f > hex/$(basename $f); done`,
  );
  await bench.shell(bench.dir, "rm -r models && mv hex models && zip -qr models.zip models");
  bench.report(await compareExtraction(bench, `${size(bytes)}, deflated`, 0.8));
}

/** Making an archive of models that do not compress. */
export async function createArchive(bench: Workbench): Promise<void> {
  const bytes = await writeArchived(bench, bench.scale.bytes(GIB / MODELS));
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < bench.scale.rounds(ROUNDS); round++) {
    await bench.shell(bench.dir, "rm -f *.zip && sync");
    ours.push(
      (await bench.script(bench.dir, "tests/bench/measured/create_archive.ts", "ours.zip", "models")).wallMs,
    );
    await bench.shell(bench.dir, "sync");
    theirs.push((await bench.shell(bench.dir, "zip -q0r theirs.zip models")).wallMs);
  }
  const ratio = median(theirs) / median(ours);
  bench.report({
    what: `create an archive of ${size(bytes)} of incompressible models, with SHA-256, synced`,
    ours: seconds(median(ours)),
    theirs: `\`zip -0\`: ${seconds(median(theirs))}`,
    ratio: `${ratio.toFixed(1)} times as fast`,
    wanted: "as fast",
    kept: ratio >= 1,
  });
}

/** Peak memory of extracting stored archives of very different sizes. The largest exceeds the limits of plain ZIP. */
export async function memoryOfExtraction(bench: Workbench): Promise<void> {
  const peaks = new Map<number, number>();
  for (const bytes of bench.scale.sizes([16 * MIB, GIB, 4 * GIB + MIB])) {
    const root = join(bench.dir, String(bytes));
    Deno.mkdirSync(join(root, "models"), { recursive: true });
    await writeModel(join(root, "models/model.safetensors"), bytes, bench.signal);
    await bench.script(root, "tests/bench/measured/create_archive.ts", "models.zip", "models");
    Deno.removeSync(join(root, "models"), { recursive: true });
    const measured = await bench.script(root, "tests/bench/measured/extract_archive.ts", "models.zip", "out");
    peaks.set(bytes, measured.peakKiB / 1024);
    Deno.removeSync(root, { recursive: true });
  }
  bench.report(memoryRow("peak memory of extracting one file", peaks, 250e6));
}

/** Writes the folder that is archived. @returns the bytes of its models together */
async function writeArchived({ dir, signal }: Workbench, bytes: number): Promise<number> {
  Deno.mkdirSync(join(dir, "models"));
  for (let index = 0; index < MODELS; index++) {
    await writeModel(join(dir, `models/model_${index}.safetensors`), bytes, signal);
  }
  return MODELS * bytes;
}

/** Extracts `models.zip` both ways. Earlier writes are synced first, so that the second one does not wait for them. */
async function compareExtraction(bench: Workbench, what: string, wanted: number): Promise<Result> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < bench.scale.rounds(ROUNDS); round++) {
    await bench.shell(bench.dir, "rm -rf ours theirs models && sync");
    ours.push(
      (await bench.script(bench.dir, "tests/bench/measured/extract_archive.ts", "models.zip", "ours")).wallMs,
    );
    await bench.shell(bench.dir, "sync");
    const byHand = "unzip -q models.zip -d theirs && find theirs -type f | xargs sha256sum > sums";
    theirs.push((await bench.shell(bench.dir, byHand)).wallMs);
  }
  const ratio = median(theirs) / median(ours);
  return {
    what: `extract and hash a ZIP of ${what}, synced`,
    ours: seconds(median(ours)),
    theirs: `\`unzip\`, \`sha256sum\`: ${seconds(median(theirs))}`,
    ratio: `${ratio.toFixed(1)} times as fast`,
    wanted: wanted === 1 ? "as fast" : `${wanted} times as fast`,
    kept: ratio >= wanted,
  };
}
