import assert from "node:assert/strict";
import { join } from "node:path";
import { ServiceWorld } from "../helpers/service_world.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const UNIT = "/etc/systemd/system/model-sync-client.service";
const CLIENT = ["--role", "client"];
/** The programs of the world are POSIX shell scripts. */
const ignore = Deno.build.os === "windows";

Deno.test({
  name:
    "service install writes a unit, enables and starts it, and is idempotent; status and uninstall follow it",
  ignore,
  async fn() {
    using dir = tempDir();
    const machine = new ServiceWorld(dir.path);
    const absent = await machine.run("status", ...CLIENT);
    assert.equal(absent.code, 1);
    assert.match(
      absent.stdout,
      /^✗ model-sync-client\n {2}missing {3}\/etc\/systemd\/[^]*install --role client$/m,
    );

    const dry = await machine.run("install", ...CLIENT, "--run-as", "bot", "--dry-run");
    assert.match(dry.stdout, new RegExp(`would write ${UNIT}\n {2}would run systemctl daemon-reload\n`));
    assert.deepEqual(machine.calls(), []);

    const installed = await machine.run(
      "install",
      ...CLIENT,
      "--run-as",
      "bot",
      "--health-listen",
      "127.0.0.1:9464",
    );
    assert.deepEqual([installed.code, installed.stderr], [0, ""]);
    assert.match(installed.stdout, /^✓ installed and started model-sync-client\n/);
    assert.match(
      installed.stdout,
      /runs as bot in .*: \/usr\/local\/bin\/model-sync daemon --role client --config /,
    );
    assert.match(installed.stdout, /logs: journalctl -u model-sync-client -f/);
    assert.deepEqual(machine.calls(), [
      "systemctl daemon-reload",
      "systemctl enable model-sync-client.service",
      "systemctl restart model-sync-client.service",
    ]);
    const unit = machine.text(UNIT);
    const config = join(machine.project, "configs/bot.yaml");
    assert.ok(
      unit.includes(
        `ExecStart=/usr/local/bin/model-sync daemon --role client --config ${config} --health-listen 127.0.0.1:9464\n`,
      ),
      unit,
    );
    assert.match(unit, /^User=bot$/m);

    const again = await machine.run(
      "install",
      ...CLIENT,
      "--run-as",
      "bot",
      "--health-listen",
      "127.0.0.1:9464",
      "--json",
    );
    assert.equal(JSON.parse(again.stdout).services[0].outcome, "unchanged");
    assert.deepEqual([machine.calls(), machine.text(UNIT)], [[], unit]);

    // It knows the options with which the unit was written.
    const status = await machine.run("status", ...CLIENT);
    assert.equal(status.code, 0, status.stdout);
    assert.match(
      status.stdout,
      /^✓ model-sync-client\n {2}current .*\n {2}enabled, active \(running\), result: success, client: next/,
    );

    const updated = await machine.run("install", ...CLIENT, "--run-as", "bot");
    assert.match(updated.stdout, /^✓ updated and started/);
    assert.equal(machine.calls().at(-1), "systemctl restart model-sync-client.service");

    const removed = await machine.run("uninstall", ...CLIENT);
    assert.match(
      removed.stdout,
      new RegExp(`✓ stopped and removed model-sync-client\n {2}removed ${UNIT}\n`),
    );
    assert.deepEqual(machine.calls(), [
      "systemctl disable --now model-sync-client.service",
      "systemctl daemon-reload",
      "systemctl reset-failed model-sync-client.service",
    ]);
    assert.throws(() => machine.text(UNIT), Deno.errors.NotFound);
    assert.match((await machine.run("uninstall", ...CLIENT)).stdout, /^nothing to remove/);
    assert.deepEqual(machine.calls(), []);
  },
});

