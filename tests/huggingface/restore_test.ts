import assert from "node:assert/strict";
import { join } from "node:path";
import { type RestoreOptions, restoreRelease } from "../../lib/huggingface/restore_release.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { Digest, parseManifest } from "../../lib/release/manifest.ts";
import { assertPause } from "../helpers/assert_pause.ts";
import { fillModels } from "../contract/carrier_contract.ts";
import {
  hubOf,
  publisherOptions,
  pullTo,
  REPO,
  sourceOptions,
  uploadFrom,
  WHOLE_REPO,
  withdrawFromHub,
} from "../helpers/hub_machines.ts";
import { isOwn, readSeal, type Seal } from "../../lib/signing/seal.ts";
import { testKey } from "../helpers/signing.ts";
import { noise, readFiles } from "../helpers/temp_dir.ts";
import { HubBench } from "./hub_bench.ts";

const V1 = { "model.joblib": noise(100_000, 1), "config.json": '{"v": 1}', "old.json": "{}" };
const V2 = { "model.joblib": noise(100_000, 2), "config.json": '{"v": 2}', "new.json": "{}" };

/** A machine without keys, which knows no withdrawals. */
const ANY = { seal: undefined, known: [], isTrusted: () => Promise.resolve(true) };

/** Trusts what a seal's key signed. */
function ownOnly(seal: Seal): RestoreOptions["isTrusted"] {
  return async ({ manifest, text, signature }) =>
    isOwn(seal, await readSeal(seal, manifest, text, signature));
}

Deno.test("restoreRelease() publishes the previous release again, also for clients with the failed one", async () => {
  await using bench = new HubBench();
  const { context, server } = bench;
  const rules = { layout: WHOLE_REPO, deleteRemoved: true, allowShrink: false };
  fillModels(bench.trainer, V1);
  const first = await uploadFrom(context, bench.trainer, publisherOptions(server, { rules }));
  const wanted = server.files(REPO);
  fillModels(bench.trainer, V2);
  const bad = await uploadFrom(context, bench.trainer, publisherOptions(server, { rules }));
  await pullTo(context, bench.bot, sourceOptions(server));
  // Another writer edits the repository's description meanwhile.
  server.commit(REPO, { "README.md": "# Models" });

  bench.asked();
  const restored = await restoreRelease(context, hubOf(server), WHOLE_REPO, { ...ANY, failed: bad.release });
  assert.deepEqual([restored.release, restored.sequence], [first.release, 3]);
  // The hub cannot copy small files of an earlier commit.
  assert.equal(bench.asked().filter((line) => line.endsWith("/config.json")).length, 1);
  const { "README.md": readme, "model-sync.json": _manifest, ...files } = server.files(REPO);
  const { "model-sync.json": _before, ...expected } = wanted;
  assert.equal(readme, "# Models");
  assert.deepEqual(files, expected);

  const pulled = await pullTo(context, bench.bot, sourceOptions(server));
  assert.deepEqual([pulled.outcome, pulled.release, pulled.sequence], ["activated", first.release, 3]);
  assert.deepEqual(Object.keys(readFiles(bench.bot)), ["config.json", "model.joblib", "old.json"]);
});

Deno.test("restoreRelease() signs the restored release, and refuses to replace a signed release by an unsigned one", async () => {
  await using bench = new HubBench();
  const { context, server } = bench;
  const key = testKey();
  const seal = key.seal(7);
  const options = publisherOptions(server, { seal });
  fillModels(bench.trainer, V1);
  const first = await uploadFrom(context, bench.trainer, options);
  fillModels(bench.trainer, { ...V1, "config.json": '{"v": 2}' });
  const { release: failed } = await uploadFrom(context, bench.trainer, options);
  const isTrusted = ownOnly(seal);
  await restoreRelease(context, hubOf(server), WHOLE_REPO, { ...ANY, failed, seal, isTrusted });
  const signatures = key.required;
  const pulled = await pullTo(context, bench.bot, sourceOptions(server), { signatures });
  assert.deepEqual([pulled.release, pulled.sequence], [first.release, 3]);

  await uploadFrom(context, bench.trainer, options);
  const head = server.head(REPO).id;
  await assert.rejects(restoreRelease(context, hubOf(server), WHOLE_REPO, { ...ANY, failed }), {
    code: "SIGNATURE_MISSING",
    exitCode: 5,
  });
  assert.equal(server.head(REPO).id, head);
});

