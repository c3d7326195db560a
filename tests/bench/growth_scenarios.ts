import { join } from "node:path";
import { ingest } from "../../web/store/ingest.ts";
import { systemClock } from "../../lib/core/clock.ts";
import { HubServer } from "../../fakes/hub_server.ts";
import { simulateFleet } from "../../configs/demo/fleet/simulate_fleet.ts";
import { REPO } from "../helpers/hub_machines.ts";
import { testContext } from "../helpers/test_context.ts";
import { peakMB, readPage, startDashboard } from "./dashboard_process.ts";
import { type Curve, growthRow } from "./growth.ts";
import { addReleases } from "./history_writer.ts";
import { writeModel, writeRandomFile } from "./model_writer.ts";
import { GIB, median, MIB, ms, seconds, size } from "./units.ts";
import type { Measured, Workbench } from "./workbench.ts";
import { CHANGED_MODEL, makeWorld, writeModels } from "./world.ts";

/** The costs of several actions, collected size by size. */
class Growth {
  readonly #bench: Workbench;
  readonly #showSize: (size: number) => string;
  readonly #curves = new Map<string, { points: [number, number][]; showCost: (cost: number) => string }>();

  constructor(bench: Workbench, showSize: (size: number) => string) {
    this.#bench = bench;
    this.#showSize = showSize;
  }

  add(what: string, atSize: number, cost: number, showCost: (cost: number) => string): void {
    const curve = this.#curves.get(what) ?? { points: [], showCost };
    curve.points.push([atSize, cost]);
    this.#curves.set(what, curve);
  }

  /** Adds the time and the memory of a command. */
  addRun(what: string, atSize: number, { wallMs, peakKiB }: Measured): void {
    this.add(what, atSize, wallMs, seconds);
    this.add(`${what}: peak memory`, atSize, peakKiB * 1024, size);
  }

  report(): void {
    const curves: Curve[] = [...this.#curves].map(([what, { points, showCost }]) => ({
      what,
      points,
      showSize: this.#showSize,
      showCost,
    }));
    this.#bench.report(...curves.map(growthRow));
  }
}

function number(value: number): string {
  return value.toLocaleString("en");
}

/** Sets of more and more files of 1 KiB. */
export async function growthOfFiles(bench: Workbench): Promise<void> {
  const growth = new Growth(bench, (files) => `${number(files)} files`);
  for (const count of bench.scale.steps([100, 1_000, 10_000, 100_000])) {
    const root = join(bench.dir, String(count));
    const { trainer, bot } = makeWorld(root);
    await writeModels(join(trainer, "models"), count, 1024, bench.signal);
    growth.addRun("first publish", count, await bench.cli(trainer, "publish"));
    growth.addRun("first pull", count, await bench.cli(bot, "pull"));
    // Timestamps of files that were written a moment ago are not trusted yet.
    await bench.pause(3000);
    await bench.cli(trainer, "publish");
    growth.addRun("publish with nothing new", count, await bench.cli(trainer, "publish"));
    growth.addRun("pull with nothing new", count, await bench.cli(bot, "pull"));
    await writeModel(join(trainer, "models", CHANGED_MODEL), 1024, bench.signal);
    growth.addRun("publish of one changed file", count, await bench.cli(trainer, "publish"));
    growth.addRun("pull of one changed file", count, await bench.cli(bot, "pull"));
    growth.addRun("rollback", count, await bench.cli(bot, "rollback"));
    growth.addRun("verify", count, await bench.cli(bot, "verify"));
    growth.addRun("status", count, await bench.cli(bot, "status"));
    bench.signal.throwIfAborted();
  }
  growth.report();
}

/** Ever larger sets of eight models, through a git registry. */
export async function growthOfBytesInGit(bench: Workbench): Promise<void> {
  const growth = new Growth(bench, size);
  for (const bytes of bench.scale.sizes([10 * MIB, 100 * MIB, GIB, 4 * GIB])) {
    const root = join(bench.dir, String(bytes));
    const { trainer, bot } = makeWorld(root);
    await writeModels(join(trainer, "models"), 8, bytes / 8, bench.signal);
    growth.addRun("first publish to a git registry", bytes, await bench.cli(trainer, "publish"));
    growth.addRun("first pull from a git registry", bytes, await bench.cli(bot, "pull"));
    growth.addRun("verify --deep", bytes, await bench.cli(bot, "verify", "--deep"));
    Deno.removeSync(root, { recursive: true });
  }
  growth.report();
}

