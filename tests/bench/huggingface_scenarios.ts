import { join } from "node:path";
import { hashFile } from "../../lib/core/hash.ts";
import { DistantServer } from "../../fakes/distant_server.ts";
import { HubServer } from "../../fakes/hub_server.ts";
import { REPO } from "../helpers/hub_machines.ts";
import { writeModel } from "./model_writer.ts";
import type { Result } from "./table.ts";
import { GIB, median, MIB, ms, seconds, size } from "./units.ts";
import type { Workbench } from "./workbench.ts";
import { writeModels } from "./world.ts";

/** The memory limit of transfers of any size. */
const MEMORY_BYTES_MAX = 250e6;

/** A hub in this process, and two machines that are configured for it. */
export class HubWorld implements AsyncDisposable {
  readonly server: HubServer;
  readonly trainer: string;
  readonly bot: string;
  readonly #lines: readonly DistantServer[];
  /** The address at which the machines reach the hub. */
  readonly endpoint: string;

  /** @param roundTripMs between the machines and the hub. Default: none */
  constructor(root: string, roundTripMs = 0) {
    const objects = join(root, "objects");
    Deno.mkdirSync(objects, { recursive: true });
    this.server = new HubServer(objects);
    const { endpoint: hub, storage, token } = this.server;
    this.#lines = roundTripMs === 0
      ? []
      : [hub, storage.origin].map((origin) => new DistantServer(origin, roundTripMs));
    this.endpoint = this.#lines[0]?.origin ?? hub;
    storage.root = this.#lines[1]?.origin ?? storage.root;
    [this.trainer, this.bot] = [join(root, "trainer"), join(root, "bot")];
    for (const machine of [this.trainer, this.bot]) {
      Deno.mkdirSync(join(machine, "configs"), { recursive: true });
      Deno.writeTextFileSync(
        join(machine, "configs/bot.yaml"),
        `model_sync: {huggingface: {repo_id: ${REPO}}}\n`,
      );
      Deno.writeTextFileSync(join(machine, ".env"), `HF_ENDPOINT=${this.endpoint}\nHF_TOKEN=${token}\n`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const line of this.#lines) await line[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

/** A pull when nothing is new. */
export async function hubPullUnchanged(bench: Workbench): Promise<void> {
  await using world = new HubWorld(bench.dir);
  const [count, bytes] = [bench.scale.count(20), bench.scale.bytes(50 * MIB)];
  await writeModels(join(world.trainer, "models"), count, bytes, bench.signal);
  await bench.cli(world.trainer, "hf-upload");
  await bench.cli(world.bot, "hf-pull");
  const [ours, theirs, requests]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < bench.scale.rounds(7); round++) {
    world.server.requests.splice(0);
    ours.push((await bench.cli(world.bot, "hf-pull")).wallMs);
    requests.push(world.server.requests.length);
    theirs.push((await bench.run(bench.dir, [Deno.execPath(), "eval", "1"])).wallMs);
  }
  const most = Math.max(...requests);
  bench.report({
    what: `hf-pull with nothing new, ${size(count * bytes)} of models`,
    ours: ms(median(ours)),
    theirs: `\`deno eval 1\`: ${ms(median(theirs))}`,
    ratio: `${most} request, ${(median(ours) / median(theirs)).toFixed(1)} times the start-up`,
    wanted: "one request, nothing hashed: under 0.5 s",
    kept: most === 1 && median(ours) < 500,
  });
}

/** One large file, verified on the way. */
export async function hubPullLarge(bench: Workbench): Promise<void> {
  await using world = new HubWorld(bench.dir);
  const bytes = bench.scale.bytes(4 * GIB);
  const file = join(bench.dir, "large.safetensors");
  await writeModel(file, bytes, bench.signal);
  const { sha256 } = await hashFile(Deno, file, { signal: bench.signal });
  world.server.commitLarge(REPO, "large.safetensors", file, sha256);
  const url = `${world.server.endpoint}/${REPO}/resolve/main/large.safetensors`;
  const byHand = `curl -sSfL -o by-hand '${url}' && sync -f by-hand && rm by-hand`;
  const theirs = await bench.shell(bench.dir, byHand);
  const ours = await bench.cli(world.bot, "hf-pull");
  const ratio = theirs.wallMs / ours.wallMs;
  const what = `hf-pull of one file of ${size(bytes)}`;
  bench.report({
    what: `${what}, verified`,
    ours: seconds(ours.wallMs),
    theirs: `\`curl -o\`, unverified: ${seconds(theirs.wallMs)}`,
    ratio: `${ratio.toFixed(2)} times as fast`,
    wanted: "0.8 times",
    kept: ratio >= 0.8,
  });
  bench.report(memory(what, ours.peakKiB * 1024));
}

/** The round trip between a server in a data centre and a hub on the same continent. */
const ROUND_TRIP_MS = 50;

/** Many small files over a long line. */
export async function hubPullSmall(bench: Workbench): Promise<void> {
  await using world = new HubWorld(bench.dir, ROUND_TRIP_MS);
  const count = bench.scale.count(1500);
  const paths = Array.from({ length: count }, (_, index) => `part${index % 20}/file${index}.txt`);
  const text = () => crypto.getRandomValues(new Uint8Array(5 * 1024)).toHex();
  world.server.commit(REPO, Object.fromEntries(paths.map((path) => [path, text()])));
  const urls = paths.map((path) => `${world.endpoint}/${REPO}/resolve/main/${path}`);
  Deno.writeTextFileSync(join(bench.dir, "urls"), `${urls.join("\n")}\n`);
  const byHand = (each: number) =>
    `mkdir by-hand && cd by-hand && xargs -P 8 -n ${each} curl -sSfL --remote-name-all < ../urls && rm -r ../by-hand`;
  const theirs = await bench.shell(bench.dir, byHand(1));
  const kept = await bench.shell(bench.dir, byHand(Math.ceil(count / 8)));
  const ours = await bench.cli(world.bot, "hf-pull");
  const ratio = ours.wallMs / theirs.wallMs;
  bench.report({
    what: `first hf-pull of ${count} files of 10 KiB, ${ROUND_TRIP_MS} ms of round trip`,
    ours: `${seconds(ours.wallMs)}, peak ${size(ours.peakKiB * 1024)}`,
    theirs: `8 \`curl\`s at once: ${seconds(theirs.wallMs)}, each with many files: ${seconds(kept.wallMs)}`,
    ratio: `${ratio.toFixed(2)} times the time, ${(ours.wallMs / kept.wallMs).toFixed(2)} times`,
    wanted: "a third",
    kept: ratio <= 1 / 3,
  });
}

/** New models, one file in parts and others whole; then the same models under other names. */
export async function hubUpload(bench: Workbench): Promise<void> {
  await using world = new HubWorld(bench.dir);
  const models = join(world.trainer, "models");
  const [count, fileBytes, largeBytes] = [4, bench.scale.bytes(256 * MIB), bench.scale.bytes(GIB)];
  const bytes = count * fileBytes + largeBytes;
  world.server.partBytes = largeBytes / 2;
  await writeModels(models, count, fileBytes, bench.signal);
  await writeModel(join(models, "large.safetensors"), largeBytes, bench.signal);
  const theirs = await bench.shell(
    world.trainer,
    "find models -type f | xargs sha256sum > sums && find models -type f | xargs cat | sha256sum",
  );
  const ours = await bench.cli(world.trainer, "hf-upload");
  const reads = ours.readBytes / bytes;
  const what = `hf-upload of ${size(bytes)}`;
  bench.report({
    what: `${what} of new models`,
    ours: seconds(ours.wallMs),
    theirs: `\`sha256sum\` of them, twice: ${seconds(theirs.wallMs)}`,
    ratio: `${(ours.wallMs / theirs.wallMs).toFixed(1)} times the time, each file read ${
      reads.toFixed(2)
    } times`,
    wanted: "read once for the digests and once to send it",
    kept: reads < 2.05,
  });
  bench.report(memory(what, ours.peakKiB * 1024));
  Deno.renameSync(models, join(world.trainer, "renamed"));
  Deno.mkdirSync(models);
  Deno.renameSync(join(world.trainer, "renamed"), join(models, "renamed"));
  world.server.requests.splice(0);
  const again = await bench.cli(world.trainer, "hf-upload", "--allow-shrink");
  const sentBytes = world.server.requests.filter(({ method }) => method === "PUT")
    .reduce((sum, { headers }) => sum + Number(headers.get("content-length")), 0);
  bench.report({
    what: `${what} of the same models under other names`,
    ours: `${seconds(again.wallMs)}, ${sentBytes} bytes sent`,
    theirs: "",
    ratio: "",
    wanted: "0 bytes sent",
    kept: sentBytes === 0,
  });
}

function memory(what: string, peakBytes: number): Result {
  return {
    what: `peak memory of ${what}`,
    ours: `${Math.round(peakBytes / 1e6)} MB`,
    theirs: "",
    ratio: "",
    wanted: "under 250 MB",
    kept: peakBytes < MEMORY_BYTES_MAX,
  };
}
