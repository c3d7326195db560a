import assert from "node:assert/strict";
import { join } from "node:path";
import { announceDaemon } from "../../lib/store/daemons.ts";
import { readHistory } from "../../lib/store/history.ts";
import { readPauses } from "../../lib/store/pauses.ts";
import {
  endRunRequest,
  findRunRequest,
  findWaitingRequest,
  takeRunRequest,
} from "../../lib/store/run_requests.ts";
import { machine, pulledReleases, storeOf } from "../helpers/machines.ts";
import { runCli } from "../helpers/run_cli.ts";
import { ext4At, mountObstacle, type SmallDisk, tmpfsAt } from "../helpers/small_disk.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const DISKS: Readonly<Record<string, (path: string) => SmallDisk>> = {
  tmpfs: (path) => tmpfsAt(path, "size=8m"),
  "tmpfs without an inode": (path) => tmpfsAt(path, "size=8m,nr_inodes=400"),
  ext4: (path) => ext4At(path, 16),
  "ext4 without an inode": (path) => ext4At(path, 16, "-N", "400"),
};

/** Uses up the last byte, or the last inode. */
function exhaust(disk: SmallDisk, what: string): void {
  if (!what.includes("inode")) return void disk.fill();
  const folder = join(disk.path, "fillers");
  Deno.mkdirSync(folder);
  try {
    for (let index = 0;; index++) Deno.writeTextFileSync(join(folder, String(index)), "");
  } catch {
    // The disk is full.
  }
}

for (const [what, mount] of Object.entries(DISKS)) {
  const obstacle = mountObstacle(what.startsWith("ext4") ? "ext4" : "tmpfs");
  const skipped = obstacle === undefined ? "" : ` (skipped: ${obstacle})`;
  Deno.test({
    name: `pause, run-now and resume work on a full disk, and are on record: ${what}${skipped}`,
    ignore: obstacle !== undefined,
    fn: async () => {
      using dir = tempDir();
      using disk = mount(join(dir.path, "disk"));
      const bot = machine(disk.path, "bot", join(dir.path, "registry.git"));
      await pulledReleases(dir.path, [{ "a.bin": "1" }, { "a.bin": "2" }], { bot });
      const store = storeOf(testContext(), bot);
      using _daemon = await announceDaemon(testContext(), store, ["client"]);
      exhaust(disk, what);
      const run = async (...[command = "", ...args]: string[]) => {
        const place = ["--models-dir", store.modelsDir, "--state-dir", store.root];
        const { code, stderr } = await runCli(command, [...args, ...place], { cwd: dir.path });
        assert.equal(code, 0, `${command}: ${stderr}`);
        return stderr;
      };
      assert.match(await run("pause", "client"), /the disk is full: the store's reserve is used/);
      assert.deepEqual(Object.keys(readPauses(store, new Date())), ["client"]);
      await run("run-now", "client");
      const { id = "" } = findWaitingRequest(store, "client") ?? {};
      takeRunRequest(store, "client", new Date());
      endRunRequest(store, "client", { exitCode: 7 }, id);
      assert.equal(findRunRequest(store, "client", id)?.end?.exitCode, 7);
      await run("resume", "client");
      assert.deepEqual(readPauses(store, new Date()), {});
      assert.deepEqual(
        readHistory(store, 3).map(({ command, outcome }) => `${command} ${outcome}`),
        ["resume resumed", "run-now requested", "pause paused"],
      );
    },
  });
}
