import { join } from "node:path";
import { plural } from "../../lib/core/format.ts";
import { startGitServer } from "../../fakes/git_server.ts";
import { type FakeRunPod, startRunPod } from "../../fakes/runpod_server.ts";
import { bareRepository, git } from "../helpers/test_git.ts";
import { ChangedModel, newestManifestBytes } from "./changed_model.ts";
import { LineHost } from "./line_host.ts";
import type { Result } from "./table.ts";
import { GIB, seconds, size } from "./units.ts";
import type { Workbench } from "./workbench.ts";

/** 400 Mbit/s. */
const LINE_BYTES_PER_SECOND = 50e6;

const FILE = "large.safetensors";

/** A pull of a new version. */
interface Pulled {
  readonly wallMs: number;
  readonly sentBytes: number;
  readonly requests: number;
}

/** The two pulls, and what the same costs by hand. */
interface Measured {
  readonly what: string;
  /** The size of the file. */
  readonly bytes: number;
  readonly inPlace: Pulled;
  readonly grown: Pulled;
  readonly byHand: { readonly name: string; readonly wallMs: number; readonly sentBytes: number };
  readonly rsyncBytes: { readonly inPlace: number; readonly grown: number };
}

function rows({ what, bytes, inPlace, grown, byHand, rsyncBytes }: Measured): Result[] {
  return [
    {
      what: `${what} of ${size(bytes)} of which two tensors (3 %) changed in place, at 50 MB/s`,
      ours: seconds(inPlace.wallMs),
      theirs: `${byHand.name}: ${seconds(byHand.wallMs)}`,
      ratio: `${(inPlace.wallMs / byHand.wallMs).toFixed(3)} times the time`,
      wanted: "a tenth of the time",
      kept: inPlace.wallMs <= byHand.wallMs / 10,
    },
    transferred(`of this ${what}`, bytes, inPlace, rsyncBytes.inPlace, 0.06),
    transferred(`of a ${what} with 1 MiB inserted near the start`, bytes, grown, rsyncBytes.grown, 0.15),
  ];
}

function transferred(
  what: string,
  bytes: number,
  { sentBytes, requests }: Pulled,
  rsyncBytes: number,
  shareMax: number,
): Result {
  const percent = (part: number) => `${size(part)}, ${(part / bytes * 100).toFixed(2)} %`;
  return {
    what: `transferred bytes ${what}`,
    ours: `${percent(sentBytes)}, in ${plural(requests, "request")}`,
    theirs: `\`rsync\`: ${percent(rsyncBytes)}`,
    ratio: `${(sentBytes / rsyncBytes).toFixed(2)} times rsync's`,
    wanted: `at most ${shareMax * 100} %`,
    kept: sentBytes <= bytes * shareMax,
  };
}

/** A trainer whose archives are on a host with a line of limited speed, and a client. */
class ArchiveWorld implements PartsWorld, AsyncDisposable {
  readonly model: ChangedModel;
  readonly #bench: Workbench;
  readonly #api: FakeRunPod = startRunPod();
  readonly #host: LineHost;
  readonly #trainer: string;
  readonly #bot: string;

