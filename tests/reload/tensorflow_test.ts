import assert from "node:assert/strict";
import { reloadConsumers } from "../../lib/reload/reload_consumers.ts";
import { startRecordingHost } from "../../fakes/recording_host.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { hooks, releaseOf, reloadContext } from "../helpers/reload_world.ts";
import { readFiles, writeFiles } from "../helpers/temp_dir.ts";

const FILES = { "btc/saved_model.pb": "graph", "btc/variables/v.index": "v", "eth/saved_model.pb": "other" };

const versions = (root: string) =>
  Array.from(Deno.readDirSync(root), ({ name }) => name).filter((name) => /^\d+$/.test(name)).sort();

const status = (...entries: readonly (readonly [version: number, state: string, message?: string])[]) => () =>
  Response.json({
    model_version_status: entries.map(([version, state, message = ""]) => ({
      version: String(version),
      state,
      status: { error_code: message === "" ? "OK" : "UNKNOWN", error_message: message },
    })),
  });

Deno.test("TensorFlow Serving gets the folder of its model as the next version, as links to the release", async () => {
  using release = releaseOf(FILES);
  const root = `${release.path}/serving/btc`;
  writeFiles(root, { "7/saved_model.pb": "made by hand", "notes.txt": "x", "temp-9/x": "unfinished" });
  await reloadConsumers(
    reloadContext(),
    hooks({ type: "tensorflow-serving", model_base_path: root, folder: "btc" }),
    release.news,
  );
  assert.deepEqual(versions(root), ["7", "8"]);
  assert.deepEqual(readFiles(`${root}/8`), { "saved_model.pb": "graph", "variables/v.index": "v" });
  assert.equal(
    Deno.statSync(`${root}/8/saved_model.pb`).ino,
    Deno.statSync(`${release.news.releaseDir}/btc/saved_model.pb`).ino,
  );
});

Deno.test("a rollback is a higher version with the old content", async () => {
  using before = releaseOf({ "saved_model.pb": "old" });
  using after = releaseOf({ "saved_model.pb": "new" });
  const root = `${before.path}/serving/btc`;
  const hook = hooks({ type: "tensorflow-serving", model_base_path: root });
  await reloadConsumers(reloadContext(), hook, before.news);
  await reloadConsumers(reloadContext(), hook, after.news);
  await reloadConsumers(reloadContext(), hook, { ...before.news, event: "rolled-back" });
  assert.deepEqual(versions(root), ["2", "3"]);
  assert.deepEqual(readFiles(`${root}/3`), { "saved_model.pb": "old" });
});

Deno.test("only versions that this program created are removed", async () => {
  using release = releaseOf({ "saved_model.pb": "g" });
  const root = `${release.path}/serving/btc`;
  writeFiles(root, { "1/saved_model.pb": "made by hand", "00005/saved_model.pb": "made by hand" });
  const hook = hooks({ type: "tensorflow-serving", model_base_path: root, keep: 2 });
  for (let count = 0; count < 4; count++) await reloadConsumers(reloadContext(), hook, release.news);
  assert.deepEqual(versions(root), ["00005", "1", "8", "9"]);
  // Paths that another program writes into the list are ignored.
  writeFiles(root, { ".model-sync-folders.json": '["../../release", "notes", "8", "9"]' });
  await reloadConsumers(reloadContext(), hook, release.news);
  assert.deepEqual(versions(root), ["00005", "1", "10", "9"]);
  assert.ok(Deno.statSync(release.news.releaseDir).isDirectory);
  // Without the list, all folders stay.
  writeFiles(root, { ".model-sync-folders.json": "{damaged" });
  await reloadConsumers(reloadContext(), hook, release.news);
  assert.deepEqual(versions(root), ["00005", "1", "10", "11", "9"]);
});

Deno.test("a version appears by one rename when it is whole, whatever fails before", async () => {
  using release = releaseOf(FILES);
  const root = `${release.path}/serving/btc`;
  // Created first, so that each run has the same steps.
  Deno.mkdirSync(root, { recursive: true });
  const hook = hooks({ type: "tensorflow-serving", model_base_path: root });
  const steps: string[] = [];
  await reloadConsumers(
    { ...reloadContext(), fs: countingFs((step) => steps.push(step)) },
    hook,
    release.news,
  );
  const placed = steps.findIndex((step) => step.startsWith("rename") && step.endsWith("btc/1"));
  assert.ok(placed > 5);
  for (let failing = 0; failing < placed + 1; failing++) {
    let count = 0;
    const fs = countingFs(() => {
      if (count++ === failing) throw new Deno.errors.PermissionDenied("not now");
    });
    const error = await reloadConsumers({ ...reloadContext(), fs }, hook, release.news).catch((error) =>
      error
    );
    assert.equal(error?.code, "RELOAD_FAILED", steps[failing]);
    assert.deepEqual(versions(root), ["1"], steps[failing]);
    assert.ok(
      !Array.from(Deno.readDirSync(root)).some(({ name }) => name === ".model-sync-staging"),
      steps[failing],
    );
  }
  await reloadConsumers(reloadContext(), hook, release.news);
  assert.deepEqual(readFiles(`${root}/2`), FILES);
});

