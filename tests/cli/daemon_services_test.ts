import assert from "node:assert/strict";
import { join } from "node:path";
import { announceDaemon } from "../../lib/store/daemons.ts";
import { openStore } from "../../lib/store/store.ts";
import { NotifyReceiver } from "../helpers/notify_receiver.ts";
import { parseMetrics, valueOf } from "../helpers/parse_metrics.ts";
import { HAS_PROMTOOL, promtoolSays } from "../helpers/promtool.ts";
import { cliArgs } from "../helpers/run_cli.ts";
import { world } from "../helpers/seed_world.ts";
import { startCli } from "../helpers/start_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { GIT_ENV } from "../helpers/test_git.ts";

Deno.test({
  name: "a daemon that systemd started reports to it under its own permission set, from READY to STOPPING",
  ignore: Deno.build.os === "windows",
  async fn() {
    using dir = tempDir();
    const { trainer } = world(dir);
    // Its training prints the systemd variables that a program of the daemon inherits.
    writeFiles(trainer, {
      "configs/bot.yaml": `model_sync:
  repo_dir: "../trainer-clone"
  publisher: {train_command: [sh, -c, 'echo "\${NOTIFY_SOCKET-none} \${WATCHDOG_USEC-none}" > heard']}
`,
    });
    using receiver = new NotifyReceiver(join(dir.path, "notify"));
    const daemon = new Deno.Command(Deno.execPath(), {
      args: cliArgs("daemon", ["--role", "publisher", "--run-on-start"], { entry: "script" }),
      cwd: trainer,
      env: { ...GIT_ENV, NO_COLOR: "1", NOTIFY_SOCKET: receiver.address, WATCHDOG_USEC: "200000" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const working = async () => {
      await receiver.until(/^READY=1$/);
      await receiver.until(/^WATCHDOG=1$/);
      await receiver.until(/^STATUS=publisher: next run at/);
      await receiver.until(/^WATCHDOG=1$/);
    };
    const ended = daemon.status.then(({ code }) => assert.fail(`the daemon ended with ${code}`));
    ended.catch(() => {});
    await Promise.race([working(), ended]);
    daemon.kill("SIGTERM");
    await receiver.until(/^STOPPING=1$/);
    const { code, stderr } = await daemon.output();
    assert.equal(code, 0);
    assert.doesNotMatch(new TextDecoder().decode(stderr), /cannot report/);
    assert.equal(Deno.readTextFileSync(join(trainer, "heard")), "none none\n");
  },
});

Deno.test("a daemon serves its health and metrics at the given address until it ends", async () => {
  using dir = tempDir();
  const { bot } = world(dir);
  const daemon = startCli("daemon", ["--role", "client", "--health-listen", "127.0.0.1:0"], { cwd: bot });
  const [, address = ""] = /(http:[\d./:]+): \/healthz/.exec(await daemon.until(/\/healthz and/)) ?? [];
  await daemon.until(/next client run at/);
  const health = await (await fetch(`${address}/healthz`)).json();
  assert.equal(health.alive, true);
  assert.ok(Date.parse(health.roles.client.nextDue) > Date.now());
  const metrics = await (await fetch(`${address}/metrics`)).text();
  assert.equal(valueOf(parseMetrics(metrics), "model_sync_role_paused", { role: "client" }), 0);
  if (HAS_PROMTOOL) assert.equal(await promtoolSays(metrics), "");
  daemon.stop();
  assert.equal(await daemon.exitCode, 0);
  await assert.rejects(fetch(`${address}/healthz`));
});

Deno.test("a daemon with a port or role that is taken does not start, and says why in one line", async () => {
  using dir = tempDir();
  const { bot } = world(dir);
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const refused = startCli(
    "daemon",
    ["--role", "client", "--health-listen", `127.0.0.1:${taken.addr.port}`],
    {
      cwd: bot,
    },
  );
  assert.equal(await refused.exitCode, 1);
  assert.match(refused.said, /^error: Cannot listen on 127\.0\.0\.1:\d+: another program uses the port$/m);
  assert.doesNotMatch(refused.said, /next client run/);

  const context = testContext();
  const store = openStore(Deno, { modelsDir: join(bot, "models") });
  using _first = await announceDaemon(context, store, ["client"]);
  const second = startCli("daemon", ["--role", "client"], { cwd: bot });
  assert.equal(await second.exitCode, 6);
  assert.match(second.said, /^error: Cannot start the daemon: another daemon has the role client /m);
  assert.doesNotMatch(second.said, /stop it with Ctrl-C/);
});

Deno.test("a daemon whose store is removed exits with 6 and one line if another daemon has its role in the new store", async () => {
  using dir = tempDir();
  const { bot } = world(dir);
  const location = { modelsDir: join(bot, "models") };
  const daemon = startCli("daemon", ["--role", "client"], { cwd: bot });
  await daemon.until(/next client run at/);
  Deno.removeSync(join(bot, ".model-sync"), { recursive: true });
  using _other = await announceDaemon(testContext(), openStore(Deno, location), ["client"]);
  assert.equal(await daemon.exitCode, 6);
  const [, said = ""] = daemon.said.split(/(?=^error: )/m);
  assert.match(
    said,
    /^error: Cannot keep the daemon running: the store was removed, and another daemon has [^\n]*\nnext: [^\n]*\n$/,
  );
  assert.doesNotMatch(daemon.said, /daemon stopped/);
});
