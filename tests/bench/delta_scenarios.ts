import { join } from "node:path";
import { systemClock } from "../../lib/core/clock.ts";
import { RateLimit } from "../../lib/http/rate_limit.ts";
import { safetensorsBytes, safetensorsHeader } from "../helpers/model_files.ts";
import { HubWorld } from "./huggingface_scenarios.ts";
import { writeRandomFile } from "./model_writer.ts";
import type { Result } from "./table.ts";
import { GIB, median, MIB, seconds, size } from "./units.ts";
import type { Workbench } from "./workbench.ts";

/** 400 Mbit/s. */
const LINE_BYTES_PER_SECOND = 50e6;

const FILE = "large.safetensors";

/** The tensors of the file, all of one size. Two of them are 3 % of it. */
const TENSORS = 67;

/** A trainer and a client of one large file, on a line of limited speed. */
export class DeltaWorld extends HubWorld {
  readonly #bench: Workbench;
  readonly #tensorBytes: number;
  #sentBytes = 0;

  constructor(bench: Workbench) {
    super(bench.dir);
    this.#bench = bench;
    this.#tensorBytes = Math.floor(bench.scale.bytes(4 * GIB) / TENSORS);
    const { signal } = bench;
    const line = new RateLimit({ clock: systemClock, signal }, LINE_BYTES_PER_SECOND);
    this.server.line = async (bytes) => {
      this.#sentBytes += bytes;
      await line.pass(bytes, () => {});
    };
  }

  /** The file of the trainer. */
  get file(): string {
    return join(this.trainer, "models", FILE);
  }

  #header(metadata = ""): Uint8Array {
    const bytes = this.#tensorBytes;
    const tensors = Array.from(
      { length: TENSORS },
      (_, index) => [`layer.${index}.weight`, ["U8", [bytes], bytes]] as const,
    );
    return safetensorsBytes(safetensorsHeader(Object.fromEntries(tensors), { metadata }), 0);
  }

  async train(): Promise<void> {
    Deno.mkdirSync(join(this.trainer, "models"), { recursive: true });
    const head = this.#header();
    await writeRandomFile(this.file, TENSORS * this.#tensorBytes, this.#bench.signal, { head });
  }

  /** Replaces the values of two tensors. */
  async changeInPlace(): Promise<void> {
    const values = join(this.#bench.dir, "values");
    await writeRandomFile(values, this.#tensorBytes, this.#bench.signal);
    for (const tensor of [20, 50]) {
      const start = this.#header().length + tensor * this.#tensorBytes;
      await this.#bench.shell(
        this.#bench.dir,
        `dd if=values of='${this.file}' bs=1M oflag=seek_bytes seek=${start} conv=notrunc status=none`,
      );
    }
    Deno.removeSync(values);
  }

  /** Writes 1 MiB into the file's header. */
  async growHeader(): Promise<void> {
    const random = crypto.getRandomValues(new Uint8Array(48 * 1024));
    const metadata = `${random}`.padEnd(MIB, `${random}`).slice(0, MIB);
    const old = `${this.file}.old`;
    Deno.renameSync(this.file, old);
    Deno.writeFileSync(this.file, this.#header(metadata));
    await this.#bench.shell(
      this.#bench.dir,
      `tail -c +${this.#header().length + 1} '${old}' >> '${this.file}'`,
    );
    Deno.removeSync(old);
  }

  /** Copies the client's file with rsync to the trainer's, and returns the bytes that both sides sent. */
  async rsync(): Promise<number> {
    const copy = join(this.#bench.dir, "copy");
    Deno.copyFileSync(join(this.bot, "models", FILE), copy);
    const { stdout } = await this.#bench.run(this.#bench.dir, [
      "rsync",
      "--stats",
      "--no-whole-file",
      "--ignore-times",
      this.file,
      copy,
    ]);
    Deno.removeSync(copy);
    const both = stdout.matchAll(/^Total bytes (?:sent|received): ([\d,.]+)$/gm);
    return Array.from(both, ([, bytes = ""]) => Number(bytes.replaceAll(/[,.]/g, ""))).reduce((a, b) =>
      a + b
    );
  }

  /** Uploads the trainer's file and pulls it. */
  async pullNext(): Promise<Pulled> {
    await this.#bench.cli(this.trainer, "hf-upload");
    this.server.requests.splice(0);
    this.#sentBytes = 0;
    const { wallMs } = await this.#bench.cli(this.bot, "hf-pull");
    const requests = this.server.requests.filter(({ server }) => server === "storage").length;
    return { wallMs, requests, manifestBytes: this.#manifestBytes(), sentBytes: this.#sentBytes };
  }

  /** The size of the newest manifest. */
  #manifestBytes(): number {
    const releases = join(this.bot, ".model-sync/releases");
    const names = Array.from(Deno.readDirSync(releases), ({ name }) => name).filter((name) =>
      name.endsWith(".json")
    );
    return Math.max(...names.map((name) => Deno.statSync(join(releases, name)).size));
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
  await world.train();
  const bytes = Deno.statSync(world.file).size;
  const whole = await world.pullNext();
  await world.changeInPlace();
  const rsync = await world.rsync();
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
  await world.growHeader();
  const rsyncGrown = await world.rsync();
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
    ours: `${size(sentBytes)}, ${percent(sentBytes)}, in ${pulled.requests} requests`,
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
