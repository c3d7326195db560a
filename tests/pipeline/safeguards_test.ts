import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { type Safeguards, safeguardsOf } from "../../lib/pipeline/safeguards.ts";
import { type CanaryState, updateCanary } from "../../lib/canary/canary_state.ts";
import { ModelSync } from "../../lib/config/schema.ts";
import { InterruptedError, ModelSyncError } from "../../lib/core/errors.ts";
import { canaryPath, judgedCanary, openCanary } from "../../lib/canary/find_canary.ts";
import { awaitVerdict } from "../../lib/pipeline/await_verdict.ts";
import { NO_SIGNATURES } from "../../lib/pipeline/check_signature.ts";
import { CurrentRun } from "../../lib/pipeline/current_run.ts";
import { planPrune } from "../../lib/pipeline/prune.ts";
import type { PullReport } from "../../lib/pipeline/pull_report.ts";
import { planRollback, rollback } from "../../lib/pipeline/rollback.ts";
import { rollbackTargets } from "../../lib/pipeline/rollback_targets.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { finishSwap } from "../../lib/pipeline/finish_swap.ts";
import { readHistory } from "../../lib/store/history.ts";
import { type Intent, writeIntent } from "../../lib/store/intent.ts";
import { type PendingReload, readPendingReload, writePendingReload } from "../../lib/store/pending_reload.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import { chooseMode } from "../../lib/store/model_folder.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { addQuarantine, findQuarantine, liftQuarantine, readQuarantine } from "../../lib/store/quarantine.ts";
import { listReleases, releaseDir } from "../../lib/store/releases.ts";
import type { Store } from "../../lib/store/store.ts";
import { learnWithdrawals } from "../../lib/store/withdrawals.ts";
import { type Digest, shortDigest } from "../../lib/release/manifest.ts";
import { type Files, fillModels } from "../contract/carrier_contract.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { machine, publishFrom, pullTo, rollBack, storeOf } from "../helpers/machines.ts";
import { FLOAT, input, model, node, output } from "../helpers/onnx_bytes.ts";
import { memoryDir, type TempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository } from "../helpers/test_git.ts";

/** As `configs/bot.yaml` would set them. */
function safeguards(activation: Record<string, unknown>): Safeguards {
  return safeguardsOf(ModelSync.parse({ activation }));
}

/** A trainer, a bot, and a consumer that writes down its notifications and can be made to fail. */
class World implements Disposable {
  readonly #dir: TempDir = memoryDir();
  readonly context = testContext();
  readonly trainer;
  readonly bot;
  readonly metric: string;

