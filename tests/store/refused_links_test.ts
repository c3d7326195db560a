import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { verifyActive } from "../../lib/pipeline/verify.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import type { Safeguards } from "../../lib/pipeline/safeguards.ts";
import { problemSeenByConsumers } from "../../lib/store/consumer_view.ts";
import { activeManifest } from "../../lib/store/pointers.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import {
  type Machine,
  machine,
  publishFiles,
  pulledReleases,
  pullTo,
  rollBack,
  storeOf,
} from "../helpers/machines.ts";
import { checkpoint, memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const V1 = { "a.onnx": "one", "b.json": "{}" };
const V2 = { "a.onnx": "two!", "c.onnx": "three" };
const V3 = { "a.onnx": "three" };

/** Errors with which systems refuse a link: permissions, FAT, network file systems, a full disk. */
const REFUSALS = [
  refuseAccess,
  () => osError("EPERM", (text) => new Deno.errors.PermissionDenied(text)),
  () => osError("ENOTSUP", (text) => new Deno.errors.NotSupported(text)),
  () => osError("ENOSPC"),
];

function refuseAccess(): Error {
  return osError("EACCES", (text) => new Deno.errors.PermissionDenied(text));
}

const UNLOADABLE: Safeguards = {
  reload: [{
    type: "command",
    command: ["sh", "-c", 'test "$MODEL_SYNC_EVENT" != activated'],
    retries: 0,
    timeout_seconds: 60,
  }],
};

interface Case {
  readonly prepare: (root: string) => Promise<Machine>;
  readonly run: (context: ReturnType<typeof testContext>, bot: Machine) => Promise<unknown>;
  /** What consumers may see after the failed run. */
  readonly seen: readonly Readonly<Record<string, string>>[];
}

async function twoPulled(root: string): Promise<Machine> {
  return (await pulledReleases(root, [V1, V2])).bot;
}

async function newerPublished(root: string): Promise<Machine> {
  const { trainer, bot } = await pulledReleases(root, [V1, V2]);
  await publishFiles(trainer, V3);
  return bot;
}

const CASES: Readonly<Record<string, Case>> = {
  "a rollback": { prepare: twoPulled, run: rollBack, seen: [V1, V2] },
  "a pull": { prepare: newerPublished, run: pullTo, seen: [V2, V3] },
  "a pull that goes back": {
    prepare: newerPublished,
    run: (context, bot) => pullTo(context, bot, { safeguards: UNLOADABLE }),
    seen: [V2, V3],
  },
  "a first pull over a folder of models": {
    prepare: async (root) => {
      const { trainer } = await pulledReleases(root, [V1]);
      const bot = machine(root, "other", trainer.registry.repoUrl ?? "");
      writeFiles(bot.modelsDir, { "mine.onnx": "from before" });
      return bot;
    },
    run: (context, bot) => pullTo(context, bot, { activation: "symlink" }),
    seen: [{ "mine.onnx": "from before" }, V1],
  },
};

for (const [what, { prepare, run, seen }] of Object.entries(CASES)) {
  Deno.test(`${what} that is refused one link leaves consumers with one release, and names it`, async () => {
    using dir = memoryDir();
    const bot = await prepare(join(dir.path, "world"));
    const restore = checkpoint(join(dir.path, "world"), join(dir.path, "start"));
    let refused = 0;
    // All refusals are handled alike; they only differ in how they are recognised.
    for (const refusal of run === rollBack ? REFUSALS : [refuseAccess]) {
      for (let at = 1;; at++) {
        restore();
        let links = 0;
        const fs = countingFs((step) => {
          if (step.startsWith("symlink") && ++links === at) throw refusal();
        });
        const failure = await run(testContext({ fs }), bot).then(() => undefined, (error: unknown) => error);
        if (links < at) break;
        refused++;
        if (failure !== undefined) {
          assert.ok(failure instanceof ModelSyncError, String(failure));
          assert.ok([7, 8].includes(failure.exitCode), `link ${at}: ${failure.message}`);
        }
        const shown = JSON.stringify(readFiles(bot.modelsDir));
        assert.ok(seen.some((files) => JSON.stringify(files) === shown), `link ${at}: ${shown}`);
        if (Deno.lstatSync(bot.modelsDir).isSymlink) assertSound(bot);
        await run(testContext(), bot).catch((error: unknown) => {
          // The replaced release is quarantined by now.
          assert.ok(error instanceof ModelSyncError && [2, 5, 8].includes(error.exitCode), String(error));
        });
        assertSound(bot);
      }
    }
    assert.ok(refused > 1, `only ${refused} links were refused`);
  });
}

/** Checks that the pointers are links, and that the model folder shows the release that they name. */
function assertSound(bot: Machine): void {
  const store = storeOf(testContext(), bot);
  const active = activeManifest(store);
  assert.ok(active !== undefined);
  assert.equal(problemSeenByConsumers(store, active), undefined);
  assert.ok(Deno.lstatSync(join(store.root, "current")).isSymlink);
  assert.deepEqual(
    Object.keys(readFiles(bot.modelsDir)).sort(),
    active.files.map(({ path }) => path).sort(),
  );
}

for (const activation of ["auto", "symlink"] as const) {
  Deno.test(`files are never mirrored through the link where links are refused for good (${activation})`, async () => {
    using dir = memoryDir();
    const bot = await newerPublished(dir.path);
    const refuse = testContext({
      fs: countingFs((step) => {
        if (step.startsWith("symlink")) {
          throw osError("EPERM", (text) => new Deno.errors.PermissionDenied(text));
        }
      }),
    });
    await assert.rejects(pullTo(refuse, bot, { activation }), { code: "LINK_REFUSED", exitCode: 7 });
    assert.deepEqual(readFiles(bot.modelsDir), V2);
    assertSound(bot);
  });
}

for (const command of ["pull", "rollback", "prune"] as const) {
  Deno.test(`${command} replaces pointers that an older version wrote as files by links`, async () => {
    using dir = memoryDir();
    const bot = await twoPulled(dir.path);
    const context = testContext();
    const store = storeOf(context, bot);
    for (const name of ["current", "previous"]) {
      const target = Deno.readLinkSync(join(store.root, name));
      Deno.removeSync(join(store.root, name));
      Deno.writeTextFileSync(join(store.root, name), `${target}\n`);
    }
    const active = activeManifest(store);
    assert.ok(active !== undefined);
    assert.match(problemSeenByConsumers(store, active) ?? "", /cannot be opened/);
    assert.equal((await verifyActive(context, store, "stat")).problems[0]?.path, bot.modelsDir);
    if (command === "pull") await pullTo(context, bot);
    else if (command === "rollback") await rollBack(context, bot);
    else {await recordedRun(context, store, { command: "prune", lock: "store", sinks: [] }, () =>
        Promise.resolve({ outcome: "pruned" }));}
    assertSound(bot);
    assert.deepEqual(readFiles(bot.modelsDir), command === "rollback" ? V1 : V2);
    assert.ok(
      context.log.lines.some((line) => /led to a pointer that was a file/.test(line)),
      context.log.lines.join("\n"),
    );
  });
}
