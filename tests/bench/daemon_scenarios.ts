import { join } from "node:path";
import { ROLES } from "../../lib/config/roles.ts";
import { GIT_ENV } from "../helpers/test_git.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { MIB } from "./units.ts";
import { taskWords } from "./task_flags.ts";
import type { Workbench } from "./workbench.ts";
import { makeWorld, writeModels } from "./world.ts";

/** A leap day: no role is due while the daemon is measured. */
const NEVER = "0 0 29 2 *";

/** A server that no role contacts before it is due. */
const NOWHERE = "http://127.0.0.1:9";

/** Linux counts processor time in these clock ticks a second. */
const TICKS = 100;

/** The start is over after this time. */
const SETTLE_MS = 15_000;

/** Long enough to count ticks: 1 % of a core is 30 of them. */
const IDLE_MS = 30_000;

/** A daemon with every role, of which none is due, and with its health server. */
export async function daemonIdle(bench: Workbench): Promise<void> {
  const { registry, trainer, bot } = makeWorld(bench.dir);
  await writeModels(join(trainer, "models"), bench.scale.count(20), bench.scale.bytes(MIB), bench.signal);
  await bench.cli(trainer, "publish");
  await bench.cli(bot, "pull");
  configure(bot, registry);
  await using daemon = await startDaemon(bench, bot);
  await bench.pause(SETTLE_MS);
  const [before, startMs] = [processorMs(daemon.pid), performance.now()];
  await bench.pause(IDLE_MS);
  const percent = (processorMs(daemon.pid) - before) / (performance.now() - startMs) * 100;
  const fresh = residentMB(daemon.pid);
  await bench.cli(bot, "run-now", "client", "publisher", "--wait");
  await bench.pause(SETTLE_MS);
  const used = residentMB(daemon.pid);
  const what = `a daemon with all ${ROLES.length} roles and its health server, idle`;
  bench.report({
    what: `${what}: processor`,
    ours: `${percent.toFixed(2)} % of a core`,
    theirs: "",
    ratio: "",
    wanted: "under 1 %",
    kept: percent < 1,
  }, {
    what: `${what}: memory`,
    ours: `${fresh} MB, after a pull and a publish ${used} MB`,
    theirs: "",
    ratio: "",
    wanted: "under 120 MB",
    kept: Math.max(fresh, used) < 120,
  });
}

/** Configures a bot for every role. */
function configure(bot: string, registry: string): void {
  const schedule = { schedule: NEVER };
  const settings = {
    repo_url: registry,
    publisher: { ...schedule, train_before_push: false },
    client: schedule,
    runpod: { trigger_url: `${NOWHERE}/run`, status_url_template: `${NOWHERE}/status/{job_id}` },
    runpod_client: schedule,
    artifacts: { ...schedule, owner: "you", repository: "your-bot" },
    huggingface: { repo_id: "you/your-models" },
    huggingface_client: schedule,
    references: { ...schedule, primary_url: NOWHERE },
  };
  Deno.writeTextFileSync(join(bot, "configs/bot.yaml"), JSON.stringify({ model_sync: settings }));
  const env = { RUNPOD_API_KEY: "key", GITHUB_TOKEN: "token", HF_TOKEN: "token" };
  Deno.writeTextFileSync(
    join(bot, ".env"),
    Object.entries(env).map(([name, value]) => `${name}=${value}\n`).join(""),
  );
}

interface Daemon extends AsyncDisposable {
  readonly pid: number;
}

/** Starts a daemon as `deno task daemon` does, and waits until each role knows when it is due. */
async function startDaemon(bench: Workbench, bot: string): Promise<Daemon> {
  const roles = ROLES.flatMap((role) => ["--role", role]);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--config", `${PROJECT}deno.json`, ...taskWords("daemon")],
      ...[...roles, "--health-listen", "127.0.0.1:0"],
    ],
    cwd: bot,
    env: { ...GIT_ENV, NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    signal: bench.signal,
  }).spawn();
  const ready = Promise.withResolvers<void>();
  const reading = readLog(child.stderr, ready);
  await ready.promise;
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.status;
      await reading;
    },
  };
}

/** Reads a daemon's log to its end, which comes early if the daemon fails. */
async function readLog(
  stderr: ReadableStream<Uint8Array<ArrayBuffer>>,
  ready: Pick<PromiseWithResolvers<void>, "resolve" | "reject">,
): Promise<void> {
  let log = "";
  for await (const text of stderr.pipeThrough(new TextDecoderStream())) {
    log += text;
    if (ROLES.every((role) => log.includes(`next ${role} run at`))) ready.resolve();
  }
  ready.reject(new Error(log));
}

/** Processor time of a process so far, in user and kernel mode. */
function processorMs(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // After the program's name, which may contain blanks.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 1000 / TICKS;
}

/** Resident memory of a process, in millions of bytes. */
function residentMB(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const [, kilobytes = "NaN"] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
  return Math.round(Number(kilobytes) * 1024 / 1e6);
}
