import assert from "node:assert/strict";
import { launchdPlist } from "../../lib/service/launchd_plist.ts";
import { cronBlock, findCronBlock, replaceCronBlock } from "../../lib/service/cron_block.ts";
import type { Service } from "../../lib/service/service.ts";
import { roleSchedule } from "../../lib/config/roles.ts";
import { loadText } from "../helpers/complete_settings.ts";
import { needs } from "../helpers/installed.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

async function service(folder: string, schedule?: string): Promise<Service> {
  const { settings } = await loadText("model_sync: {}\n");
  return {
    name: "model-sync-client",
    roles: ["client"],
    project: folder,
    choices: {},
    command: ["/bin/echo", "100% of <it's> & --more"],
    account: undefined,
    writable: [],
    trains: false,
    stopTimeoutSec: 60,
    schedule: schedule === undefined ? undefined : roleSchedule("client", settings, schedule),
  };
}

/** Prints a property list as JSON. */
const READ_PLIST = "import json, plistlib, sys; print(json.dumps(plistlib.load(sys.stdin.buffer)))";

Deno.test({
  ...needs("a property list says to launchd what to run, and when", "python3"),
  async fn() {
    using dir = tempDir();
    const read = (text: string) => {
      writeFiles(dir.path, { plist: text });
      const { stdout, stderr } = new Deno.Command("sh", {
        args: ["-c", `python3 -c "$1" < plist`, "sh", READ_PLIST],
        cwd: dir.path,
      }).outputSync();
      const printed = new TextDecoder().decode(stdout);
      assert.notEqual(printed, "", new TextDecoder().decode(stderr));
      return JSON.parse(printed);
    };
    const project = "/srv/a--b & c";
    const daemon = read(launchdPlist(await service(project), "/srv/log"));
    assert.deepEqual(daemon.ProgramArguments, ["/bin/echo", "100% of <it's> & --more"]);
    assert.deepEqual([daemon.Label, daemon.WorkingDirectory, daemon.StandardErrorPath], [
      "model-sync-client",
      project,
      "/srv/log",
    ]);
    assert.deepEqual([daemon.RunAtLoad, daemon.KeepAlive, daemon.ExitTimeOut], [true, {
      SuccessfulExit: false,
    }, 90]);
    const timer = read(launchdPlist(await service(project, "0,30 6 * * 0,6"), "/srv/log"));
    assert.deepEqual(timer.StartCalendarInterval, [
      { Weekday: 0, Hour: 6, Minute: 0 },
      { Weekday: 0, Hour: 6, Minute: 30 },
      { Weekday: 6, Hour: 6, Minute: 0 },
      { Weekday: 6, Hour: 6, Minute: 30 },
    ]);
    assert.equal(timer.RunAtLoad, undefined);
    const busy = await service(project, "0-58 0-22 * * *");
    assert.throws(() => launchdPlist(busy, "/srv/log"), /more than 500 times/);
  },
});

Deno.test({
  name: "a line of cron runs as cron runs it, and appends its output to the log",
  ignore: Deno.build.os === "windows",
  async fn() {
    using dir = tempDir();
    writeFiles(dir.path, { "my bot/configs/bot.yaml": "" });
    const folder = `${dir.path}/my bot`;
    const block = cronBlock(await service(folder, "06:00"), `${folder}/log`);
    const [, line = ""] = /^0 6 \* \* \* (.*)$/m.exec(block) ?? [];
    // cron ends a command at a percent sign without a backslash, and removes the backslash from the others.
    assert.doesNotMatch(line, /(?<!\\)%/);
    const { code } = new Deno.Command("sh", { args: ["-c", line.replaceAll("\\%", "%")], cwd: "/" })
      .outputSync();
    assert.equal(code, 0);
    assert.equal(Deno.readTextFileSync(`${folder}/log`), "100% of <it's> & --more\n");
  },
});

Deno.test("an interval becomes one line of cron if an hour is a multiple of it, and is refused otherwise", async () => {
  const every = async (minutes: number): Promise<Service> => {
    const { schedule, ...rest } = await service("/srv/bot", "06:00");
    assert.ok(schedule !== undefined);
    return { ...rest, schedule: { ...schedule, times: [`${minutes} min`], isInterval: true } };
  };
  assert.match(cronBlock(await every(15), "/srv/log"), /^\*\/15 \* \* \* \* cd \/srv\/bot /m);
  assert.match(cronBlock(await every(60), "/srv/log"), /^0 \* \* \* \* cd \/srv\/bot /m);
  const odd = await every(45);
  assert.throws(() => cronBlock(odd, "/srv/log"), {
    code: "SCHEDULE_DAEMON_ONLY",
    exitCode: 2,
    message: /every 45 minutes by cron: 60 is not a multiple of it$/,
    hint: /^cron runs no daemon: .*; or set a schedule$/,
  });
});

Deno.test("a crontab without a line end and with a damaged block loses no line of others", () => {
  const block = "# BEGIN x\nold\n# END x\n";
  assert.equal(replaceCronBlock("0 1 * * * a", "x", block), `0 1 * * * a\n${block}`);
  assert.equal(replaceCronBlock(`a\n${block}b\n`, "x", "new\n"), "a\nnew\nb\n");
  assert.equal(replaceCronBlock(`a\n${block}b\n`, "x", ""), "a\nb\n");
  assert.equal(findCronBlock(`a\n${block}b\n`, "y"), undefined);
  const damaged = "a\n# BEGIN x\nold\nb\n";
  assert.equal(
    replaceCronBlock(damaged, "x", "").replace("# BEGIN x", "").split("\n").filter(Boolean).join(),
    "a,old,b",
  );
});
