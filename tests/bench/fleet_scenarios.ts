import { join } from "node:path";
import { startGitServer } from "../../fakes/git_server.ts";
import { HubServer } from "../../fakes/hub_server.ts";
import { Pool } from "../../lib/core/concurrency.ts";
import { REPO } from "../helpers/hub_machines.ts";
import { bareRepository, git } from "../helpers/test_git.ts";
import { CountingHost, type Passage } from "./counting_host.ts";
import { writeModel } from "./model_writer.ts";
import { peakOf, startsOf, turnedAway } from "./simulated_night.ts";
import type { Result } from "./table.ts";
import { median, MIB, size } from "./units.ts";
import type { Workbench } from "./workbench.ts";
import { CHANGED_MODEL, writeModels } from "./world.ts";

const CLIENTS = 1000;
const TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";

/** The models of the fleet, of which one changes each night. */
const [MODELS, MODEL_BYTES] = [20, 10 * MIB];

/** The delays that are compared, in minutes. */
const SPLAYS_MIN = [0, 10, 60];

/** A server that allows a client fleet so many requests in a second, and its `Retry-After`. */
const LIMIT = { requestsPerSecond: 50, retryAfterMs: 30_000 };

/** A registry behind a counting host, with a trainer and a bot that use it. */
interface Registry {
  readonly name: string;
  readonly hosts: readonly CountingHost[];
  readonly publish: readonly [command: string, folder: string];
  readonly pull: readonly [command: string, folder: string];
  /** What a user would type to find out whether there is something new. */
  readonly byHand?: readonly string[];
  /** Sends the request of a pull with nothing new, without a client. */
  readonly check: () => Promise<Response>;
}

/** A thousand clients of a git registry over HTTP, which needs a token. */
export async function gitFleet(bench: Workbench): Promise<void> {
  const bare = bareRepository(join(bench.dir, "repositories/registry.git"));
  git(bare, "config", "http.receivepack", "true");
  git(bare, "config", "uploadpack.allowFilter", "true");
  // As the guide of the git registry says: otherwise the server compares all models with each other for a first pull.
  git(bare, "config", "receive.unpackLimit", "1");
  await using server = startGitServer({ root: join(bench.dir, "repositories"), token: TOKEN });
  await using host = new CountingHost(server.origin);
  const repo_url = `${host.origin}/registry.git`;
  const settings = { repo_url, token_env: "REGISTRY_TOKEN", publisher: { train_before_push: false } };
  const [trainer, bot] = machines(bench, settings, `REGISTRY_TOKEN=${TOKEN}\n`);
  const authorization = `Basic ${btoa(`x-access-token:${TOKEN}`)}`;
  await measureFleet(bench, {
    name: "a git registry over HTTP",
    hosts: [host],
    publish: ["publish", trainer],
    pull: ["pull", bot],
    byHand: ["git", "ls-remote", repo_url.replace("://", `://x-access-token:${TOKEN}@`), "main"],
    check: () =>
      fetch(`${server.origin}/registry.git/info/refs?service=git-upload-pack`, {
        headers: { authorization },
      }),
  });
}

/** A thousand clients of a hub. */
export async function hubFleet(bench: Workbench): Promise<void> {
  const objects = join(bench.dir, "objects");
  Deno.mkdirSync(objects);
  await using server = new HubServer(objects);
  await using hub = new CountingHost(server.endpoint);
  await using storage = new CountingHost(server.storage.origin);
  server.storage.root = storage.origin;
  const [trainer, bot] = machines(
    bench,
    { huggingface: { repo_id: REPO } },
    `HF_ENDPOINT=${hub.origin}\nHF_TOKEN=${server.token}\n`,
  );
  const url = `${server.endpoint}/api/models/${REPO}/revision/main?expand=sha`;
  let etag = "";
  await measureFleet(bench, {
    name: "a hub",
    hosts: [hub, storage],
    publish: ["hf-upload", trainer],
    pull: ["hf-pull", bot],
    check: async () => {
      const response = await fetch(url, {
        headers: { authorization: `Bearer ${server.token}`, "if-none-match": etag },
      });
      etag = response.headers.get("etag") ?? etag;
      return response;
    },
  });
}

/** Creates the folders of a trainer and a bot with equal settings. */
function machines(bench: Workbench, settings: object, variables: string): readonly [string, string] {
  const folders = [join(bench.dir, "trainer"), join(bench.dir, "bot")] as const;
  for (const folder of folders) {
    Deno.mkdirSync(join(folder, "configs"), { recursive: true });
    Deno.writeTextFileSync(join(folder, "configs/bot.yaml"), JSON.stringify({ model_sync: settings }));
    Deno.writeTextFileSync(join(folder, ".env"), variables);
  }
  return folders;
}

