import { join } from "node:path";
import { systemClock } from "../../lib/core/clock.ts";
import { plural } from "../../lib/core/format.ts";
import { RateLimit } from "../../lib/http/rate_limit.ts";
import { ChangedModel, newestManifestBytes } from "./changed_model.ts";
import { HubWorld } from "./huggingface_scenarios.ts";
import { writeRandomFile } from "./model_writer.ts";
import type { Result } from "./table.ts";
import { GIB, median, seconds, size } from "./units.ts";
import type { Workbench } from "./workbench.ts";

/** 400 Mbit/s. */
const LINE_BYTES_PER_SECOND = 50e6;

const FILE = "large.safetensors";

/** A trainer and a client of one large file, on a line of limited speed. */
export class DeltaWorld extends HubWorld {
  readonly #bench: Workbench;
  readonly model: ChangedModel;
  #sentBytes = 0;

  constructor(bench: Workbench) {
    super(bench.dir);
    this.#bench = bench;
    this.model = new ChangedModel(bench, join(this.trainer, "models", FILE), bench.scale.bytes(4 * GIB));
    const { signal } = bench;
    const line = new RateLimit({ clock: systemClock, signal }, LINE_BYTES_PER_SECOND);
    this.server.storage.line = async (bytes) => {
      this.#sentBytes += bytes;
      await line.pass(bytes, () => {});
    };
  }

  /** The client's file. */
  get held(): string {
    return join(this.bot, "models", FILE);
  }

  /** Uploads the trainer's file and pulls it. */
  async pullNext(): Promise<Pulled> {
    await this.#bench.cli(this.trainer, "hf-upload");
    this.server.requests.splice(0);
    this.#sentBytes = 0;
    const { wallMs } = await this.#bench.cli(this.bot, "hf-pull");
    const requests = this.server.requests.filter(({ server }) => server === "storage").length;
    return { wallMs, requests, manifestBytes: newestManifestBytes(this.bot), sentBytes: this.#sentBytes };
  }
}

interface Pulled {
  readonly wallMs: number;
  /** Of the file, not of the manifest. */
  readonly requests: number;
  readonly sentBytes: number;
  readonly manifestBytes: number;
}

/** A large file of which little changed: in place, and behind a header that grew. */
export async function pullChangedParts(bench: Workbench): Promise<void> {
  await using world = new DeltaWorld(bench);
  const { model } = world;
  await model.write();
  const { bytes } = model;
  const whole = await world.pullNext();
  await model.changeInPlace();
  const rsync = await model.rsync(world.held);
  const inPlace = await world.pullNext();
  const speed = `${LINE_BYTES_PER_SECOND / 1e6} MB/s`;
  bench.report({
    what: `hf-pull of ${size(bytes)} of which two tensors (3 %) changed in place, at ${speed}`,
    ours: seconds(inPlace.wallMs),
    theirs: `the whole file: ${seconds(whole.wallMs)}`,
    ratio: `${(inPlace.wallMs / whole.wallMs).toFixed(3)} times the time`,
    wanted: "a tenth of the time",
    kept: inPlace.wallMs <= whole.wallMs / 10,
  }, transferred("of this pull", inPlace, bytes, rsync, 0.06));
  await model.growHeader();
  const rsyncGrown = await model.rsync(world.held);
  const grown = await world.pullNext();
  bench.report(transferred("with 1 MiB inserted near the start", grown, bytes, rsyncGrown, 0.15));
}

function transferred(
  what: string,
  pulled: Pulled,
  bytes: number,
  rsyncBytes: number,
  shareMax: number,
): Result {
  const sentBytes = pulled.sentBytes + pulled.manifestBytes;
  const percent = (part: number) => `${(part / bytes * 100).toFixed(2)} %`;
  return {
    what: `transferred bytes ${what}`,
    ours: `${size(sentBytes)}, ${percent(sentBytes)}, in ${plural(pulled.requests, "request")}`,
    theirs: `\`rsync\`: ${size(rsyncBytes)}, ${percent(rsyncBytes)}`,
    ratio: `${(sentBytes / rsyncBytes).toFixed(2)} times rsync's`,
    wanted: `at most ${shareMax * 100} %`,
    kept: sentBytes <= bytes * shareMax,
  };
}

/** The chunks that a publish lists in its manifest. */
export async function chunkList(bench: Workbench): Promise<void> {
  const bytes = bench.scale.bytes(2 * GIB);
  await writeRandomFile(join(bench.dir, "large.bin"), bytes, bench.signal);
  const [ours, theirs]: [number[], number[]] = [[], []];
  let listBytes = 0;
  for (let round = 0; round < bench.scale.rounds(3); round++) {
    theirs.push((await bench.script(bench.dir, "tests/bench/measured/hash_once.ts", bench.dir)).cpuMs);
    const hashed = await bench.script(bench.dir, "tests/bench/measured/hash_once.ts", bench.dir, "chunks");
    ours.push(hashed.cpuMs);
    listBytes = Number(hashed.stdout);
  }
  bench.report({
    what: `list the chunks of ${size(bytes)} while hashing it: processor`,
    ours: seconds(median(ours)),
    theirs: `SHA-256 alone: ${seconds(median(theirs))}`,
    ratio: `${(median(ours) / median(theirs)).toFixed(1)} times`,
    wanted: "",
  }, {
    what: "a manifest grows for each GiB by",
    ours: size(listBytes / bytes * GIB),
    theirs: "",
    ratio: `${(listBytes / bytes * 100).toFixed(3)} %`,
    wanted: "",
  });
}