Deno.test({
  name: "edited and foreign texts and those of another project are not replaced or removed without --force",
  ignore,
  async fn() {
    using dir = tempDir();
    const machine = new ServiceWorld(dir.path);
    await machine.run("install", ...CLIENT);
    const written = machine.text(UNIT);
    const cases = [
      [
        written.replace("RestartSec=30", "RestartSec=5"),
        /it was edited after model-sync wrote it\nnext: .*drop-in/,
      ],
      ["[Service]\nExecStart=/opt/other\n", /model-sync did not write it\nnext: .*--name/],
      [`# ${written}`, /it was edited/],
    ] as const;
    for (const [text, says] of cases) {
      machine.write(UNIT, text);
      machine.calls();
      for (const verb of ["install", "uninstall"]) {
        const refused = await machine.run(verb, ...CLIENT);
        assert.equal(refused.code, 1);
        assert.match(refused.stderr, says);
      }
      assert.equal((await machine.run("status", ...CLIENT)).code, 1);
      assert.deepEqual([machine.calls(), machine.text(UNIT)], [[], text]);
    }
    assert.equal((await machine.run("install", ...CLIENT, "--force")).code, 0);
    assert.equal(machine.text(UNIT), written);

    const other = new ServiceWorld(join(dir.path, "other"));
    other.write(UNIT, written);
    assert.match(
      (await other.run("install", ...CLIENT)).stderr,
      /belongs to the service of another project\nnext: .*--name/,
    );
    const named = await other.run("install", ...CLIENT, "--name", "second-bot");
    assert.match(named.stdout, /started second-bot/);
    assert.ok(other.text("/etc/systemd/system/second-bot.service").includes("Type=notify"));
    assert.equal((await other.run("install", ...CLIENT, "--name", "../x")).code, 2);
  },
});

Deno.test({
  name: "an interrupted installation is completed by the next one, and a failing manager is quoted",
  ignore,
  async fn() {
    using dir = tempDir();
    const machine = new ServiceWorld(dir.path);
    machine.write(
      "systemctl.fails",
      "System has not been booted with systemd as init system. Failed to connect to bus\n",
    );
    const failed = await machine.run("install", ...CLIENT);
    assert.equal(failed.code, 1);
    assert.match(
      failed.stderr,
      /Cannot run systemctl show --property=Version: .*not been booted.*\nnext: .*--kind cron/,
    );
    assert.throws(() => machine.text(UNIT), Deno.errors.NotFound);
    Deno.removeSync(join(dir.path, "systemctl.fails"));

    // As after a kill between the unit and its start.
    await machine.run("install", ...CLIENT);
    Deno.removeSync(join(dir.path, "model-sync-client.service.active"));
    machine.calls();
    assert.equal((await machine.run("install", ...CLIENT)).code, 0);
    assert.equal(machine.calls().length, 3);
    Deno.removeSync(join(dir.path, "bin/launchctl"));
    const without = await machine.run("status", ...CLIENT, "--kind", "launchd");
    assert.match(without.stderr, /Cannot run "launchctl": no such program on the PATH\nnext: .*--kind/);
  },
});

Deno.test({
  name:
    "a service of the system needs root, one of the user does not; a timer gets its times from the schedule",
  ignore,
  async fn() {
    using dir = tempDir();
    const machine = new ServiceWorld(dir.path);
    machine.write("uid", "1000\n");
    const refused = await machine.run("install", ...CLIENT);
    assert.equal(refused.code, 2);
    assert.match(
      refused.stderr,
      /this user is not root\nnext: .*sudo \/usr\/local\/bin\/model-sync service.*--user/,
    );
    assert.match((await machine.run("install", ...CLIENT, "--dry-run")).stdout, /would write/);

    const roles = [...CLIENT, "--role", "publisher", "--user", "--timer"];
    const installed = await machine.run("install", ...roles);
    assert.equal(installed.code, 0, installed.stderr);
    assert.match(installed.stdout, /loginctl enable-linger/);
    assert.deepEqual(machine.calls().filter((line) => /enable/.test(line)), [
      "systemctl --user enable model-sync-client.timer",
      "systemctl --user enable model-sync-publisher.timer",
    ]);
    const timer = machine.text("home/.config/systemd/user/model-sync-client.timer");
    assert.match(
      timer,
      /^OnCalendar=\*-\*-\* 6:0:00\nOnCalendar=Mon,Tue,Wed,Thu,Fri \*-\*-\* 18,19,20:0,30:00$/m,
    );
    assert.match(timer, /^RandomizedDelaySec=600$/m);
    assert.match(
      machine.text("home/.config/systemd/user/model-sync-client.service"),
      /^ExecStart=\S+ pull --config /m,
    );
    // Without --timer, the status knows it from the unit.
    assert.match((await machine.run("status", ...CLIENT, "--user")).stdout, /✓ model-sync-client[^]*\.timer/);
    assert.equal((await machine.run("uninstall", ...CLIENT, "--user")).code, 0);
    assert.throws(
      () => machine.text("home/.config/systemd/user/model-sync-client.timer"),
      Deno.errors.NotFound,
    );

    machine.write(
      "bot/configs/bot.yaml",
      "model_sync: {repo_url: x, client: {deny: [{cron: '0 8 * * *', duration: 9h}]}}\n",
    );
    const denied = await machine.run("install", ...CLIENT, "--user", "--timer");
    assert.match(
      denied.stderr,
      /Cannot run pull by a timer: only the daemon keeps its windows \(deny\)\nnext: /,
    );
  },
});