Deno.test("restoreRelease() restores only a trusted release that is not withdrawn, and signs no list that another program wrote", async () => {
  await using bench = new HubBench();
  const { context, server } = bench;
  const seal = testKey().seal();
  const upload = async (content: string, sealed: Seal | undefined) => {
    fillModels(bench.trainer, { "config.json": content });
    return (await uploadFrom(context, bench.trainer, publisherOptions(server, { seal: sealed }))).release;
  };
  const good = await upload("good", seal);
  // Another program changes a file, and not the manifest.
  server.commit(REPO, { "config.json": "evil" });
  const withdrawn = await upload("withdrawn", seal);
  await upload("of another key", testKey().seal());
  await upload("unsigned", undefined);
  const failed = await upload("failed", seal);
  // Another program withdraws the good release, without the key.
  const manifest = await parseManifest(server.files(REPO)["model-sync.json"] ?? "", "the hub");
  const entry = (digest: string) => ({
    digest: Digest.parse(digest),
    state: "withdrawn",
    at: "2026-11-21T00:00:00Z",
  });
  server.commit(REPO, { "model-sync.json": formatManifest({ ...manifest, withdrawals: [entry(good)] }) });
  const restored = await restoreRelease(context, hubOf(server), WHOLE_REPO, {
    failed,
    seal,
    known: [entry(withdrawn)],
    isTrusted: ownOnly(seal),
  });
  assert.deepEqual([restored.release, server.files(REPO)["config.json"]], [good, "good"]);
  const after = await parseManifest(server.files(REPO)["model-sync.json"] ?? "", "the hub");
  assert.deepEqual(after.withdrawals?.map(({ digest }) => digest), [withdrawn]);

  const head = server.head(REPO).id;
  const none = { failed: good, seal, known: [], isTrusted: () => Promise.resolve(false) };
  await assert.rejects(restoreRelease(context, hubOf(server), WHOLE_REPO, none), {
    code: "NOTHING_TO_RESTORE",
  });
  assert.equal(server.head(REPO).id, head);
});

Deno.test("restoreRelease() refuses if there is no previous release, and changes nothing", async () => {
  await using bench = new HubBench();
  fillModels(bench.trainer, V1);
  const only = await uploadFrom(bench.context, bench.trainer, publisherOptions(bench.server));
  const head = bench.server.head(REPO).id;
  await assert.rejects(
    restoreRelease(bench.context, hubOf(bench.server), WHOLE_REPO, { ...ANY, failed: only.release }),
    {
      code: "NOTHING_TO_RESTORE",
      exitCode: 1,
    },
  );
  assert.equal(bench.server.head(REPO).id, head);
});

Deno.test("restoreRelease() does not replace a release that was published after the failed one", async () => {
  await using bench = new HubBench();
  const { context, server } = bench;
  fillModels(bench.trainer, V1);
  const failed = await uploadFrom(context, bench.trainer, publisherOptions(server));
  fillModels(bench.trainer, V2);
  await uploadFrom(context, bench.trainer, publisherOptions(server));
  const head = server.head(REPO).id;
  await assert.rejects(
    restoreRelease(context, hubOf(server), WHOLE_REPO, { ...ANY, failed: failed.release }),
    {
      code: "RELEASE_REPLACED",
      exitCode: 1,
    },
  );
  assert.equal(server.head(REPO).id, head);
});

Deno.test("restoreRelease() commits a small file only with the bytes that the manifest lists: a wrong answer is requested once more", async () => {
  await using bench = new HubBench();
  const { context, server } = bench;
  fillModels(bench.trainer, V1);
  const first = await uploadFrom(context, bench.trainer, publisherOptions(server));
  fillModels(bench.trainer, V2);
  const bad = await uploadFrom(context, bench.trainer, publisherOptions(server));
  const head = server.head(REPO).id;
  const restore = () => restoreRelease(context, hubOf(server), WHOLE_REPO, { ...ANY, failed: bad.release });
  server.fail(/config\.json$/, { kind: "corrupt" }, { kind: "corrupt" });
  await assert.rejects(restore(), { code: "DIGEST_MISMATCH", exitCode: 5, message: /config\.json/ });
  assert.equal(server.head(REPO).id, head);
  server.fail(/config\.json$/, { kind: "corrupt" });
  assert.equal((await restore()).release, first.release);
  assert.equal(server.files(REPO)["config.json"], V1["config.json"]);
});

Deno.test("restoreRelease() skips a release with a small file of other bytes, and restores the one before", async () => {
  await using bench = new HubBench();
  const { context, server } = bench;
  fillModels(bench.trainer, V1);
  const first = await uploadFrom(context, bench.trainer, publisherOptions(server));
  fillModels(bench.trainer, { ...V1, "config.json": '{"v": 5}' });
  await uploadFrom(context, bench.trainer, publisherOptions(server));
  fillModels(bench.trainer, V2);
  const bad = await uploadFrom(context, bench.trainer, publisherOptions(server));
  server.fail(/config\.json$/, { kind: "corrupt" }, { kind: "corrupt" });
  const restored = await restoreRelease(context, hubOf(server), WHOLE_REPO, { ...ANY, failed: bad.release });
  assert.equal(restored.release, first.release);
  assert.equal(server.files(REPO)["config.json"], V1["config.json"]);
  assert.ok(context.log.lines.some((line) => /config\.json .*; trying an older release$/.test(line)));
});