/** Ever larger sets of eight models, through a hub. The largest needs 32 GiB of disk space. */
export async function growthOfBytesOnHub(bench: Workbench): Promise<void> {
  const growth = new Growth(bench, size);
  for (const bytes of bench.scale.sizes([10 * MIB, 100 * MIB, GIB, 4 * GIB, 16 * GIB])) {
    const root = join(bench.dir, String(bytes));
    const [objects, trainer, bot] = ["objects", "trainer", "bot"].map((name) => join(root, name)) as [
      string,
      string,
      string,
    ];
    Deno.mkdirSync(objects, { recursive: true });
    await using server = new HubServer(objects);
    for (const folder of [trainer, bot]) {
      Deno.mkdirSync(join(folder, "configs"), { recursive: true });
      Deno.writeTextFileSync(
        join(folder, "configs/bot.yaml"),
        `model_sync: {huggingface: {repo_id: ${REPO}}}\n`,
      );
      Deno.writeTextFileSync(
        join(folder, ".env"),
        `HF_ENDPOINT=${server.endpoint}\nHF_TOKEN=${server.token}\n`,
      );
    }
    await writeModels(join(trainer, "models"), 8, bytes / 8, bench.signal);
    growth.addRun("first hf-upload", bytes, await bench.cli(trainer, "hf-upload"));
    Deno.removeSync(join(trainer, "models"), { recursive: true });
    growth.addRun("first hf-pull", bytes, await bench.cli(bot, "hf-pull"));
    growth.addRun("hf-pull with nothing new", bytes, await bench.cli(bot, "hf-pull"));
    Deno.removeSync(root, { recursive: true });
  }
  growth.report();
}

/** A model whose content may be any bytes. */
const PLAIN_MODEL = "symbol_0/model.bin";

/** A git registry with more and more releases, of six models of 4 KiB of which one changes each time. */
export async function growthOfReleases(bench: Workbench): Promise<void> {
  const growth = new Growth(bench, (releases) => `${number(releases)} releases`);
  const { registry, trainer } = makeWorld(bench.dir);
  await writeModels(join(trainer, "models"), 5, 4096, bench.signal);
  await writeRandomFile(join(trainer, "models", PLAIN_MODEL), 4096, bench.signal);
  await bench.cli(trainer, "publish");
  let published = 1;
  for (const releases of bench.scale.steps([2, 20, 200, 2_000])) {
    await addReleases(registry, releases - published, PLAIN_MODEL);
    published = releases;
    const { bot, other } = configured(join(bench.dir, String(releases)), registry);
    growth.addRun("first pull", releases, await bench.cli(bot, "pull"));
    growth.addRun("pull with nothing new", releases, await bench.cli(bot, "pull"));
    growth.addRun("`releases --remote`", releases, await bench.cli(bot, "releases", "--remote"));
    await writeModels(join(other, "models"), 5, 4096, bench.signal);
    await writeRandomFile(join(other, "models", PLAIN_MODEL), 4096, bench.signal);
    growth.addRun("publish from a new machine", releases, await bench.cli(other, "publish"));
    growth.addRun("publish of one changed file", releases + 1, await again(bench, other, "publish"));
    growth.addRun("pull of one changed file", releases + 1, await bench.cli(bot, "pull"));
  }
  growth.report();
}

/** Creates a bot and another trainer for a registry. */
function configured(root: string, registry: string): { readonly bot: string; readonly other: string } {
  const [bot, other] = [join(root, "bot"), join(root, "other")];
  for (const folder of [bot, other]) {
    Deno.mkdirSync(join(folder, "configs"), { recursive: true });
    Deno.writeTextFileSync(
      join(folder, "configs/bot.yaml"),
      JSON.stringify({ model_sync: { repo_url: registry, publisher: { train_before_push: false } } }),
    );
  }
  return { bot, other };
}

async function again(bench: Workbench, trainer: string, command: string): Promise<Measured> {
  await writeModel(join(trainer, "models", CHANGED_MODEL), 4096, bench.signal);
  return await bench.cli(trainer, command);
}

const RUNS_PER_NODE = 10;

/** A dashboard with more and more nodes, of ten runs each. */
export async function growthOfNodes(bench: Workbench): Promise<void> {
  const growth = new Growth(bench, (nodes) => `${number(nodes)} nodes`);
  for (const nodes of bench.scale.steps([1, 10, 100, 1_000, 10_000])) {
    const file = join(bench.dir, `kv-${nodes}.sqlite3`);
    await fill(bench, file, nodes);
    const startMs = performance.now();
    await using server = await startDashboard(bench, file);
    const { bytes } = await readPage(`${server.origin}/`);
    growth.add("dashboard: started, until the first page is read", nodes, performance.now() - startMs, ms);
    const times: number[] = [];
    for (let round = 0; round < bench.scale.rounds(15); round++) {
      times.push((await readPage(`${server.origin}/`)).wallMs);
    }
    growth.add("dashboard: the fleet page", nodes, median(times), ms);
    growth.add("dashboard: bytes of the fleet page", nodes, bytes, size);
    growth.add("dashboard: peak memory", nodes, peakMB(server.pid) * 1e6, size);
    growth.add("dashboard: the database", nodes, Deno.statSync(file).size, size);
  }
  growth.report();
}

async function fill(bench: Workbench, file: string, nodes: number): Promise<void> {
  using kv = await Deno.openKv(file);
  const web = { kv, clock: systemClock, log: testContext().log };
  const fleet = { days: 30, batchHours: 30 * 24, nodes, now: systemClock.now(), runsPerNode: RUNS_PER_NODE };
  for (const { events } of simulateFleet(fleet)) {
    bench.signal.throwIfAborted();
    await ingest(web, events);
  }
}