Deno.test({
  name: "cron gets a block in the crontab, and every other line stays",
  ignore,
  async fn() {
    using dir = tempDir();
    const machine = new ServiceWorld(dir.path, { hasSystemd: false });
    const others = "MAILTO=you\n0 1 * * * /usr/bin/backup\n";
    machine.write("crontab", others);
    const installed = await machine.run("install", ...CLIENT, "--run-as", "bot", "--timer", "--kind", "cron");
    assert.equal(installed.code, 0, installed.stderr);
    assert.deepEqual(machine.calls(), ["crontab -u bot -"]);
    const crontab = machine.text("crontab");
    assert.ok(crontab.startsWith(`${others}# BEGIN model-sync-client\n`), crontab);
    const log = join(machine.project, "model-sync-client.log");
    const config = join(machine.project, "configs/bot.yaml");
    const job =
      `cd ${machine.project} && PATH=/usr/local/bin:/usr/bin:/bin /usr/local/bin/model-sync pull --config ${config} >> ${log} 2>&1`;
    assert.ok(
      crontab.includes(`\n0 6 * * * ${job}\n*/30 18-20 * * mon-fri ${job}\n# END model-sync-client\n`),
      crontab,
    );
    assert.match((await machine.run("status", ...CLIENT, "--kind", "cron")).stdout, /✓ .*\n {2}current/);

    machine.write("bot/configs/bot.yaml", "model_sync: {repo_url: x, client: {schedule: '07:00'}}\n");
    const updated = await machine.run("install", ...CLIENT, "--user", "--kind", "cron");
    assert.match(updated.stdout, /^✓ updated[^]*cron does not make up/);
    assert.match(machine.text("crontab"), /^0 7 \* \* \* cd .*\/model-sync pull --config /m);
    assert.equal(machine.text("crontab").match(/BEGIN/g)?.length, 1);
    await machine.run("uninstall", ...CLIENT, "--user", "--kind", "cron");
    assert.equal(machine.text("crontab"), others);

    // cron never runs a daemon, so no option of the command leads to one.
    machine.write("bot/configs/bot.yaml", "model_sync: {repo_url: x, time_zone: Pacific/Chatham}\n");
    const elsewhere = await machine.run("install", ...CLIENT, "--user");
    assert.match(
      elsewhere.stderr,
      /not in Pacific\/Chatham\nnext: {2}cron runs no daemon: start model-sync daemon by other means; or remove time_zone/,
    );
    assert.doesNotMatch(elsewhere.stderr, /--timer/);
  },
});

Deno.test({
  name: "launchd gets a property list, which is loaded again after a change",
  ignore,
  async fn() {
    using dir = tempDir();
    const machine = new ServiceWorld(dir.path);
    machine.write("uid", "501\n");
    const options = [...CLIENT, "--user", "--kind", "launchd"];
    const plist = "home/Library/LaunchAgents/model-sync-client.plist";
    assert.equal((await machine.run("install", ...options)).code, 0);
    assert.deepEqual(machine.calls(), [
      "launchctl bootout gui/501/model-sync-client",
      "launchctl enable gui/501/model-sync-client",
      `launchctl bootstrap gui/501 ${join(dir.path, plist)}`,
    ]);
    assert.match(
      (await machine.run("status", ...options)).stdout,
      /✓ .*\n {2}current .*\n {2}enabled, state: running/,
    );
    await machine.run("install", ...options);
    assert.deepEqual(machine.calls(), []);
    machine.write("ending", "");
    machine.write("bot/configs/bot.yaml", "model_sync: {repo_url: x, stop_timeout_sec: 90}\n");
    const changed = await machine.run("install", ...options);
    assert.deepEqual([changed.code, changed.stdout.slice(0, 9)], [0, "✓ updated"]);
    assert.equal(machine.calls().filter((line) => line.includes("bootstrap")).length, 2);
    await machine.run("uninstall", ...options);
    assert.throws(() => machine.text(plist), Deno.errors.NotFound);
  },
});

