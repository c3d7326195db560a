import assert from "node:assert/strict";
import { join } from "node:path";
import { announceDaemon } from "../../lib/store/daemons.ts";
import { markRun } from "../../lib/store/running.ts";
import { openStore } from "../../lib/store/store.ts";
import { passwordOfEnvironment } from "../../web/access/password_source.ts";
import { cliArgs, runCli } from "../helpers/run_cli.ts";
import { world } from "../helpers/seed_world.ts";
import { startCli, type StartedCli } from "../helpers/start_cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { GIT_ENV } from "../helpers/test_git.ts";

const LISTEN = ["--listen", "127.0.0.1:0"];

const PASSWORD = "correct horse battery staple";

/** Runs the command as a process that reads a text from its standard input. */
async function dashboardWith(
  option: string,
  text: string,
  cwd: string,
): Promise<{ readonly code: number; readonly stdout: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: cliArgs("dashboard", [option], { entry: "script" }),
    cwd,
    env: { ...GIT_ENV, NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(text));
  await input.close();
  const { code, stdout } = await child.output();
  return { code, stdout: new TextDecoder().decode(stdout) };
}

/** Text of a page, without its tags. */
async function textOf(address: string): Promise<string> {
  const page = await (await fetch(address)).text();
  return page.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
}

async function addressOf(dashboard: StartedCli): Promise<string> {
  const [, address = ""] = /dashboard: (http:\S+)/.exec(await dashboard.until(/dashboard: http:\S+\n/)) ?? [];
  return address;
}

/** Waits for a change of the fleet, as an open page does. @returns the version before where the stream ends first */
async function nextChange(address: string, since: string): Promise<string> {
  const response = await fetch(`${address}/api/v1/live?since=${since}`);
  let heard = "";
  for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    heard += text;
    const [, version] = /^id: (\w+)$/m.exec(heard) ?? [];
    if (version !== undefined) return version;
  }
  return since;
}

/** One change of a machine reaches the page in a few steps: its run, its state, its daemon. */
const CHANGES_MAX = 20;
/** Streams end after a minute: a page that shows nothing of it by then will not. */
const STREAMS_MAX = 2;

/** An open page. */
class OpenPages {
  readonly #address: string;
  #version = "";

  constructor(address: string) {
    this.#address = address;
  }

