import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { COLUMNS } from "../../lib/references/text_generation/models_csv.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import type { Result } from "./table.ts";
import { v8Flags } from "./task_flags.ts";
import { median, ms } from "./units.ts";
import type { Workbench } from "./workbench.ts";

/** Every tenth model changed, as after a change of a field that many have. */
const CHANGED_EVERY = 10;

/** The original tool's work for JSON: both sides parsed and compared, and the whole file rewritten. */
const REWRITE_JSON = `
import json, sys
primary, current = (json.load(open(path)) for path in sys.argv[1:3])
changed = [name for name in primary if primary[name] != current.get(name)]
open("written.json", "w").write(json.dumps(primary, indent=4) + "\\n")
`;

/** The original tool's work for text_generation, which goes through rows of models.csv. */
const SYNC_TEXT_FILES = fileURLToPath(new URL("measured/sync_text_files.py", import.meta.url));

/** Python that does the same work, and writes its result to `written.json`. */
interface Peer {
  readonly what: string;
  readonly script: readonly string[];
  readonly ratioMax: number;
  /** Whether its result is ours, byte for byte. */
  readonly isSame: boolean;
}

/** A category of many models, read, compared and written in its own process. */
export async function planReferences(bench: Workbench): Promise<void> {
  const { dir } = bench;
  const count = bench.scale.count(3_000);
  const images = JSON.stringify(Object.fromEntries(imageModels(count, false)), undefined, 4) + "\n";
  Deno.writeTextFileSync(join(dir, "stable_diffusion.json"), images);
  Deno.writeTextFileSync(
    join(dir, "images.json"),
    JSON.stringify(Object.fromEntries(imageModels(count, true))),
  );
  const rows = Array.from({ length: count }, (_, index) => `org/model-${index}-7B,7,,,,A model.,,"a,b",,`);
  Deno.writeTextFileSync(join(dir, "models.csv"), [COLUMNS.join(","), ...rows, ""].join("\r\n"));
  Deno.writeTextFileSync(
    join(dir, "texts.json"),
    JSON.stringify(Object.fromEntries(textModels(count, true))),
  );
  // The rows after convert.py, as far as the comparison needs it.
  Deno.writeTextFileSync(
    join(dir, "db.json"),
    JSON.stringify(Object.fromEntries(textModels(count, false)), undefined, 4) + "\n",
  );
  bench.report(
    ...await measured(bench, "image_generation", "images.json", ["stable_diffusion.json"], [{
      what: `compare and render ${count} models of image_generation`,
      script: ["-c", REWRITE_JSON],
      ratioMax: 1,
      isSame: true,
    }]),
    ...await measured(bench, "text_generation", "texts.json", ["db.json", "models.csv"], [{
      what: `compare and render ${count} models of text_generation`,
      script: [SYNC_TEXT_FILES],
      ratioMax: 1.3,
      isSame: true,
    }, {
      what: "the same, and Python that neither reads nor writes `models.csv`",
      script: ["-c", REWRITE_JSON],
      ratioMax: 1.3,
      // It also writes what models.csv has no column for, and the order of its keys.
      isSame: false,
    }]),
  );
}

async function measured(
  bench: Workbench,
  category: string,
  primary: string,
  files: readonly [string, ...string[]],
  peers: readonly Peer[],
): Promise<Result[]> {
  const { dir } = bench;
  const ours: number[] = [];
  const whole: number[] = [];
  const theirs = peers.map((): number[] => []);
  for (let round = 0; round < bench.scale.rounds(5); round++) {
    const { stdout, wallMs } = await bench.deno(dir, [
      ...v8Flags("references-sync"),
      "-A",
      join(PROJECT, "tests/bench/measured/plan_references.ts"),
      category,
      primary,
      ...files,
    ]);
    ours.push(Number(stdout));
    whole.push(wallMs);
    for (const [index, { script, isSame }] of peers.entries()) {
      const peer = await bench.run(dir, ["python3", ...script, primary, ...files]);
      theirs[index]?.push(peer.wallMs);
      const [result, expected] = [`planned-${files[0]}`, "written.json"].map((name) =>
        Deno.readTextFileSync(join(dir, name))
      );
      if (isSame) assert.ok(result === expected, `Python's ${files[0]} is another one`);
    }
  }
  return peers.map(({ what, ratioMax }, index): Result => {
    const theirsMs = median(theirs[index] ?? []);
    return {
      what,
      ours: `${ms(median(ours))}, the whole process ${ms(median(whole))}`,
      theirs: `python3: ${ms(theirsMs)}`,
      ratio: `${(median(whole) / theirsMs).toFixed(2)} times the time`,
      wanted: `at most ${ratioMax === 1 ? "the time" : `${ratioMax} times the time`}`,
      kept: median(whole) <= ratioMax * theirsMs,
    };
  });
}

/** As large as in the real repository: about 1,400 bytes each. */
function imageModels(count: number, isChanged: boolean): [string, unknown][] {
  return Array.from({ length: count }, (_, index) => [`Model ${index}`, {
    name: `Model ${index}`,
    baseline: "stable diffusion 1",
    type: "ckpt",
    inpainting: false,
    description: "A sentence about what it draws, and another about how. ".repeat(4),
    showcases: [`https://example.org/showcase/${index}.webp`],
    version: isChanged && index % CHANGED_EVERY === 0 ? "3" : "2",
    style: "generalist",
    tags: ["one", "two", "three"],
    nsfw: true,
    download_all: false,
    requirements: { min_steps: 3, samplers: ["k_euler"], clip_skip: 1 },
    config: {
      files: [{ path: `${index}.ckpt`, md5sum: "6".repeat(32), sha256sum: "b".repeat(64) }, {
        path: "v1.yaml",
      }],
      download: [{
        file_name: `${index}.ckpt`,
        file_path: "",
        file_url: `https://example.org/${index}.ckpt`,
      }],
    },
    available: false,
    size_on_disk_bytes: 2132780730 + index,
  }]);
}

function textModels(count: number, isChanged: boolean): [string, unknown][] {
  return Array.from({ length: count }, (_, index) => {
    const model = `model-${index}-7B`;
    const isOther = isChanged && index % CHANGED_EVERY === 0;
    const record = (name: string): [string, unknown] => [name, {
      name,
      model_name: model,
      baseline: "",
      parameters: 7_000_000_000,
      description: isOther ? "Another model." : "A model.",
      version: "1",
      style: "generalist",
      nsfw: false,
      display_name: model.replaceAll("-", " "),
      tags: ["7B", "a", "b"],
    }];
    return [record(`org/${model}`), record(`aphrodite/org/${model}`), record(`koboldcpp/${model}`)];
  }).flat();
}