  constructor(bench: Workbench) {
    this.#bench = bench;
    this.#host = new LineHost(bench.signal, LINE_BYTES_PER_SECOND);
    [this.#trainer, this.#bot] = [join(bench.dir, "trainer"), join(bench.dir, "bot")];
    Deno.mkdirSync(join(this.#trainer, "models"), { recursive: true });
    Deno.mkdirSync(join(this.#bot, "configs"), { recursive: true });
    const { triggerUrl: trigger_url, statusUrlTemplate: status_url_template, apiKey } = this.#api;
    const runpod = { trigger_url, status_url_template };
    Deno.writeTextFileSync(join(this.#bot, "configs/bot.yaml"), JSON.stringify({ model_sync: { runpod } }));
    Deno.writeTextFileSync(join(this.#bot, ".env"), `RUNPOD_API_KEY=${apiKey}\n`);
    this.model = new ChangedModel(bench, join(this.#trainer, "models", FILE), bench.scale.bytes(GIB));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api[Symbol.asyncDispose]();
    await this.#host[Symbol.asyncDispose]();
  }

  /** The model file of the client. */
  get held(): string {
    return join(this.#bot, "models", FILE);
  }

  /** Packs the model and pulls it. */
  async pull(): Promise<Pulled> {
    const archive = join(this.#bench.dir, "models.zip");
    await this.#bench.cli(this.#trainer, "train", "--skip-training", "--archive-path", archive);
    this.#host.files.set("/models.zip", archive);
    const output = { models_archive_url: `${this.#host.origin}/models.zip` };
    this.#api.faults.run.push({
      kind: "answer",
      make: () => Response.json({ id: crypto.randomUUID(), status: "COMPLETED", output }),
    });
    return await this.#host.counted(() => this.#bench.cli(this.#bot, "runpod-pull"));
  }

  /** Downloads the newest archive by hand. */
  async pullByHand(): Promise<Measured["byHand"]> {
    const script = `curl -sSfo by-hand.zip '${this.#host.origin}/models.zip' && ` +
      "unzip -q by-hand.zip -d by-hand && sync -f by-hand && rm -r by-hand by-hand.zip";
    const pulled = await this.#host.counted(() => this.#bench.shell(this.#bench.dir, script));
    return { name: "`curl`, `unzip`", ...pulled };
  }
}

/** A large file in an archive, of which little changed: in place, and behind a header that grew. */
export async function archiveParts(bench: Workbench): Promise<void> {
  await using world = new ArchiveWorld(bench);
  bench.report(...rows({ what: "runpod-pull", ...await measure(world) }));
}

interface PartsWorld {
  readonly model: ChangedModel;
  readonly held: string;
  pull(): Promise<Pulled>;
  pullByHand(): Promise<Measured["byHand"]>;
}

async function measure(world: PartsWorld): Promise<Omit<Measured, "what">> {
  const { model } = world;
  await model.write();
  const { bytes } = model;
  await world.pull();
  await model.changeInPlace();
  const rsyncInPlace = await model.rsync(world.held);
  const inPlace = await world.pull();
  const byHand = await world.pullByHand();
  await model.growHeader();
  const rsyncBytes = { inPlace: rsyncInPlace, grown: await model.rsync(world.held) };
  return { bytes, inPlace, byHand, grown: await world.pull(), rsyncBytes };
}

/** A git host whose Git LFS objects are behind a line of limited speed, a trainer and a client. */
class LfsWorld implements PartsWorld, AsyncDisposable {
  readonly model: ChangedModel;
  readonly #bench: Workbench;
  readonly #host: LineHost;
  readonly #server: ReturnType<typeof startGitServer>;
  readonly #trainer: string;
  readonly #bot: string;

  constructor(bench: Workbench) {
    this.#bench = bench;
    this.#host = new LineHost(bench.signal, LINE_BYTES_PER_SECOND);
    const bare = bareRepository(join(bench.dir, "repositories/registry.git"));
    git(bare, "config", "http.receivepack", "true");
    git(bare, "config", "uploadpack.allowFilter", "true");
    this.#server = startGitServer({ root: join(bench.dir, "repositories"), token: () => true, isOpen: true });
    this.#server.intercept = (request, path) => this.#answerStore(request, path);
    [this.#trainer, this.#bot] = [join(bench.dir, "trainer"), join(bench.dir, "bot")];
    const repo_url = `${this.#server.origin}/registry.git`;
    const settings = { repo_url, lfs: "always", publisher: { train_before_push: false } };
    for (const machine of [this.#trainer, this.#bot]) {
      Deno.mkdirSync(join(machine, "configs"), { recursive: true });
      Deno.writeTextFileSync(join(machine, "configs/bot.yaml"), JSON.stringify({ model_sync: settings }));
    }
    Deno.mkdirSync(join(this.#trainer, "models"));
    this.model = new ChangedModel(bench, join(this.#trainer, "models", FILE), bench.scale.bytes(GIB));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    await this.#host[Symbol.asyncDispose]();
  }

  /** Keeps objects on the disk: they are too large for memory. */
  #answerStore(request: Request, path: string): Promise<Response> | undefined {
    if (!path.startsWith("/lfs-store/")) return undefined;
    return request.method === "PUT" ? this.#store(request, path) : this.#host.answer(request);
  }

  async #store({ body }: Request, path: string): Promise<Response> {
    const location = join(this.#bench.dir, path.slice("/lfs-store/".length));
    const file = await Deno.open(location, { write: true, create: true });
    await body?.pipeTo(file.writable);
    this.#host.files.set(path, location);
    this.#server.lfsObjects.set(path.slice("/lfs-store/".length), new Uint8Array());
    return new Response();
  }

  /** The model file of the client. */
  get held(): string {
    return join(this.#bot, "models", FILE);
  }

  /** Publishes the model and pulls it. */
  async pull(): Promise<Pulled> {
    await this.#bench.cli(this.#trainer, "publish");
    const pulled = await this.#host.counted(() => this.#bench.cli(this.#bot, "pull"));
    return { ...pulled, sentBytes: pulled.sentBytes + newestManifestBytes(this.#bot) };
  }

  /** Pulls the newest version by hand. */
  async pullByHand(): Promise<Measured["byHand"]> {
    const { dir } = this.#bench;
    await this.#bench.shell(dir, `git clone -q '${this.#server.origin}/registry.git' hand`);
    const script = "git lfs install --local --skip-smudge && git lfs pull && sync -f .";
    const pulled = await this.#host.counted(() => this.#bench.shell(join(dir, "hand"), script));
    Deno.removeSync(join(dir, "hand"), { recursive: true });
    return { name: "`git lfs pull`", ...pulled };
  }
}

/** A large file in Git LFS, of which little changed: in place, and behind a header that grew. */
export async function lfsParts(bench: Workbench): Promise<void> {
  await using world = new LfsWorld(bench);
  bench.report(...rows({ what: "pull from Git LFS", ...await measure(world) }));
}