Deno.test("the remains of a killed run in the scratch folder do not get into a version", async () => {
  using release = releaseOf({ "saved_model.pb": "g" });
  const root = `${release.path}/serving/btc`;
  writeFiles(root, { ".model-sync-staging/half": "x" });
  const hook = hooks({ type: "tensorflow-serving", model_base_path: root });
  await reloadConsumers(reloadContext(), hook, release.news);
  assert.deepEqual(readFiles(`${root}/1`), { "saved_model.pb": "g" });
});

Deno.test("files are copied, read-only, where they cannot be linked", async () => {
  using release = releaseOf({ "saved_model.pb": "g", "variables/v": "w".repeat(3_000_000) });
  const root = `${release.path}/serving/btc`;
  const noLinks = () => {
    throw Object.assign(new Error("Invalid cross-device link"), { code: "EXDEV" });
  };
  const context = { ...reloadContext(), fs: { ...countingFs(() => {}), linkSync: noLinks } };
  await reloadConsumers(
    context,
    hooks({ type: "tensorflow-serving", model_base_path: root }),
    release.news,
  );
  assert.deepEqual(readFiles(`${root}/1`), readFiles(release.news.releaseDir));
  if (Deno.build.os !== "windows") {
    assert.equal((Deno.statSync(`${root}/1/saved_model.pb`).mode ?? 0) & 0o777, 0o444);
  }
});

Deno.test("the reload waits until the server serves the version", async () => {
  using release = releaseOf({ "saved_model.pb": "g" });
  const root = `${release.path}/serving/btc`;
  await using host = startRecordingHost(
    () => Response.json({ error: "no versions of servable btc found" }, { status: 404 }),
    status([6, "AVAILABLE"]),
    status([6, "AVAILABLE"], [1, "LOADING"]),
    status([6, "UNLOADING"], [1, "AVAILABLE"]),
  );
  await reloadConsumers(
    reloadContext(),
    hooks({ type: "tensorflow-serving", model_base_path: root, url: host.origin }),
    release.news,
  );
  assert.deepEqual(host.requests.map(({ path }) => path), Array(4).fill("/v1/models/btc"));
});

Deno.test("a version that the server rejects fails the reload with its reason, and the next version has a new number", async () => {
  using release = releaseOf({ "saved_model.pb": "g" });
  const root = `${release.path}/serving/btc`;
  await using host = startRecordingHost(status([1, "END", "Could not find meta graph def\n"]));
  const hook = hooks({ type: "tensorflow-serving", model_base_path: root, url: host.origin, model: "other" });
  await assert.rejects(reloadConsumers(reloadContext(), hook, release.news), {
    code: "RELOAD_FAILED",
    message: /did not load version 1: Could not find meta graph def/,
  });
  assert.equal(host.requests[0]?.path, "/v1/models/other");
  await assert.rejects(
    reloadConsumers(reloadContext(), hooks({ ...hook[0], timeout_seconds: 3, retries: 1 }), release.news),
    { code: "RELOAD_FAILED", message: /version 2 is not served after 3 s: the server does not know it yet/ },
  );
  assert.deepEqual(versions(root), ["1", "2"]);
});

Deno.test("a folder that the release lacks fails the reload before a version is created", async () => {
  using release = releaseOf(FILES);
  const root = `${release.path}/serving/doge`;
  await assert.rejects(
    reloadConsumers(
      reloadContext(),
      hooks({ type: "tensorflow-serving", model_base_path: root, folder: "doge" }),
      release.news,
    ),
    { code: "RELOAD_FAILED", message: /the release has no folder doge$/ },
  );
  assert.throws(() => Deno.statSync(root), Deno.errors.NotFound);
});

Deno.test("version numbers beyond 64 bits are refused", async () => {
  using release = releaseOf({ "saved_model.pb": "g" });
  const root = `${release.path}/serving/btc`;
  writeFiles(root, { "9223372036854775806/x": "" });
  const hook = hooks({ type: "tensorflow-serving", model_base_path: root });
  await reloadConsumers(reloadContext(), hook, release.news);
  assert.ok(versions(root).includes("9223372036854775807"));
  await assert.rejects(reloadConsumers(reloadContext(), hook, release.news), {
    message: /the largest possible/,
  });
});
