import assert from "node:assert/strict";
import { join } from "node:path";
import { calendarFields } from "../../lib/service/calendar_fields.ts";
import { describeServices, type ServiceWish } from "../../lib/service/describe_services.ts";
import { openManager } from "../../lib/service/open_manager.ts";
import { onCalendar } from "../../lib/service/systemd_units.ts";
import { parseCalendar } from "../../lib/schedule/calendar.ts";
import { loadText } from "../helpers/complete_settings.ts";
import { rootedFs } from "../helpers/fake_fs.ts";
import { needs } from "../helpers/installed.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const CONFIG = `model_sync:
  repo_url: "https://example.com/models.git"
  models_dir: /mnt/fast disk/models
  publisher: { train_command: ["python3", "train.py"], schedule: "00:00" }
  client: { schedule: ["06:00", "*/15 9-17 * * mon-fri"], splay: 5m }
`;

/** Writes all kinds of units into a folder. @returns their paths */
async function writeUnits(folder: string, name: "system" | "user"): Promise<string[]> {
  const context = { ...testContext(), fs: rootedFs(folder), env: fixedEnvironment({ HOME: folder }) };
  const config = await loadText(CONFIG);
  const wish = (choices: ServiceWish["choices"], ...roles: ServiceWish["roles"]): ServiceWish => ({
    roles,
    kind: "systemd",
    scope: name,
    choices: { ...choices, ...(name === "system" ? { account: "daemon" } : {}) },
    name: undefined,
    program: () => ["/bin/sh", "a $HOME 100%"],
    place: ["--config", join(folder, "configs/bot.yaml")],
  });
  const wishes = [
    wish({}, "client"),
    wish({}, "publisher"),
    wish({ timer: true }, "runpod_client"),
    wish({
      timer: true,
    }, "huggingface_client"),
  ];
  const texts = wishes.flatMap((wish) => describeServices({ ...context, config }, wish)).flatMap((service) =>
    openManager(context, "systemd", service, { name, uid: 1000 }).texts
  );
  return texts.map(({ place, text }) => {
    const path = join(folder, place.slice(place.lastIndexOf("/") + 1));
    Deno.writeTextFileSync(path, text);
    return path;
  });
}

function analyze(...args: string[]): { code: number; output: string } {
  const { code, stdout, stderr } = new Deno.Command("systemd-analyze", { args, env: { LC_ALL: "C.UTF-8" } })
    .outputSync();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test({
  ...needs(
    "systemd accepts every unit and timer, and rates each unit of the system as exposed below 3",
    "systemd-analyze",
  ),
  async fn() {
    for (const scope of ["system", "user"] as const) {
      using dir = tempDir();
      const units = await writeUnits(dir.path, scope);
      assert.equal(units.length, 6);
      const verified = analyze("verify", "--man=no", ...(scope === "user" ? ["--user"] : []), ...units);
      // It also speaks of other units of the machine.
      assert.deepEqual(verified.output.split("\n").filter((line) => line.includes("model-sync")), []);
      if (scope === "user") continue;
      for (const unit of units.filter((path) => path.endsWith(".service"))) {
        const { code, output } = analyze("security", "--offline=yes", "--threshold=29", unit);
        const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(output) ?? [];
        assert.equal(code, 0, output);
        assert.ok(Number(exposure) < 3, `${unit}: ${exposure}`);
      }
    }
  },
});

Deno.test("a unit keeps program, folders and user as they are named, whatever characters they have", async () => {
  using dir = tempDir();
  const [client = "", publisher = ""] = (await writeUnits(dir.path, "system")).map((path) =>
    Deno.readTextFileSync(path)
  );
  assert.match(client, /^ExecStart=\/bin\/sh "a \$\$HOME 100%%" daemon --role client --config /m);
  assert.match(client, /^ReadWritePaths=\S+ "-\/mnt\/fast disk"$/m);
  assert.match(client, /^User=daemon$/m);
  assert.match(client, /^TimeoutStopSec=90$/m);
  // A training may use a GPU.
  assert.match(client, /^PrivateDevices=yes$/m);
  assert.doesNotMatch(publisher, /^PrivateDevices=/m);
  // V8 compiles to machine code.
  assert.doesNotMatch(client, /^MemoryDenyWriteExecute=/m);
});

Deno.test({
  ...needs("a timer's times are those of the daemon", "systemd-analyze"),
  fn() {
    const schedules = [
      "06:00",
      "*/15 * * * *",
      "0 18 * * mon-fri",
      "30 3 1,15 * *",
      "5-59/20 8-10 * jan-mar *",
      "0 0 13 * fri",
      "10 4 * 2-11/3 sun,wed",
      "0 12 * * 5-7",
    ];
    const start = new Date("2026-03-01T00:00:00Z");
    for (const text of schedules) {
      const calendar = parseCalendar(text, "UTC");
      const expected: number[] = [];
      for (
        let time = calendar.next(start);
        time !== undefined && expected.length < 5;
        time = calendar.next(time)
      ) {
        expected.push(time.getTime());
      }
      const specs = calendarFields(text).map((fields) => `${onCalendar(fields)} UTC`);
      const { output } = analyze(
        "calendar",
        "--base-time=2026-03-01 00:00:00 UTC",
        "--iterations=5",
        ...specs,
      );
      const times = Array.from(
        output.matchAll(
          /(?:Next elapse|Iter\. #\d+|\(in UTC\)): \w+ (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/g,
        ),
        ([, day, time]) => Date.parse(`${day}T${time}Z`),
      );
      const found = [...new Set(times)].sort((a, b) => a - b).slice(0, 5);
      assert.deepEqual(found, expected, `${text}: ${specs.join("; ")}\n${output}`);
    }
    for (const text of ["0 0 L * *", "0 0 * * fri#2", "0 0 15W * *"]) {
      assert.throws(() => calendarFields(text), /Cannot use the schedule .* only the daemon understands it/);
    }
  },
});