  constructor() {
    const registry = bareRepository(join(this.#dir.path, "registry.git"));
    this.trainer = machine(this.#dir.path, "trainer", registry);
    this.bot = machine(this.#dir.path, "bot", registry);
    this.metric = join(this.#dir.path, "win_rate");
    Deno.writeTextFileSync(this.metric, "0.6");
  }

  get store() {
    return storeOf(this.context, this.bot);
  }

  get active(): Digest | undefined {
    return readPointer(this.store, "current");
  }

  get #news(): string {
    return join(this.#dir.path, "news");
  }

  /** Notifies the consumer by a command, which fails for releases with a file `unloadable`. */
  get reload(): readonly Record<string, unknown>[] {
    const script =
      `echo "$MODEL_SYNC_EVENT $MODEL_SYNC_DIGEST" >> "$0"; ! test -e "$MODEL_SYNC_RELEASE_DIR/unloadable"`;
    return [{ type: "command", command: ["sh", "-c", script, this.#news], retries: 0 }];
  }

  get canary(): Record<string, unknown> {
    const metric = { name: "win_rate", type: "file", path: this.metric, direction: "higher" };
    return { duration_minutes: 30, metrics: [metric] };
  }

  /** The notifications of the consumer, as `event digest`. */
  heard(): string[] {
    try {
      return Deno.readTextFileSync(this.#news).trimEnd().split("\n");
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  async publish(files: Files): Promise<Digest> {
    fillModels(this.trainer.modelsDir, files);
    const { release } = await publishFrom(this.context, this.trainer);
    return release;
  }

  async pull(settings: Safeguards, context = this.context) {
    return await pullTo(context, this.bot, { safeguards: settings });
  }

  judge(change: Partial<CanaryState>): void {
    updateCanary(Deno, canaryPath(this.store), (found) => {
      assert.ok(found.kind === "found");
      return { ...found.state, ...change };
    });
  }

  [Symbol.dispose]() {
    this.#dir[Symbol.dispose]();
  }
}

/** The expected error of a run. */
function ends(code: string, exitCode: number) {
  return (error: unknown) => {
    assert.ok(error instanceof ModelSyncError, String(error));
    assert.deepEqual([error.code, error.exitCode], [code, exitCode], error.message);
    return true;
  };
}

Deno.test("a pull checks small files while it stages them, and reads none of them again", async () => {
  using world = new World();
  const readAgain: string[] = [];
  const openSync: FileSystem["openSync"] = (path, options) => {
    if (options?.write !== true && String(path).includes("/files/")) readAgain.push(basename(String(path)));
    return Deno.openSync(path, options);
  };
  const context = testContext({ fs: { ...Deno, openSync } });
  const models = { "a.json": "{}", "b.pkl": "N.", "d/c.bin": "weights" };
  const good = await world.publish(models);
  await world.pull(safeguards({}), context);
  assert.equal(world.active, good);
  await world.publish({ ...models, "b.pkl": "N" });
  await assert.rejects(world.pull(safeguards({}), context), /b\.pkl: its pickle/);
  assert.deepEqual(readAgain.filter((name) => /\.(json|pkl|bin)$/.test(name)), []);
});

Deno.test("a release that fails validation is refused and quarantined; a later one passes", async () => {
  using world = new World();
  const checks = safeguards({});
  const good = await world.publish({ "a.json": "{}" });
  await world.pull(checks);
  const bad = await world.publish({ "a.json": "{" });
  await assert.rejects(world.pull(checks), (error) => {
    assert.ok(error instanceof ModelSyncError);
    assert.match(error.message, /a\.json/);
    // No setting allows it, so none has to be changed before the quarantine is lifted.
    assert.doesNotMatch(error.hint ?? "", /quarantine lift/);
    return ends("VALIDATION_FAILED", 5)(error);
  });
  assert.equal(world.active, good);
  assert.equal(readQuarantine(world.store)[0]?.digest, bad);
  await assert.rejects(world.pull(checks), ends("QUARANTINED", 5));
  assert.deepEqual(readHistory(world.store, 2).map(({ outcome }) => outcome), ["refused", "refused"]);
  const better = await world.publish({ "a.json": "[]" });
  assert.equal((await world.pull(checks)).release, better);
});

Deno.test("a refusal that a setting would allow says that the release is quarantined, and how to lift that", async () => {
  using world = new World();
  const bad = await world.publish({ "a.bin": "more than one byte" });
  await assert.rejects(world.pull(safeguards({ validate: { max_file_bytes: 1 } })), (error) => {
    assert.ok(error instanceof ModelSyncError);
    assert.match(error.hint ?? "", /raise activation\.validate\.max_file_bytes/);
    assert.match(error.hint ?? "", /The refused release is quarantined: /);
    assert.ok(error.hint?.endsWith(`model-sync quarantine lift ${shortDigest(bad)}`), error.hint);
    return true;
  });
});

Deno.test("a release is compared with the active one: a large loss of files is refused", async () => {
  using world = new World();
  const checks = safeguards({ validate: { max_shrink: 0.5 } });
  const first = await world.publish({ "a.bin": "one", "b.bin": "two", "c.bin": "three" });
  await world.pull(checks);
  Deno.removeSync(join(world.trainer.modelsDir, "b.bin"));
  const second = await world.publish({ "a.bin": "one", "c.bin": "three" });
  await world.pull(checks);
  Deno.removeSync(join(world.trainer.modelsDir, "c.bin"));
  await world.publish({ "a.bin": "1" });
  await assert.rejects(world.pull(checks), ends("VALIDATION_FAILED", 5));
  assert.deepEqual([world.active, readPointer(world.store, "previous")], [second, first]);
});

Deno.test("an unchanged pickle is inspected again only if the settings have changed since it passed", async () => {
  using world = new World();
  const pickle = "cmy_bot.features\nScaler\n.";
  const allowing = safeguards({ validate: { pickle: { allow: ["my_bot.features.Scaler"] } } });
  const opened: string[] = [];
  const fs: FileSystem = {
    ...Deno,
    openSync: (path, options) => {
      opened.push(basename(String(path)));
      return Deno.openSync(path, options);
    },
  };
  for (const version of ["1", "2"]) {
    opened.length = 0;
    await world.publish({ "a.pkl": pickle, "b.json": version, "c.onnx.json": "{}" });
    await world.pull(allowing, testContext({ fs }));
    const models = opened.filter((name) => /^[abc]\./.test(name));
    assert.equal(models.includes("a.pkl"), version === "1");
    assert.equal(models.includes("c.onnx.json"), version === "1");
    assert.ok(models.includes("b.json"));
  }
  await world.publish({ "a.pkl": pickle, "b.json": "3" });
  await assert.rejects(world.pull(safeguards({ validate: {} })), { message: /a\.pkl.*my_bot\.features/s });
  // A release that was activated without checks has not passed them.
  await world.publish({ "a.pkl": pickle, "b.json": "4" });
  await world.pull(safeguards({ validate: { enabled: false } }));
  await world.publish({ "a.pkl": pickle, "b.json": "5" });
  await assert.rejects(world.pull(safeguards({ validate: {} })), { message: /a\.pkl.*my_bot\.features/s });
});

Deno.test("a file of a release that was activated without checks has not passed any, whatever its format", async () => {
  using world = new World();
  const [unchecked, checked] = [safeguards({ validate: { enabled: false } }), safeguards({ validate: {} })];
  await world.publish({ "a.json": "not JSON" });
  await world.pull(unchecked);
  await world.publish({ "a.json": "not JSON", "b.json": "{}" });
  await assert.rejects(world.pull(checked), { code: "VALIDATION_FAILED", message: /a\.json/ });
  const good = await world.publish({ "a.json": "{}", "b.json": "{}" });
  assert.equal((await world.pull(checked)).release, good);
});

Deno.test("a model of which only the structure was checked is loaded when the setting no longer lists it", async () => {
  using world = new World();
  const foreign = model(node("Unknown", ["x"], ["y"]), input("x", FLOAT, [1]), output("y", FLOAT, [1]));
  const checks = (patterns: readonly string[]) =>
    safeguards({ validate: { onnx: { structure_only: patterns } } });
  await world.publish({ "m.onnx": foreign });
  await world.pull(checks(["*.onnx"]));
  await world.publish({ "m.onnx": foreign, "b.json": "2" });
  await assert.rejects(world.pull(checks([])), { code: "VALIDATION_FAILED", message: /m\.onnx/ });
});

Deno.test("consumers are notified of every activation and every rollback", async () => {
  using world = new World();
  const told = safeguards({ reload: world.reload });
  const first = await world.publish({ "a.bin": "one" });
  await world.pull(told);
  const second = await world.publish({ "a.bin": "two" });
  await world.pull(told);
  await world.pull(told);
  await rollBack(world.context, world.bot, undefined, told);
  assert.deepEqual(world.heard(), [`activated ${first}`, `activated ${second}`, `rolled-back ${first}`]);
  const unable = safeguards({ reload: [{ type: "command", command: ["false"], retries: 0 }] });
  await assert.rejects(rollBack(world.context, world.bot, "2", unable), ends("RELOAD_FAILED", 1));
  assert.equal(world.active, second);
  await world.pull(told);
  assert.deepEqual(world.heard().slice(3), [`activated ${second}`], "the next pull notifies consumers");
});

Deno.test("a release that consumers cannot load is rolled back, and the next pull does not activate it", async () => {
  using world = new World();
  const told = safeguards({ reload: world.reload });
  const good = await world.publish({ "a.bin": "one" });
  await world.pull(told);
  const bad = await world.publish({ "a.bin": "two", "unloadable": "!" });
  await assert.rejects(world.pull(told), ends("RELOAD_FAILED", 8));
  assert.equal(world.active, good);
  assert.deepEqual(world.heard(), [`activated ${good}`, `activated ${bad}`, `rolled-back ${good}`]);
  assert.ok(
    world.context.log.lines.some((line) => line.includes("Model hot-swap failed - keeping current model")),
  );
  assert.throws(
    () => planRollback(world.store, undefined),
    /no earlier release that is neither quarantined nor withdrawn/,
  );
  assert.match(findQuarantine(world.store, bad, 2)?.reason ?? "", /failed its reload: Cannot make sh reload/);
  const [record] = readHistory(world.store, 1);
  assert.deepEqual([record?.outcome, record?.release, record?.previous], ["rolled-back", good, bad]);
  await assert.rejects(world.pull(told), ends("QUARANTINED", 5));
  assert.equal(readPendingReload(world.store), undefined);
});

Deno.test("without the secret of a notification, a pull fails before it activates the release", async () => {
  using world = new World();
  const first = await world.publish({ "a.bin": "one" });
  await world.pull(safeguards({}));
  const second = await world.publish({ "a.bin": "two" });
  const signed = { type: "http", url: "http://127.0.0.1:1/", secret_env: "RELOAD_SECRET", retries: 0 };
  await assert.rejects(world.pull(safeguards({ reload: [signed] })), ends("SECRET_MISSING", 3));
  assert.deepEqual([world.active, readPendingReload(world.store)], [first, undefined]);
  assert.deepEqual(pick(await world.pull(safeguards({}))), ["activated", second]);
});

Deno.test("a rollback of which consumers could not be notified is reported", async () => {
  using world = new World();
  const first = await world.publish({ "a.bin": "one" });
  await world.pull(safeguards({}));
  await world.publish({ "a.bin": "two" });
  const deaf = safeguards({ reload: [{ type: "command", command: ["false"], retries: 0 }] });
  await assert.rejects(world.pull(deaf), (error) => {
    assert.ok(error instanceof ModelSyncError);
    const back = `release ${shortDigest(first)} is active again`;
    assert.match(error.message, new RegExp(`${back}, but consumers may not have it: .*exit code 1$`));
    return ends("RELOAD_FAILED", 8)(error);
  });
});

Deno.test("the next pull notifies consumers of a rollback whose notification failed", async () => {
  using world = new World();
  const first = await world.publish({ "a.bin": "one" });
  await world.pull(safeguards({}));
  await world.publish({ "a.bin": "two" });
  await world.pull(safeguards({}));
  const deaf = safeguards({ reload: [{ type: "command", command: ["false"], retries: 0 }] });
  await assert.rejects(rollBack(world.context, world.bot, undefined, deaf), ends("RELOAD_FAILED", 1));
  assert.equal(world.active, first);
  await assert.rejects(world.pull(safeguards({ reload: world.reload })), ends("QUARANTINED", 5));
  assert.deepEqual(world.heard(), [`rolled-back ${first}`]);
});

Deno.test("failed releases do not pile up in the store, and do not replace releases that a rollback can activate", async () => {
  using world = new World();
  const told = safeguards({ reload: world.reload });
  const first = await world.publish({ "a.bin": "one" });
  await world.pull(told);
  const good = await world.publish({ "a.bin": "two" });
  await world.pull(told);
  const pull = () => pullTo(world.context, world.bot, { safeguards: told, keep: 2 });
  let bad: Digest | undefined;
  for (const content of ["three", "four"]) {
    bad = await world.publish({ "a.bin": content, "unloadable": "!" });
    await assert.rejects(pull(), ends("RELOAD_FAILED", 8));
  }
  // The release that failed last stays, so that an operator can still activate it.
  assert.deepEqual(listReleases(world.store).map(({ manifest }) => manifest.digest), [bad, good, first]);
  assert.equal(planRollback(world.store, undefined).target.manifest.digest, first);
});

Deno.test("the first release stays active when consumers cannot load it, because there is none to roll back to", async () => {
  using world = new World();
  const only = await world.publish({ "a.bin": "one", "unloadable": "!" });
  await assert.rejects(world.pull(safeguards({ reload: world.reload })), ends("RELOAD_FAILED", 1));
  assert.equal(world.active, only);
  // Every pull fails until consumers can load it, or a newer release comes.
  await assert.rejects(world.pull(safeguards({ reload: world.reload })), ends("RELOAD_FAILED", 1));
  const newer = await world.publish({ "a.bin": "two" });
  const context = testContext();
  assert.equal((await world.pull(safeguards({ reload: world.reload }), context)).release, newer);
  assert.equal(world.heard().at(-1), `activated ${newer}`);
  const errors = context.log.lines.filter((line) => line.startsWith("error "));
  assert.deepEqual(errors.map((line) => line.includes(shortDigest(only))), [true], errors.join("\n"));
});

Deno.test("consumers are notified of a repaired release again, and it is not put in canary", async () => {
  using world = new World();
  const guarded = safeguards({ reload: world.reload, canary: world.canary });
  await world.publish({ "a.bin": "one" });
  await world.pull(guarded);
  const active = await world.publish({ "a.bin": "two" });
  await world.pull(guarded);
  world.judge({ status: "passed" });
  const file = join(world.bot.modelsDir, "a.bin");
  Deno.removeSync(file);
  await world.pull(guarded);
  assert.equal(Deno.readTextFileSync(file), "two");
  assert.deepEqual(world.heard().slice(1), [`activated ${active}`, `activated ${active}`]);
  assert.equal(openCanary(world.store), undefined);
});

Deno.test("a notification that is still due does not keep a store without an active release from pulling", async () => {
  using world = new World();
  const gone = await world.publish({ "a.bin": "gone" });
  writePendingReload(world.store, { digest: gone, previous: null });
  const next = await world.publish({ "a.bin": "next" });
  assert.deepEqual(pick(await world.pull(safeguards({ reload: world.reload }))), ["activated", next]);
  assert.deepEqual(world.heard(), [`activated ${next}`]);
});

Deno.test("a notification that is still due names the replaced release, and is an activation only of a release that consumers do not know", async () => {
  using world = new World();
  const first = await world.publish({ "a.bin": "one" });
  await world.pull(safeguards({}));
  const second = await world.publish({ "a.bin": "two", "b.bin": "new" });
  await world.pull(safeguards({}));
  const heard = join(world.bot.modelsDir, "../heard");
  const script = 'echo "$MODEL_SYNC_EVENT $MODEL_SYNC_PREVIOUS $MODEL_SYNC_CHANGED" > "$0"';
  const told = { type: "command", command: ["sh", "-c", script, heard], retries: 0 };
  const finish = async (pending: PendingReload, reload: readonly Record<string, unknown>[] = [told]) => {
    writePendingReload(world.store, pending);
    const context = testContext();
    const run = new CurrentRun(context, "pull");
    const report = await finishSwap(context, world.store, {
      run,
      choice: chooseMode(world.store, "auto"),
      safeguards: safeguards({ reload }),
      readSignatures: () => Promise.resolve(NO_SIGNATURES),
    });
    assert.equal(readPendingReload(world.store), undefined);
    const isLogged = context.log.lines.some((line) => /notifying consumers of the active release/.test(line));
    assert.deepEqual([isLogged, run.steps.length], reload.length === 0 ? [false, 0] : [true, 1]);
    return report;
  };
  const last = () => {
    const [event, previous, ...changes] = Deno.readTextFileSync(heard).trimEnd().split(" ");
    return [event, previous, changes.join(" ")];
  };
  const changes = JSON.stringify({ added: ["b.bin"], modified: ["a.bin"], removed: [], omitted: 0 });
  const all = JSON.stringify({ added: ["a.bin", "b.bin"], modified: [], removed: [], omitted: 0 });
  assert.deepEqual(await finish({ digest: second, previous: first }), { activated: second });
  assert.deepEqual(last(), ["activated", first, changes]);
  assert.deepEqual(await finish({ digest: second, previous: null }), { activated: second });
  assert.deepEqual(last(), ["activated", "", all]);
  // The activation of the first release failed, and was undone.
  assert.deepEqual(await finish({ digest: first, previous: second }), {});
  assert.deepEqual(last(), ["rolled-back", first, changes]);
  assert.deepEqual(await finish({ digest: second, previous: first }, []), { activated: second });
  const at = "2026-11-21T00:00:00Z";
  addQuarantine(world.store, { digest: first, sequence: 1, reason: "bad", at, wasLeft: true });
  assert.deepEqual(await finish({ digest: second, previous: first }), {});
  assert.deepEqual(last(), ["rolled-back", first, changes]);
});

Deno.test("the first release has no canary, unless it replaces models that were in the folder", async () => {
  using world = new World();
  const watched = safeguards({ canary: world.canary });
  const none = /canary: the first release has none/;
  const first = await world.publish({ "a.bin": "one" });
  const context = testContext();
  await world.pull(watched, context);
  assert.equal(context.log.lines.filter((line) => none.test(line)).length, 1);
  assert.equal(openCanary(world.store), undefined);
  await world.publish({ "a.bin": "two" });
  await world.pull(watched, context);
  assert.equal(context.log.lines.filter((line) => none.test(line)).length, 1);
  assert.equal(openCanary(world.store)?.previous, first);

  using other = new World();
  fillModels(other.bot.modelsDir, { "a.bin": "mine" });
  const release = await other.publish({ "a.bin": "one" });
  await other.pull(safeguards({ canary: other.canary }));
  const previous = readPointer(other.store, "previous");
  assert.ok(previous !== undefined);
  assert.deepEqual([openCanary(other.store)?.digest, openCanary(other.store)?.previous], [release, previous]);
  assert.doesNotMatch(other.context.log.lines.join("\n"), none);

  using unwatched = new World();
  await unwatched.publish({ "a.bin": "one" });
  await unwatched.pull(safeguards({ canary: { ...unwatched.canary, duration_minutes: 0 } }));
  assert.doesNotMatch(unwatched.context.log.lines.join("\n"), none);
  await unwatched.publish({ "a.bin": "two" });
  await unwatched.pull(safeguards({ canary: { ...unwatched.canary, duration_minutes: 0 } }));
  assert.equal(openCanary(unwatched.store), undefined);
});

Deno.test("the next run notifies consumers after a killed run, and rolls back if they cannot load the release", async () => {
  using world = new World();
  const untold = safeguards({});
  const told = safeguards({ reload: world.reload });
  const first = await world.publish({ "a.bin": "one" });
  await world.pull(untold);
  const second = await world.publish({ "a.bin": "two" });
  await world.pull(untold);
  writePendingReload(world.store, { digest: second, previous: first });
  assert.equal((await world.pull(told)).outcome, "activated");
  assert.deepEqual(world.heard(), [`activated ${second}`]);
  const third = await world.publish({ "a.bin": "three", "unloadable": "!" });
  await world.pull(untold);
  writePendingReload(world.store, { digest: third, previous: second });
  await assert.rejects(world.pull(told), ends("RELOAD_FAILED", 8));
  assert.equal(world.active, second);
});

Deno.test("after an interruption during the reload, the next run notifies consumers and reports the activation", async () => {
  using world = new World();
  await world.publish({ "a.bin": "one" });
  await world.pull(safeguards({}));
  const second = await world.publish({ "a.bin": "two" });
  const controller = new AbortController();
  const context = testContext({ signal: controller.signal });
  context.log.info = (message) => {
    if (message.includes("Starting model reload")) controller.abort(new RangeError("stop"));
  };
  const slow = safeguards({ reload: [{ type: "command", command: ["sleep", "600"] }] });
  await assert.rejects(world.pull(slow, context), RangeError);
  assert.equal(world.active, second);
  const told = safeguards({ reload: world.reload });
  assert.deepEqual(pick(await world.pull(told)), ["activated", second]);
  assert.deepEqual(pick(await world.pull(told)), ["unchanged", second]);
  assert.deepEqual(world.heard(), [`activated ${second}`]);
});

Deno.test("an interruption during the reload names the active release, and says that the next pull notifies consumers", async () => {
  using world = new World();
  await world.publish({ "a.bin": "one" });
  const stop = new AbortController();
  const context = testContext({ signal: stop.signal });
  const stopped = new InterruptedError("Cannot continue: stopped by SIGINT", {
    code: "INTERRUPTED",
    hint: "nothing",
  });
  context.log.info = (message) => {
    if (message.includes("Starting model reload")) stop.abort(stopped);
  };
  const slow = safeguards({ reload: [{ type: "command", command: ["sleep", "600"] }] });
  await assert.rejects(world.pull(slow, context), (error) => {
    assert.ok(error instanceof InterruptedError);
    assert.equal(error.message, stopped.message);
    assert.match(error.hint ?? "", /^release [0-9a-f]{12} is active; the next pull notifies its consumers$/);
    return true;
  });
});

Deno.test("an interruption during the notification of an automatic rollback interrupts the pull, and the next one notifies consumers", async () => {
  using world = new World();
  const told = safeguards({ reload: world.reload });
  const first = await world.publish({ "a.bin": "one" });
  await world.pull(told);
  const bad = await world.publish({ "a.bin": "two", "unloadable": "!" });
  const stop = new AbortController();
  const context = testContext({ signal: stop.signal });
  let reloads = 0;
  context.log.info = (message) => {
    if (!message.includes("Starting model reload") || ++reloads < 2) return;
    stop.abort(new InterruptedError("Cannot continue: stopped by SIGTERM", { code: "INTERRUPTED" }));
  };
  await assert.rejects(world.pull(told, context), InterruptedError);
  assert.deepEqual([world.active, readQuarantine(world.store)[0]?.digest], [first, bad]);
  await assert.rejects(world.pull(told), ends("QUARANTINED", 5));
  assert.equal(world.heard().at(-1), `rolled-back ${first}`);
});

Deno.test("the next run reports the activation of a killed run, also without configured consumers", async () => {
  using world = new World();
  const none = safeguards({});
  await world.publish({ "a.bin": "one" });
  await world.pull(none);
  const first = world.active;
  assert.ok(first !== undefined);
  const second = await world.publish({ "a.bin": "two" });
  await world.pull(none);
  const killed = {
    runId: "killed",
    startedAt: "2026-11-20T06:00:00Z",
    phase: "activating",
    mode: "symlink",
  } as const;
  writeIntent(world.store, { ...killed, command: "pull", from: first, to: second, previousBefore: null });
  assert.deepEqual(pick(await world.pull(none)), ["activated", second]);
  const [, recorded] = readHistory(world.store, 2);
  assert.deepEqual([recorded?.runId, recorded?.outcome, recorded?.release], ["killed", "activated", second]);
  assert.deepEqual(pick(await world.pull(none)), ["unchanged", second]);

  await rollBack(world.context, world.bot, undefined, none);
  const [left] = readQuarantine(world.store);
  writeIntent(world.store, {
    ...killed,
    command: "rollback",
    from: second,
    to: first,
    previousBefore: first,
    left,
  });
  // A finished rollback has its quarantine, also if the file was lost.
  Deno.removeSync(world.store.quarantine);
  await assert.rejects(world.pull(none), ends("QUARANTINED", 5));
  assert.equal(readPendingReload(world.store), undefined);
});

Deno.test("consumers are not notified after a killed run that changed nothing for them", async () => {
  using world = new World();
  const told = safeguards({ reload: world.reload });
  const active = await world.publish({ "a.bin": "one" });
  await world.pull(told);
  const killed = { runId: "killed", command: "pull", startedAt: "2026-11-20T06:00:00Z" };
  const activating = {
    ...killed,
    phase: "activating",
    mode: "symlink",
    from: active,
    previousBefore: null,
  } as const;
  const intents: readonly Intent[] = [
    { ...killed, phase: "preparing" },
    { ...activating, to: `sha256:${"0".repeat(64)}` },
    { ...activating, to: active },
  ];
  for (const intent of intents) {
    writeIntent(world.store, intent);
    assert.deepEqual(pick(await world.pull(told)), ["unchanged", active]);
    assert.deepEqual(world.heard(), [`activated ${active}`]);
  }
});

Deno.test("an active release leaves the quarantine of a killed rollback, not that of an operator, and a damaged quarantine stops no recovery", async () => {
  using world = new World();
  const none = safeguards({});
  const active = await world.publish({ "a.bin": "one" });
  await world.pull(none);
  const context = testContext();
  const prune = { command: "prune", lock: "store", sinks: [] } as const;
  const recovered = () =>
    recordedRun(context, world.store, prune, () => Promise.resolve({ outcome: "pruned" }));
  const entry = { digest: active, sequence: 9, reason: "bad", at: "2026-11-20T06:00:00Z" };
  addQuarantine(world.store, entry);
  await recovered();
  assert.deepEqual(readQuarantine(world.store), [entry]);
  addQuarantine(world.store, { ...entry, wasLeft: true });
  await recovered();
  assert.deepEqual(readQuarantine(world.store), []);
  const healed = /is active, and is no longer quarantined as one that was rolled back/;
  assert.equal(context.log.lines.filter((line) => healed.test(line)).length, 1);
  Deno.writeTextFileSync(world.store.quarantine, "[");
  await recovered();
});

function pick({ outcome, release }: PullReport) {
  return [outcome, release];
}

Deno.test("the next run rolls back from a release that failed its canary, whichever process judged it", async () => {
  for (
    const [status, code, reason] of [
      ["degraded", "CANARY_DEGRADED", "it failed its canary: win_rate fell"],
      ["aborted", "CANARY_ABORTED", "it was aborted in its canary"],
    ] as const
  ) {
    using world = new World();
    const watched = safeguards({ canary: world.canary, reload: world.reload });
    const good = await world.publish({ "a.bin": "one" });
    await world.pull(watched);
    assert.equal(openCanary(world.store), undefined, "the first release has nothing to go back to");
    const bad = await world.publish({ "a.bin": "two" });
    await world.pull(watched);
    assert.deepEqual(openCanary(world.store)?.metrics[0]?.baseline, { kind: "value", value: 0.6 });
    world.judge({ status, reason: "win_rate fell" });
    await assert.rejects(world.pull(watched), (error) => {
      assert.ok(error instanceof ModelSyncError);
      const kept = `Cannot keep release ${shortDigest(bad)} active: ${reason}`;
      assert.equal(error.message, `${kept}; release ${shortDigest(good)} is active again`);
      assert.match(error.hint ?? "", /^fix it and publish again; /);
      return ends(code, 8)(error);
    });
    assert.equal(world.active, good);
    assert.equal(judgedCanary(world.store), undefined, "a run has acted on the verdict");
    const [entry] = readQuarantine(world.store);
    assert.deepEqual([entry?.digest, entry?.reason, entry?.isWithdrawn], [bad, reason, undefined]);
    assert.equal(world.heard().at(-1), `rolled-back ${good}`);
    await assert.rejects(world.pull(watched), ends("QUARANTINED", 5));
  }
});

Deno.test("a verdict waits until no other run holds the store, without a failure on record, and an operator's rollback settles it", async () => {
  for (const isRollback of [false, true]) {
    using world = new World();
    const { context, store } = world;
    const settings = ModelSync.parse({ activation: { canary: world.canary } });
    const good = await world.publish({ "a.bin": "one" });
    await world.pull(safeguardsOf(settings));
    await world.publish({ "a.bin": "two" });
    await world.pull(safeguardsOf(settings));
    world.judge({ status: "degraded", reason: "win_rate fell" });
    const clock = new PausedClock();
    let ending: Promise<unknown> | undefined;
    const holder = { command: isRollback ? "rollback" : "prune", lock: "store", sinks: [] } as const;
    await recordedRun(context, store, holder, async (run) => {
      const verdict = awaitVerdict(testContext({ clock }), store, settings);
      ending = verdict.then(() => undefined, (error: unknown) => error);
      // Older runtimes wait for a lock in a thread, without pauses.
      if ("tryLockSync" in Deno.FsFile.prototype) await clock.paused;
      if (!isRollback) return { outcome: "pruned" };
      return await rollback(context, store, run, planRollback(store, undefined), "auto");
    });
    const error = await ending;
    if (isRollback) assert.equal(error, undefined);
    else ends("CANARY_DEGRADED", 8)(error);
    assert.equal(world.active, good);
    assert.deepEqual(
      readHistory(store, 2).map(({ command, outcome }) => `${command} ${outcome}`),
      isRollback ? ["rollback rolled-back", "pull activated"] : ["canary rolled-back", "prune pruned"],
    );
  }
});

Deno.test("a verdict is acted on although another run locks the store first, and only recorded if that run has settled it", async () => {
  for (const isSettled of [false, true]) {
    using world = new World();
    const settings = ModelSync.parse({ activation: { canary: world.canary } });
    const good = await world.publish({ "a.bin": "one" });
    await world.pull(safeguardsOf(settings));
    const bad = await world.publish({ "a.bin": "two" });
    await world.pull(safeguardsOf(settings));
    world.judge({ status: "degraded", reason: "win_rate fell" });
    using lock = Deno.openSync(world.store.lock, { read: true, write: true });
    let isBegun = false;
    const fs = countingFs((step) => {
      // The run has begun, and has not locked the store yet.
      if (!isBegun && step.startsWith("open") && step.includes("/running/")) {
        isBegun = true;
        if (isSettled) world.judge({ concludedAt: "2026-11-21T00:00:00Z" });
        else lock.lockSync(true);
      }
      // Its failure is recorded.
      if (!isSettled && step.startsWith("open") && step.endsWith("/history.jsonl")) lock.unlockSync();
    });
    const context = testContext({ fs, clock: new PausedClock() });
    const verdict = awaitVerdict(context, storeOf(context, world.bot), settings);
    if (isSettled) await verdict;
    else await assert.rejects(verdict, ends("CANARY_DEGRADED", 8));
    assert.equal(world.active, isSettled ? bad : good);
    assert.deepEqual(
      readHistory(world.store, 2).map(({ command, outcome }) => `${command} ${outcome}`),
      isSettled ? ["canary unchanged", "pull activated"] : ["canary rolled-back", "canary failed"],
    );
  }
});

/** A clock whose pauses take no time. */
class PausedClock extends FakeClock {
  readonly #first = Promise.withResolvers<void>();

  constructor() {
    super("2026-11-21T00:00:00Z");
  }

  /** Resolves with the first pause. */
  get paused(): Promise<void> {
    return this.#first.promise;
  }

  override sleep(): Promise<void> {
    this.#first.resolve();
    return Promise.resolve();
  }
}

Deno.test("a release that failed its canary stays active if the store has no release to roll back to", async () => {
  const losses: readonly (readonly [lose: (store: Store, good: Digest) => void, why: RegExp])[] = [
    [(store, good) => Deno.removeSync(`${releaseDir(store, good)}.json`), /: the store no longer holds it$/],
    [
      (store, digest) =>
        learnWithdrawals(store, [{ digest, state: "withdrawn", at: "2026-11-21T00:00:00Z" }]),
      /: it was withdrawn, too$/,
    ],
  ];
  for (const [lose, message] of losses) {
    using world = new World();
    const watched = safeguards({ canary: world.canary, reload: world.reload });
    const good = await world.publish({ "a.bin": "one" });
    await world.pull(watched);
    const bad = await world.publish({ "a.bin": "two" });
    await world.pull(watched);
    world.judge({ status: "degraded", reason: "win_rate fell" });
    lose(world.store, good);
    await assert.rejects(world.pull(watched), {
      code: "CANNOT_GO_BACK",
      exitCode: 1,
      message,
      hint: /rollback --to/,
    });
    assert.equal(world.active, bad);
    assert.equal(world.heard().at(-1), `activated ${bad}`);
  }
});

Deno.test("a release that replaces one in canary rolls back to the last release that passed", async () => {
  using world = new World();
  const watched = safeguards({ canary: world.canary });
  const proven = await world.publish({ "a.bin": "one" });
  await world.pull(watched);
  const unproven = await world.publish({ "a.bin": "two" });
  await world.pull(watched);
  Deno.writeTextFileSync(world.metric, "0.1");
  const newest = await world.publish({ "a.bin": "three" });
  await world.pull(watched);
  assert.deepEqual(openCanary(world.store)?.metrics[0]?.baseline, { kind: "value", value: 0.6 });
  assert.deepEqual([openCanary(world.store)?.digest, openCanary(world.store)?.previous], [newest, proven]);
  const { kept } = planPrune(world.store, 1);
  assert.ok(kept.some(({ digest }) => digest === proven), "what a canary goes back to was pruned");
  const unsigned = () => Promise.resolve(NO_SIGNATURES);
  const targets = await rollbackTargets(world.context, world.store, newest, [], unsigned);
  assert.deepEqual(targets.map(({ manifest }) => manifest.digest), [proven, unproven], "if it is withdrawn");
  world.judge({ status: "degraded" });
  await assert.rejects(world.pull(watched), ends("CANARY_DEGRADED", 8));
  assert.equal(world.active, proven);
});

Deno.test("a rollback ends the canary of the replaced release", async () => {
  using world = new World();
  const watched = safeguards({ canary: world.canary });
  await world.publish({ "a.bin": "one" });
  await world.pull(watched);
  const second = await world.publish({ "a.bin": "two" });
  await world.pull(watched);
  const { release, previous } = await rollBack(world.context, world.bot);
  assert.equal(previous, second);
  assert.equal(readHistory(world.store, 1)[0]?.previous, second);
  assert.equal(openCanary(world.store), undefined);
  await assert.rejects(world.pull(watched), ends("QUARANTINED", 5));
  assert.equal(world.active, release);
});

Deno.test("a rollback to the active release keeps it, whatever the verdict of its canary, and notifies no consumer", async () => {
  using world = new World();
  const watched = safeguards({ canary: world.canary, reload: world.reload });
  await world.publish({ "a.bin": "one" });
  await world.pull(watched);
  const second = await world.publish({ "a.bin": "two" });
  await world.pull(watched);
  world.judge({ status: "degraded", reason: "win_rate fell" });
  const heard = world.heard();
  const report = await rollBack(world.context, world.bot, "2", watched);
  assert.deepEqual([report.outcome, report.release], ["unchanged", second]);
  assert.equal((await world.pull(watched)).outcome, "unchanged");
  assert.equal(world.active, second);
  assert.deepEqual(world.heard(), heard);
});

Deno.test("the next pull activates a release that an operator released from quarantine", async () => {
  using world = new World();
  await world.publish({ "a.bin": "one" });
  await world.pull(safeguards({}));
  const second = await world.publish({ "a.bin": "two" });
  await world.pull(safeguards({}));
  await rollBack(world.context, world.bot);
  liftQuarantine(world.store, second);
  assert.equal((await world.pull(safeguards({}))).release, second);
});

Deno.test("the replaced release is backed up in backup_dir, up to the configured number", async () => {
  using world = new World();
  const backups = join(world.bot.modelsDir, "../backups");
  const kept = safeguards({ backup_dir: backups, keep: 2 });
  for (const content of ["one", "two", "three", "four"]) {
    await world.publish({ "a.bin": content });
    await world.pull(kept);
  }
  const names = Array.from(Deno.readDirSync(backups), ({ name }) => name).filter((name) => /^\d/.test(name))
    .sort();
  assert.equal(names.length, 2);
  assert.deepEqual(names.map((name) => Deno.readTextFileSync(join(backups, name, "a.bin"))), [
    "two",
    "three",
  ]);
});