async function measureFleet(bench: Workbench, registry: Registry): Promise<void> {
  const { name, publish: [publish, trainer], pull: [pull, bot] } = registry;
  const [count, bytes] = [bench.scale.count(MODELS), bench.scale.bytes(MODEL_BYTES)];
  const models = join(trainer, "models");
  await writeModels(models, count, bytes, bench.signal);
  await bench.cli(trainer, publish);
  await bench.cli(bot, pull);
  const unchanged = await counted(bench, registry, () => bench.cli(bot, pull));
  await writeModel(join(models, CHANGED_MODEL), bytes, bench.signal);
  await bench.cli(trainer, publish);
  const changed = await counted(bench, registry, () => bench.cli(bot, pull));
  const { byHand } = registry;
  const looked = byHand && await counted(bench, registry, () => bench.run(bench.dir, byHand));
  const perSecond = await checksPerSecond(bench, registry);
  bench.report(
    {
      ...pullRow(`${pull} with nothing new, from ${name}`, unchanged),
      theirs: looked === undefined ? "" : `\`git ls-remote\`: ${sentBy(looked)}`,
      wanted: "one request",
      kept: requestsOf(unchanged) === 1,
    },
    pullRow(`${pull} after 1 of ${count} files of ${size(bytes)} changed, from ${name}`, changed),
    nightRow(`${CLIENTS} clients of ${name} at 06:00, nothing new: busiest second`, unchanged),
    nightRow(`${CLIENTS} clients of ${name} at 06:00, a new release: busiest second`, changed),
    {
      what: `checks of ${name} that this machine serves`,
      ours: `${Math.round(perSecond)} a second`,
      theirs: "",
      ratio: `${CLIENTS} clients at once are answered after ${(CLIENTS / perSecond).toFixed(1)} s`,
      wanted: "",
    },
  );
}

/** Returns what passed the hosts during some work. */
async function counted(
  bench: Workbench,
  { hosts }: Registry,
  work: () => Promise<unknown>,
): Promise<readonly Passage[]> {
  for (const host of hosts) host.restart();
  await work();
  // The last bytes of the hosts pass while the process ends.
  await bench.pause(100);
  return hosts.flatMap(({ passages }) => passages);
}

function requestsOf(pull: readonly Passage[]): number {
  return sum(pull.map(({ requests }) => requests));
}

function bytesOf(pull: readonly Passage[]): number {
  return sum(pull.map(({ bytes }) => bytes));
}

function sentBy(pull: readonly Passage[]): string {
  const requests = requestsOf(pull);
  return `${requests} ${requests === 1 ? "request" : "requests"}, ${size(bytesOf(pull))}`;
}

function pullRow(what: string, pull: readonly Passage[]): Result {
  const [requests, bytes] = [requestsOf(pull), bytesOf(pull)];
  return {
    what,
    ours: sentBy(pull),
    theirs: "",
    ratio: `${CLIENTS} clients: ${(requests * CLIENTS).toLocaleString("en")} requests, ${
      size(bytes * CLIENTS)
    }`,
    wanted: "",
  };
}

function nightRow(what: string, pull: readonly Passage[]): Result {
  const [none, ...delayed] = SPLAYS_MIN.map((minutes) => {
    const peak = peakOf(startsOf(CLIENTS, minutes * 60_000), pull);
    return `${minutes === 0 ? "without `splay`" : `${minutes}m`}: ${peak.requests} requests, ${
      size(peak.bytes)
    }`;
  });
  return { what, ours: delayed.join("; "), theirs: none ?? "", ratio: "simulated", wanted: "" };
}

/** Returns how many checks a second the server answers on this machine, eight at once. */
async function checksPerSecond(bench: Workbench, { check }: Registry): Promise<number> {
  const rates: number[] = [];
  const checks = bench.scale.count(200);
  for (let round = 0; round < bench.scale.rounds(3); round++) {
    const pool = new Pool(8);
    const startMs = performance.now();
    for (let index = 0; index < checks; index++) {
      await pool.add(async () => {
        const response = await check();
        await response.arrayBuffer();
        if (!response.ok && response.status !== 304) throw new Error(`answered ${response.status}`);
      });
    }
    await pool.drain();
    rates.push(checks / (performance.now() - startMs) * 1000);
    bench.signal.throwIfAborted();
  }
  return median(rates);
}

/** A server that turns most of a thousand clients away, which start in the same second. */
export function turnedAwayFleet(bench: Workbench): Promise<void> {
  const random = Array.from({ length: bench.scale.rounds(9) }, () => turnedAway(CLIENTS, LIMIT, Math.random));
  const exact = turnedAway(CLIENTS, LIMIT, () => 0);
  const mostOf = (key: "peak" | "lastSecond" | "gaveUp") => median(random.map((one) => one[key]));
  const { requestsPerSecond, retryAfterMs } = LIMIT;
  bench.report({
    what:
      `${CLIENTS} clients in one second, of which a server takes ${requestsPerSecond} a second and sends ` +
      `the others away for ${retryAfterMs / 1000} s: busiest second afterwards`,
    ours: `${mostOf("peak")} requests; all served after ${mostOf("lastSecond")} s, ${
      mostOf("gaveUp")
    } gave up`,
    theirs: `without jitter: ${exact.peak} requests, ${exact.gaveUp} gave up`,
    ratio: "simulated",
    wanted: "none gives up",
    kept: mostOf("gaveUp") === 0,
  });
  return Promise.resolve();
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