  /** Reads a page after each change of the fleet, until it matches. */
  async until(path: string, pattern: RegExp): Promise<void> {
    let text = "";
    let streams = 0;
    for (let changes = 0; changes < CHANGES_MAX && streams < STREAMS_MAX; changes++) {
      text = await textOf(`${this.#address}${path}`);
      if (pattern.test(text)) return;
      const before = this.#version;
      this.#version = await nextChange(this.#address, before);
      if (this.#version === before) streams++;
    }
    assert.match(text, pattern);
  }
}

Deno.test("a dashboard shows the past and the later runs of its machine", async () => {
  using dir = tempDir();
  const { trainer, bot, registry } = world(dir);
  await runCli("publish", [], { cwd: trainer });
  await runCli("pull", [], { cwd: bot });
  const dashboard = startCli("dashboard", LISTEN, { cwd: bot });
  const address = await addressOf(dashboard);
  const pages = new OpenPages(address);
  await pages.until("/", /The node is healthy\..*pull, no daemon.*activated/);
  // A run that is going on, and a daemon.
  const store = openStore(Deno, { modelsDir: join(bot, "models") });
  const context = testContext();
  {
    const startedAt = new Date().toISOString();
    using _mark = markRun(context, store, { runId: "20990101T000000Z-abcdef", command: "verify", startedAt });
    using _daemon = await announceDaemon(context, store, ["client"]);
    await pages.until(`/nodes/${Deno.hostname()}/client`, /Running now.*verify ?, started/);
  }
  Deno.removeSync(registry, { recursive: true });
  const failed = await runCli("pull", [], { cwd: bot });
  assert.equal(failed.code, 4, failed.stderr);
  await pages.until("/", /The node needs attention\..*failed to pull/);
  dashboard.stop();
  assert.equal(await dashboard.exitCode, 0);
  await assert.rejects(fetch(address));
});

Deno.test("a restarted dashboard continues where it stopped, and counts no run twice", async () => {
  using dir = tempDir();
  const { trainer } = world(dir);
  await runCli("publish", [], { cwd: trainer });
  const shown: string[] = [];
  for (let round = 0; round < 2; round++) {
    const dashboard = startCli("dashboard", LISTEN, { cwd: trainer });
    const address = await addressOf(dashboard);
    await new OpenPages(address).until("/", /The node is healthy/);
    shown.push(
      String(await (await fetch(`${address}/api/v1/fleet`)).json().then(({ nodes }) => nodes.length)),
    );
    dashboard.stop();
    assert.equal(await dashboard.exitCode, 0);
  }
  assert.deepEqual(shown, ["1", "1"]);
});

Deno.test("an address that other machines reach needs a password, which standard input can set", async () => {
  using dir = tempDir();
  const open = await runCli("dashboard", ["--listen", "0.0.0.0:0"], { cwd: dir.path });
  assert.equal(open.code, 2);
  assert.match(open.stderr, /no password is set\n.*--set-password/);
  const { code, stdout } = await dashboardWith("--set-password", `${PASSWORD}\nnot read\n`, dir.path);
  assert.deepEqual([code, /The password is set/.test(stdout)], [0, true]);
  const dashboard = startCli("dashboard", ["--listen", "0.0.0.0:0"], { cwd: dir.path });
  const address = (await addressOf(dashboard)).replace("0.0.0.0", "127.0.0.1");
  assert.match(await textOf(address), /Sign in/);
  dashboard.stop();
  assert.equal(await dashboard.exitCode, 0);
});

Deno.test("--hash-password prints the hash for the variable, and opens no database", async () => {
  using dir = tempDir();
  const { code, stdout } = await dashboardWith("--hash-password", `${PASSWORD}\n`, dir.path);
  assert.equal(code, 0);
  const variables = new Map([["MODEL_SYNC_DASHBOARD_PASSWORD_HASH", stdout.trim()]]);
  const source = passwordOfEnvironment({ get: (name) => variables.get(name) });
  assert.ok(source?.kind === "set" && await source.password.matches(PASSWORD));
  assert.deepEqual(Array.from(Deno.readDirSync(dir.path)), []);
});

Deno.test("a port that is taken, and a file that is not a database, are errors of one line", async () => {
  using dir = tempDir();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  const busy = await runCli("dashboard", ["--listen", `127.0.0.1:${port}`], { cwd: dir.path });
  assert.equal(busy.code, 1);
  assert.match(
    busy.stderr,
    /^error: Cannot listen on 127\.0\.0\.1:\d+: another program uses the port\nnext: .*--listen/,
  );
  Deno.writeTextFileSync(join(dir.path, "text"), "not a database, but a text of some length".repeat(100));
  const wrong = await runCli("dashboard", [...LISTEN, "--kv", "text"], { cwd: dir.path });
  assert.equal(wrong.code, 7);
  assert.match(wrong.stderr, /^error: Cannot .* database.*\nnext: /);
  assert.doesNotMatch(wrong.stderr, /\n\s+at /);
});

Deno.test({
  name: "a dashboard serves under its own permission set, and ends with SIGTERM while pages are open",
  ignore: Deno.build.os === "windows",
  async fn() {
    using dir = tempDir();
    const child = new Deno.Command(Deno.execPath(), {
      args: cliArgs("dashboard", LISTEN, { entry: "script" }),
      cwd: dir.path,
      env: { ...GIT_ENV, NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const [, address = ""] = /dashboard: (http:\S+)/.exec((await reader.read()).value ?? "") ?? [];
    assert.match(await textOf(address), /No node has reported yet\./);
    const open = await fetch(`${address}/api/v1/live`);
    child.kill("SIGTERM");
    // The stream ends, instead of keeping the server from ending.
    assert.match(await open.text(), /^retry: /);
    assert.equal((await child.status).code, 0);
    await reader.cancel();
  },
});