Deno.test({
  name:
    "service install --print shows the units, asks no manager and writes nothing; settings that are missing are named",
  ignore,
  async fn() {
    using dir = tempDir();
    const machine = new ServiceWorld(dir.path);
    machine.write("id.fails", "");
    const printed = await machine.run("install", ...CLIENT, "--print", "--program", "/opt/model sync/bin");
    assert.equal(printed.code, 0, printed.stderr);
    assert.ok(
      printed.stdout.startsWith(`# ${UNIT}\n# Written by model-sync service install `),
      printed.stdout,
    );
    assert.match(printed.stdout, /^ExecStart="\/opt\/model sync\/bin" daemon /m);
    assert.deepEqual(machine.calls(), []);
    assert.throws(() => machine.text(UNIT), Deno.errors.NotFound);
    const { services } = JSON.parse((await machine.run("install", ...CLIENT, "--print", "--json")).stdout);
    assert.deepEqual(services[0].commands[0], ["systemctl", "daemon-reload"]);

    const missing = await machine.run("install", "--role", "artifact_client");
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /^error: .*artifacts/);
  },
});

Deno.test({
  name: "service status without a role lists all services of the project; uninstall names their commands",
  ignore,
  async fn() {
    using dir = tempDir();
    const machine = new ServiceWorld(dir.path);
    const none = await machine.run("status");
    assert.deepEqual([none.code, none.stderr], [1, ""]);
    assert.equal(
      none.stdout,
      ["publisher", "client"].map((role) =>
        `- model-sync-${role}: not installed\n  install it with: model-sync service install --role ${role}\n`
      ).join(""),
    );
    assert.match(
      (await machine.run("uninstall")).stderr,
      /--role ROLE is missing\nnext: {2}no service of this/,
    );

    await machine.run("install", ...CLIENT, "--user", "--timer");
    await machine.run("install", ...CLIENT, "--role", "publisher", "--name", "all", "--run-as", "bot");
    machine.write("/etc/systemd/system/other.service", "[Service]\nExecStart=/opt/other\n");
    const all = await machine.run("status");
    assert.equal(all.code, 0, all.stdout);
    assert.match(
      all.stdout,
      /^✓ all\n {2}current [^]*\n✓ model-sync-client\n {2}current .*\.service\n {2}current .*\.timer\n/,
    );
    assert.deepEqual(all.stdout.match(/^[✓✗-] .*/gm), ["✓ all", "✓ model-sync-client"]);
    Deno.removeSync(join(dir.path, "all.service.active"));
    const stopped = await machine.run("status", "--json");
    assert.equal(stopped.code, 1);
    const { ok, services } = JSON.parse(stopped.stdout);
    assert.deepEqual([ok, services.map((one: { ok: boolean }) => one.ok)], [false, [false, true]]);
    const which = await machine.run("uninstall");
    assert.equal(which.code, 2);
    assert.match(
      which.stderr,
      /next: {2}installed here: model-sync service uninstall --role client --role publisher --name all; model-sync service uninstall --role client --user --timer\n$/,
    );
    await machine.run("uninstall", ...CLIENT, "--user", "--timer");
    assert.match(
      (await machine.run("status", "--user")).stdout,
      /^- model-sync-publisher: not installed\n.*--user\n/,
    );

    const cron = new ServiceWorld(join(dir.path, "cron"), { hasSystemd: false });
    await cron.run("install", ...CLIENT);
    const listed = await cron.run("status");
    assert.deepEqual(listed.stdout.match(/^[✓✗-] .*/gm), [
      "✓ model-sync-client",
      "- model-sync-publisher: not installed",
    ]);
    // A container has neither systemd nor cron.
    Deno.removeSync(join(dir.path, "cron/bin/crontab"));
    assert.match((await cron.run("status")).stdout, /^- model-sync-publisher: not installed\n/);
  },
});
