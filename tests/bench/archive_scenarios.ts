import { join } from "node:path";
import { PROJECT } from "../helpers/run_cli.ts";
import type { Result } from "./bench.ts";
import { measure, type Measured, measureShell, median } from "./measure.ts";
import { seconds } from "./publish_scenarios.ts";
import { MIB, writeRandomFile } from "./world.ts";

const EXTRACT = `${PROJECT}tests/bench/extract_archive.ts`;
const CREATE = `${PROJECT}tests/bench/create_archive.ts`;

const ROUNDS = 5;

/** Extracting and hashing 1 GiB that is stored. */
export async function extractStored(dir: string): Promise<Result[]> {
  makeModels(dir, 1024);
  await measureShell(dir, "zip -q0r models.zip models");
  return [await compareExtraction(dir, "1 GiB, stored", 1)];
}

/** Extracting and hashing 1 GiB that shrinks to half, as trees in joblib do. */
export async function extractDeflated(dir: string): Promise<Result[]> {
  makeModels(dir, 512);
  // Half of each byte is noise.
  await measureShell(
    dir,
    "mkdir hex && for f in models/*; do od -An -v -tx1 $f | tr -d ' \\n' > hex/$(basename $f); done",
  );
  await measureShell(dir, "rm -r models && mv hex models && zip -qr models.zip models");
  return [await compareExtraction(dir, "1 GiB, deflated", 0.8)];
}

/** Making an archive of 1 GiB that does not compress. */
export async function createArchive(dir: string): Promise<Result[]> {
  makeModels(dir, 1024);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await measureShell(dir, "rm -f *.zip && sync");
    ours.push((await measureDeno(dir, CREATE, "ours.zip", "models")).wallMs);
    await measureShell(dir, "sync");
    theirs.push((await measureShell(dir, "zip -q0r theirs.zip models")).wallMs);
  }
  const ratio = median(theirs) / median(ours);
  return [{
    what: "archive of 1 GiB that does not compress, with SHA-256, synced",
    ours: seconds(median(ours)),
    theirs: `\`zip -0\`: ${seconds(median(theirs))}`,
    ratio: `${ratio.toFixed(1)} times as fast`,
    wanted: "as fast",
    kept: ratio >= 1,
  }];
}

/** Peak memory of extracting stored archives of very different sizes, the largest over the limits of plain ZIP. */
export async function memoryOfExtraction(dir: string): Promise<Result[]> {
  const peaks = new Map<number, number>();
  for (const sizeMib of [16, 1024, 4097]) {
    const root = join(dir, String(sizeMib));
    Deno.mkdirSync(join(root, "models"), { recursive: true });
    writeRandomFile(join(root, "models/model.bin"), sizeMib * MIB);
    await measureDeno(root, CREATE, "models.zip", "models");
    await measureShell(root, "rm -r models");
    peaks.set(sizeMib, (await measureDeno(root, EXTRACT, "models.zip", "out")).peakKiB / 1024);
    Deno.removeSync(root, { recursive: true });
  }
  const all = [...peaks.values()];
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return [{
    what: "peak memory of extracting one file",
    ours: [...peaks].map(([size, peak]) => `${size} MiB: ${Math.round(peak)} MiB`).join(", "),
    theirs: "",
    ratio: `${(most / least).toFixed(2)} times from 16 MiB to 4 GiB`,
    wanted: "under 250 MB, flat",
    kept: most * MIB < 250e6 && most / least < 1.25,
  }];
}

/** Sixteen files of this many MiB together. */
function makeModels(dir: string, sizeMib: number): void {
  Deno.mkdirSync(join(dir, "models"));
  for (let index = 0; index < 16; index++) {
    writeRandomFile(join(dir, `models/model_${index}.bin`), sizeMib / 16 * MIB);
  }
}

/** Extracts `models.zip` both ways; the side that writes second finds nothing of the first waiting for the disk. */
async function compareExtraction(dir: string, what: string, wanted: number): Promise<Result> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await measureShell(dir, "rm -rf ours theirs models && sync");
    ours.push((await measureDeno(dir, EXTRACT, "models.zip", "ours")).wallMs);
    await measureShell(dir, "sync");
    const byHand = "unzip -q models.zip -d theirs && find theirs -type f | xargs sha256sum > sums";
    theirs.push((await measureShell(dir, byHand)).wallMs);
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

async function measureDeno(cwd: string, script: string, ...args: string[]): Promise<Measured> {
  return await measure(cwd, [Deno.execPath(), "run", "-q", "-A", script, ...args]);
}