Deno.test("restoreRelease() skips a commit that lacks files of its manifest", async () => {
  await using bench = new HubBench();
  const { context, server } = bench;
  fillModels(bench.trainer, V1);
  const first = await uploadFrom(context, bench.trainer, publisherOptions(server));
  fillModels(bench.trainer, { ...V1, "config.json": '{"v": 2}' });
  await uploadFrom(context, bench.trainer, publisherOptions(server));
  // Another writer deletes half of the second release, and restores only a part of it.
  server.commit(REPO, { "old.json": undefined });
  fillModels(bench.trainer, { "model.joblib": V1["model.joblib"], "config.json": '{"v": 3}' });
  const third = await uploadFrom(context, bench.trainer, publisherOptions(server));
  const broken = server.head(REPO).parent;
  assert.ok(broken !== undefined);
  const restored = await restoreRelease(context, hubOf(server), WHOLE_REPO, {
    ...ANY,
    failed: third.release,
  });
  assert.notEqual(restored.release, third.release);
  assert.ok(Object.hasOwn(server.files(REPO), "old.json"));
  assert.ok(first.release !== third.release);
});

Deno.test("restoreRelease() repeats a commit that the hub turned away, but not one whose answer was lost", async () => {
  await using bench = new HubBench();
  const { context, server } = bench;
  fillModels(bench.trainer, V1);
  const first = await uploadFrom(context, bench.trainer, publisherOptions(server));
  fillModels(bench.trainer, V2);
  const bad = await uploadFrom(context, bench.trainer, publisherOptions(server));
  const busy = () => new Response("busy", { status: 429, headers: { ratelimit: '"api";r=0;t=3' } });
  server.fail(/\/commit\//, { kind: "answer", make: busy });
  const restored = await restoreRelease(context, hubOf(server), WHOLE_REPO, { ...ANY, failed: bad.release });
  assert.equal(restored.release, first.release);
  assertPause(bench.clock.pausesMs.at(-1), 4_000);
  server.fail(/\/commit\//, { kind: "lost" });
  await assert.rejects(
    restoreRelease(context, hubOf(server), WHOLE_REPO, { ...ANY, failed: first.release }),
    { exitCode: 4 },
  );
});

Deno.test("a withdrawal that loses races is published on top of the other commits: both withdrawals count, and a newer release stays the newest", async () => {
  await using bench = new HubBench();
  const { context, server } = bench;
  const options = publisherOptions(server);
  const uploadTo = async (modelsDir: string, content: string) => {
    fillModels(modelsDir, { "config.json": content });
    return (await uploadFrom(context, modelsDir, options)).release;
  };
  await uploadTo(bench.trainer, "1");
  const worse = await uploadTo(bench.trainer, "2");
  const bad = await uploadTo(bench.trainer, "3");
  // Another machine withdraws a release and then uploads one, each time just before this machine commits.
  const other = join(bench.path, "other/models");
  let newer: string | undefined;
  const beforeCommit = (act: () => Promise<unknown>) =>
    server.fail(/\/commit\//, { kind: "first", act: async () => void await act() });
  beforeCommit(async () => {
    await withdrawFromHub(context, other, options, worse);
    beforeCommit(async () => newer = await uploadTo(other, "4"));
  });
  const report = await withdrawFromHub(context, bench.trainer, options, bad);
  assert.deepEqual([report.outcome, report.release, report.previous], ["withdrawn", newer, undefined]);
  const warnings = context.log.lines.filter((line) => line.includes("another uploader moved"));
  assert.equal(warnings.length, 2);
  const manifest = await parseManifest(server.files(REPO)["model-sync.json"] ?? "", "the hub");
  assert.deepEqual([manifest.digest, manifest.withdrawals?.map(({ digest }) => digest)], [newer, [
    worse,
    bad,
  ]]);
  assert.equal((await pullTo(context, bench.bot, sourceOptions(server))).release, newer);

  // The other machine withdraws the same release: nothing is left to publish.
  beforeCommit(() => withdrawFromHub(context, other, options, String(newer)));
  const same = await withdrawFromHub(context, bench.trainer, options, String(newer));
  assert.deepEqual([same.outcome, same.registries[0]?.outcome], ["withdrawn", "unchanged"]);
});

Deno.test("a withdrawal gives up when other uploaders are first each time, and the next publish carries it", async () => {
  await using bench = new HubBench();
  const { context, server } = bench;
  fillModels(bench.trainer, V1);
  const { release } = await uploadFrom(context, bench.trainer, publisherOptions(server));
  let edits = 0;
  const moved = {
    kind: "first",
    act: () => void server.commit(REPO, { "README.md": String(++edits) }),
  } as const;
  server.fail(/\/commit\//, ...Array.from({ length: 5 }, () => moved));
  await assert.rejects(withdrawFromHub(context, bench.trainer, publisherOptions(server), release), {
    code: "UPLOAD_LOST",
    exitCode: 1,
    message: /other uploaders were first, 5 times in a row/,
  });
  fillModels(bench.trainer, V2);
  await uploadFrom(context, bench.trainer, publisherOptions(server));
  const manifest = await parseManifest(server.files(REPO)["model-sync.json"] ?? "", "the hub");
  assert.deepEqual(manifest.withdrawals?.map(({ digest }) => digest), [release]);
});
