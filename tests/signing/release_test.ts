import assert from "node:assert/strict";
import { join } from "node:path";
import type { Source } from "../../lib/carriers/carrier.ts";
import type { Context } from "../../lib/core/context.ts";
import { TransientError, UnreachableError } from "../../lib/core/errors.ts";
import { sha256Hex } from "../../lib/core/hash.ts";
import { verifyActive } from "../../lib/pipeline/verify.ts";
import { planPrune, pruneReleases } from "../../lib/pipeline/prune.ts";
import type { SignaturePolicy } from "../../lib/pipeline/check_signature.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest, type Digest, MANIFEST_NAME } from "../../lib/release/manifest.ts";
import { verifyFolder } from "../../lib/signing/folder_signature.ts";
import { type SignedManifest, verifyRelease } from "../../lib/signing/release_signature.ts";
import { isSealDue, ownWithdrawals } from "../../lib/signing/seal.ts";
import { signFiles } from "../../lib/signing/verify_files.ts";
import type { Resource } from "../../lib/signing/statement.ts";
import { findSignature, removePartialReleases } from "../../lib/store/releases.ts";
import {
  type Machine,
  machine,
  planFrom,
  publishFrom,
  pullTo,
  rollBack,
  storeOf,
} from "../helpers/machines.ts";
import { pullFrom } from "../helpers/memory_source.ts";
import { clockAt, testKey } from "../helpers/signing.ts";
import { memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository, git } from "../helpers/test_git.ts";

const KEY = testKey();
const NOW = new Date("2026-11-21T12:00:00Z");

const sha = (digit: string) => digit.repeat(64);

async function release(): Promise<SignedManifest> {
  const manifest = await createManifest([
    { path: "a.onnx", size: 1, sha256: sha("a") },
    { path: "sub/b.onnx", size: 2, sha256: sha("b") },
  ], {
    sequence: 3,
    createdAt: "2026-11-21T00:00:00Z",
    expiresAt: "2026-11-28T00:00:00Z",
    origin: { carrier: "git", folder: "models" },
  });
  return { manifest, text: formatManifest(manifest) };
}

/** Signs other names and digests than a publisher does. */
async function signed(change: (resources: Resource[]) => Resource[]): Promise<[string, SignedManifest]> {
  const { manifest, text } = await release();
  const resources = [
    ...manifest.files.map(({ path, sha256 }) => ({ name: `models/${path}`, sha256 })),
    { name: MANIFEST_NAME, sha256: await sha256Hex(text) },
  ];
  return [signFiles(KEY.signing, "it", { resources: change(resources), ignorePaths: [] }), {
    manifest,
    text,
  }];
}

Deno.test("a release's signature covers its files and the text of its manifest, with any folder name", async () => {
  const { manifest, text } = await release();
  for (const folder of ["models", "prod/models", ""]) {
    const signature = await KEY.seal().signer?.sign(manifest, text, folder) ?? "";
    const key = await verifyRelease(signature, { manifest, text }, [KEY.trusted], NOW);
    assert.equal(key.hint, KEY.trusted.hint);
  }
});

const MIXED: Readonly<Record<string, [(resources: Resource[]) => Resource[], RegExp]>> = {
  "no manifest": [
    (all) => all.filter(({ name }) => name !== MANIFEST_NAME),
    /does not cover model-sync\.json/,
  ],
  "another manifest": [
    (all) => all.map((one) => one.name === MANIFEST_NAME ? { ...one, sha256: sha("0") } : one),
    /model-sync\.json has SHA-256 [0-9a-f]{64}, the signature has 0{64}/,
  ],
  "the manifest twice": [
    (all) => [...all, { name: MANIFEST_NAME, sha256: sha("0") }],
    /lists model-sync\.json more than once/,
  ],
  "one file fewer": [(all) => all.slice(1), /covers 1 file, the manifest lists 2/],
  "one file more": [
    (all) => [...all, { name: "models/c.onnx", sha256: sha("c") }],
    /covers 3 files, the manifest lists 2/,
  ],
  "a file outside the models' folder": [
    (all) => [...all, { name: "README.md", sha256: sha("c") }],
    /covers 3 files, the manifest lists 2/,
  ],
  "a file by another name": [
    (all) => all.map((one) => one.name === "models/sub/b.onnx" ? { ...one, name: "models/sub/c.onnx" } : one),
    /covers models\/sub\/c\.onnx instead of models\/sub\/b\.onnx/,
  ],
  "files in two folders": [
    (all) => all.map((one) => one.name === "models/sub/b.onnx" ? { ...one, name: "other/sub/b.onnx" } : one),
    /covers other\/sub\/b\.onnx instead of models\/sub\/b\.onnx/,
  ],
  "names that only end alike": [
    (all) => all.map((one) => ({ ...one, name: one.name.replace("models/", "models/x") })),
    /which is not a file of the release/,
  ],
  "another file's bytes": [
    (all) => all.map((one) => one.name === "models/a.onnx" ? { ...one, sha256: sha("c") } : one),
    /a\.onnx has SHA-256 a{64} in the manifest, the signature has c{64}/,
  ],
};

for (const [what, [change, says]] of Object.entries(MIXED)) {
  Deno.test(`a release is refused whose signature, by a trusted key, covers ${what}`, async () => {
    const [signature, claim] = await signed(change);
    await assert.rejects(verifyRelease(signature, claim, [KEY.trusted], NOW), {
      code: "SIGNATURE_MISMATCH",
      exitCode: 5,
      message: says,
    });
  });
}

Deno.test("a signed manifest without its expiry or with a higher sequence is refused", async () => {
  const { manifest, text } = await release();
  const signature = await KEY.seal().signer?.sign(manifest, text, "models") ?? "";
  const { expiresAt: _, ...endless } = manifest;
  for (const forged of [endless, { ...manifest, sequence: 4 }]) {
    const claim = { manifest: forged, text: formatManifest(forged) };
    await assert.rejects(verifyRelease(signature, claim, [KEY.trusted], NOW), { code: "SIGNATURE_MISMATCH" });
  }
});

Deno.test("files that verifiers of model signatures ignore are refused before signing", async () => {
  const { createdAt, origin } = (await release()).manifest;
  for (const path of [".github/model.onnx", "model.sig"]) {
    const file = { path, size: 1, sha256: sha("a") };
    const manifest = await createManifest([file], { sequence: 1, createdAt, origin });
    const sign = async (folder: string) =>
      await KEY.seal().signer?.sign(manifest, formatManifest(manifest), folder);
    await assert.rejects(sign(""), { code: "UNSIGNABLE", exitCode: 2 });
    assert.notEqual(await sign("models"), undefined);
  }
});

Deno.test("a seal is due without our signature or with less than half of the validity left, and never otherwise", () => {
  const signedBy = KEY.trusted.hint;
  const inDays = (days: number) => new Date(NOW.getTime() + days * 86_400_000).toISOString();
  const due = (seal: Parameters<typeof isSealDue>[0], held: Parameters<typeof isSealDue>[1]) =>
    isSealDue(seal, held, NOW);
  assert.equal(due(undefined, { expiresAt: inDays(-1) }), false);
  assert.equal(due(KEY.seal(), { signedBy }), false);
  assert.equal(due(KEY.seal(), {}), true);
  assert.equal(due(testKey().seal(), { signedBy }), true);
  assert.equal(due(KEY.seal(), { signedBy, expiresAt: inDays(1) }), true);
  assert.equal(due(KEY.seal(4), { signedBy }), true);
  assert.equal(due(KEY.seal(4), { signedBy, expiresAt: inDays(2.1) }), false);
  assert.equal(due(KEY.seal(4), { signedBy, expiresAt: inDays(2) }), false);
  assert.equal(due(KEY.seal(4), { signedBy, expiresAt: inDays(1.9) }), true);
  assert.equal(due(KEY.seal(4), { signedBy, expiresAt: inDays(-1) }), true);
  assert.equal(due({ signer: undefined, validDays: 4 }, { expiresAt: inDays(3) }), false);
  assert.equal(due({ signer: undefined, validDays: undefined }, { expiresAt: inDays(1) }), false);
});

const V1 = { "BTC/rf.onnx": "one" };
const V2 = { "BTC/rf.onnx": "two" };

function worldIn(root: string) {
  const registry = bareRepository(join(root, "registry.git"));
  const [trainer, bot] = [machine(root, "trainer", registry), machine(root, "bot", registry)];
  writeFiles(trainer.modelsDir, V1);
  return { registry, trainer, bot };
}

/** The world at a given time. */
const at = (time: string) => testContext({ clock: clockAt(time) });

/** A pull with required signatures from a registry that only answers with an error. */
async function pullAway(
  context: Context,
  to: Machine,
  failure: UnreachableError = new TransientError("Cannot reach it", { code: "AWAY" }),
  signatures = KEY.required,
) {
  const away = () => Promise.reject(failure);
  const source: Source = {
    carrier: "git",
    otherThanRefused: "choose another revision",
    resolve: away,
    inspect: away,
    stage: away,
    accept: away,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return await pullFrom(context, storeOf(context, to), source, { isOfflineOk: true, signatures });
}

Deno.test("an unreachable registry keeps the active release, but not one without the required signature, and an answer that nothing is there keeps none", async () => {
  using dir = memoryDir();
  const { trainer, bot } = worldIn(dir.path);
  await publishFrom(testContext(), trainer);
  await pullTo(testContext(), bot);
  const away = (code: string) => new UnreachableError("Cannot reach it", { code });
  const kept = await pullAway(testContext(), bot, away("PROXY_REFUSED"), KEY.optional);
  assert.deepEqual([kept.outcome, kept.unreached], ["unchanged", "Cannot reach it"]);
  const missing = pullAway(testContext(), bot, away("REPO_NOT_FOUND"), KEY.optional);
  await assert.rejects(missing, { code: "REPO_NOT_FOUND", exitCode: 4 });
  await assert.rejects(pullAway(testContext(), bot), {
    code: "AWAY",
    exitCode: 4,
    hint: /^release [0-9a-f]{12} is active$/,
  });
});

Deno.test("with required signatures, a pull from a frozen registry refuses the expired active release, which stays active", async () => {
  using dir = memoryDir();
  const { trainer, bot } = worldIn(dir.path);
  const published = await publishFrom(at("2026-11-21T00:00:00Z"), trainer, { seal: KEY.seal(7) });
  assert.equal(published.signer, KEY.trusted.hint);
  const required = { signatures: KEY.required };
  const first = await pullTo(at("2026-11-21T06:00:00Z"), bot, required);
  assert.deepEqual([first.outcome, first.signer], ["activated", KEY.trusted.hint]);
  assert.equal((await pullTo(at("2026-11-28T00:05:00Z"), bot, required)).outcome, "unchanged");
  const expired = { code: "RELEASE_EXPIRED", exitCode: 5, message: /it expired at 2026-11-28T00:00:00Z/ };
  await assert.rejects(pullTo(at("2026-11-28T00:05:01Z"), bot, required), expired);
  assert.deepEqual(readFiles(bot.modelsDir), V1);
  // An unreachable registry does not change that.
  await assert.rejects(pullAway(at("2026-11-28T00:06:00Z"), bot), expired);
  assert.equal((await pullAway(at("2026-11-27T00:00:00Z"), bot)).outcome, "unchanged");

  const context = at("2026-12-01T00:00:00Z");
  assert.equal((await pullTo(context, bot, { signatures: KEY.optional })).outcome, "unchanged");
  assert.match(context.log.lines.join("\n"), /warn .*expired at .*; it stays active/);

  // Publishing the same models again gives the release a new expiry and a new sequence.
  const renewed = await publishFrom(at("2026-11-29T00:00:00Z"), trainer, { seal: KEY.seal(7) });
  assert.deepEqual([renewed.outcome, renewed.sequence, renewed.changed], ["published", 2, 0]);
  assert.equal((await pullTo(context, bot, required)).outcome, "unchanged");
  const report = await verifyActive(context, storeOf(context, bot), "stat", KEY.required);
  assert.deepEqual([report.signature, report.sequence, report.problems], ["verified", 2, []]);
});

Deno.test("a new machine refuses an expired release, signed or not", async () => {
  using dir = memoryDir();
  const { trainer, bot } = worldIn(dir.path);
  const seal = { signer: undefined, validDays: 1 / 24 };
  await publishFrom(at("2026-11-21T00:00:00Z"), trainer, { seal });
  await assert.rejects(pullTo(at("2026-11-21T01:06:00Z"), bot), { code: "RELEASE_EXPIRED", exitCode: 5 });
  await pullTo(at("2026-11-21T01:04:00Z"), bot);
  assert.deepEqual(readFiles(bot.modelsDir), V1);
});

Deno.test("a client with keys that requires no signature accepts an unsigned release with one warning, a client without keys with none", async () => {
  using dir = memoryDir();
  const { trainer, bot } = worldIn(dir.path);
  await publishFrom(testContext(), trainer);
  const warned = async (signatures: SignaturePolicy | undefined, force: boolean) => {
    const context = testContext();
    const { signer } = await pullTo(context, bot, { signatures, force });
    assert.equal(signer, undefined);
    return context.log.lines.filter((line) => line.includes("model.sig")).map((line) => line.split(": ")[1]);
  };
  assert.deepEqual(await warned(undefined, true), []);
  const accepted = "it has no model.sig; it is accepted, because signing.required is not set";
  assert.deepEqual(await warned(KEY.optional, true), [accepted]);
  assert.deepEqual(await warned(KEY.optional, false), [], "the release is unchanged");
});

Deno.test("publishing equal models again commits nothing until half of the validity is over", async () => {
  using dir = memoryDir();
  const { trainer, registry } = worldIn(dir.path);
  const settings = { seal: KEY.seal(4) };
  const commits = () => git(registry, "rev-list", "--count", "main").trim();
  await publishFrom(at("2026-11-21T00:00:00Z"), trainer, settings);
  for (const time of ["2026-11-21T00:00:01Z", "2026-11-22T00:00:00Z", "2026-11-22T23:59:59Z"]) {
    assert.equal((await planFrom(at(time), trainer, settings)).outcome, "unchanged", time);
    assert.equal((await publishFrom(at(time), trainer, settings)).outcome, "unchanged", time);
  }
  assert.equal(commits(), "1");
  const later = "2026-11-23T00:00:01Z";
  assert.equal((await planFrom(at(later), trainer, settings)).outcome, "published");
  assert.equal((await publishFrom(at(later), trainer, settings)).outcome, "published");
  assert.equal(commits(), "2");
  assert.equal(git(registry, "diff", "--name-only", "main~1", "main").trim(), "model-sync.json\nmodel.sig");
  // Another machine with the key finds that the release needs no new signature.
  const second = machine(dir.path, "second", registry);
  writeFiles(second.modelsDir, V1);
  assert.equal((await publishFrom(at("2026-11-23T00:00:02Z"), second, settings)).outcome, "unchanged");
  assert.equal(git(join(dir.path, "trainer/registry"), "status", "--porcelain"), "");
});

Deno.test("keys are rotated by trusting both for a while; signatures of an expired key are refused", async () => {
  using dir = memoryDir();
  const { trainer, bot } = worldIn(dir.path);
  const young = testKey("P-256", "young.pem");
  const old = { ...KEY.trusted, notAfter: new Date("2026-12-01T00:00:00Z") };
  const signatures = { keys: [old, young.trusted], isRequired: true };
  await publishFrom(at("2026-11-21T00:00:00Z"), trainer, { seal: KEY.seal() });
  await pullTo(at("2026-11-21T06:00:00Z"), bot, { signatures });
  writeFiles(trainer.modelsDir, V2);
  await publishFrom(at("2026-11-22T00:00:00Z"), trainer, { seal: young.seal() });
  await pullTo(at("2026-11-22T06:00:00Z"), bot, { signatures });
  assert.deepEqual(readFiles(bot.modelsDir), V2);
  // An attacker with the old key could backdate a release, so the client's clock decides.
  writeFiles(trainer.modelsDir, { "BTC/rf.onnx": "evil" });
  await publishFrom(at("2026-11-22T00:00:01Z"), trainer, { seal: KEY.seal() });
  await assert.rejects(pullTo(at("2026-12-02T00:00:00Z"), bot, { signatures }), {
    code: "SIGNATURE_INVALID",
    message: /test\.pem is no longer trusted since 2026-12-01T00:00:00Z/,
  });
  assert.deepEqual(readFiles(bot.modelsDir), V2);
});

Deno.test("when signatures become required, the pull requests the missing signature, and older releases stay refused", async () => {
  using dir = memoryDir();
  const { trainer, bot } = worldIn(dir.path);
  const context = testContext();
  await publishFrom(context, trainer, { seal: KEY.seal() });
  const { release } = await pullTo(context, bot);
  const store = storeOf(context, bot);
  Deno.removeSync(join(store.releases, `${release.slice("sha256:".length)}.sig`));
  assert.equal((await pullTo(context, bot, { signatures: KEY.required })).outcome, "unchanged");
  assert.notEqual(findSignature(store, release), undefined);

  // A registry that was set back serves an older release with a good signature.
  writeFiles(trainer.modelsDir, V2);
  await publishFrom(context, trainer, { seal: KEY.seal() });
  await pullTo(context, bot, { signatures: KEY.required });
  git(join(dir.path, "registry.git"), "update-ref", "refs/heads/main", "main~1");
  await assert.rejects(pullTo(context, bot, { signatures: KEY.required, resetToRemote: true }), {
    code: "DOWNGRADE",
    exitCode: 5,
  });
  assert.deepEqual(readFiles(bot.modelsDir), V2);
});

Deno.test("a release keeps its signature through a pull and a rollback", async () => {
  using dir = memoryDir();
  const { trainer, bot } = worldIn(dir.path);
  const context = testContext();
  const digests: Digest[] = [];
  for (const content of ["one", "two", "three"]) {
    writeFiles(trainer.modelsDir, { "BTC/rf.onnx": content });
    await publishFrom(context, trainer, { seal: KEY.seal() });
    digests.push((await pullTo(context, bot)).release);
  }
  const store = storeOf(context, bot);
  const signatures = () =>
    Array.from(Deno.readDirSync(store.releases), ({ name }) => name)
      .filter((name) => name.endsWith(".sig")).length;
  assert.equal(signatures(), 3);
  await rollBack(context, bot);
  assert.equal((await verifyActive(context, store, "stat", KEY.required)).signature, "verified");
  await removePartialReleases(store, () => false);
  assert.equal(signatures(), 3);
  await pruneReleases(context, store, planPrune(store, 1));
  assert.equal(signatures(), 2);
  const [first] = digests;
  assert.ok(first !== undefined);
  assert.equal(findSignature(store, first), undefined);
  // The remains of an interrupted removal are removed.
  writeFiles(store.releases, { [`${"0".repeat(64)}.sig`]: "{}" });
  assert.equal(signatures(), 3);
  await removePartialReleases(store, () => false);
  assert.equal(signatures(), 2);
});

Deno.test("a clone of a signed registry is a signed folder for any verifier", async () => {
  using dir = memoryDir();
  const { trainer, registry } = worldIn(dir.path);
  await publishFrom(testContext(), trainer, { seal: KEY.seal() });
  const hand = join(dir.path, "hand");
  git(dir.path, "clone", "--quiet", registry, hand);
  const signature = join(hand, "model.sig");
  assert.equal((await verifyFolder(testContext(), [KEY.trusted], hand, signature)).files, 2);
  writeFiles(hand, { "models/extra.onnx": "x" });
  await assert.rejects(verifyFolder(testContext(), [KEY.trusted], hand, signature), {
    code: "SIGNATURE_MISMATCH",
  });
});

Deno.test("models in a folder below another are signed by their names beside the manifest", async () => {
  using dir = memoryDir();
  const { trainer, registry } = worldIn(dir.path);
  await publishFrom(testContext(), trainer, { seal: KEY.seal(), subdir: "prod/models" });
  const hand = join(dir.path, "hand");
  git(dir.path, "clone", "--quiet", registry, hand);
  const below = join(hand, "prod");
  await verifyFolder(testContext(), [KEY.trusted], below, join(below, "model.sig"));
});

for (const allowDirtyWorktree of [false, true]) {
  const how = allowDirtyWorktree ? "through a worktree in use" : "through a clean worktree";
  Deno.test(`an unsigned publish over a signed registry removes the old signature ${how}, and logs it`, async () => {
    using dir = memoryDir();
    const { trainer, registry } = worldIn(dir.path);
    await publishFrom(testContext(), trainer, { seal: KEY.seal() });
    assert.equal((await publishFrom(testContext(), trainer, { allowDirtyWorktree })).outcome, "unchanged");
    assert.match(git(registry, "ls-tree", "--name-only", "main"), /model\.sig/);
    writeFiles(trainer.modelsDir, V2);
    if (allowDirtyWorktree) writeFiles(trainer.registry.repoDir, { "notes.txt": "somebody's" });
    const context = testContext();
    await publishFrom(context, trainer, { allowDirtyWorktree });
    assert.equal(git(registry, "ls-tree", "--name-only", "main").trim(), "model-sync.json\nmodels");
    assert.match(context.log.lines.join("\n"), /warn removing model\.sig: it belongs to an earlier release/);
    await publishFrom(context, trainer, { allowDirtyWorktree, seal: KEY.seal() });
    assert.equal(
      git(registry, "ls-tree", "--name-only", "main").trim(),
      "model-sync.json\nmodel.sig\nmodels",
    );
  });
}

Deno.test("a signature in the registry that is not a file is refused, and a publish replaces a damaged one", async () => {
  using dir = memoryDir();
  const { trainer, bot, registry } = worldIn(dir.path);
  await publishFrom(testContext(), trainer, { seal: KEY.seal() });
  const hand = join(dir.path, "hand");
  git(dir.path, "clone", "--quiet", registry, hand);
  writeFiles(hand, { "model.sig": "garbage" });
  git(hand, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "-am", "damage");
  git(hand, "push", "--quiet");
  await assert.rejects(pullTo(testContext(), bot, { signatures: KEY.required }), {
    code: "SIGNATURE_INVALID",
  });
  assert.equal((await publishFrom(testContext(), trainer, { seal: KEY.seal() })).outcome, "published");
  await pullTo(testContext(), bot, { signatures: KEY.required });
  git(hand, "pull", "--quiet");
  git(hand, "rm", "--quiet", "model.sig");
  writeFiles(hand, { "model.sig/x": "" });
  git(hand, "add", "model.sig");
  git(hand, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "-am", "folder");
  git(hand, "push", "--quiet");
  await assert.rejects(pullTo(testContext(), bot), {
    code: "REGISTRY_UNFIT",
    message: /model\.sig is a folder/,
  });
});

Deno.test("a publisher that signs carries only withdrawals that its key signed, and one that does not sign carries all", () => {
  const withdrawals = [{
    digest: `sha256:${"1".repeat(64)}`,
    state: "withdrawn",
    at: "2026-01-01T00:00:00Z",
  }] as const;
  const seal = KEY.seal();
  const carried = (by: string | undefined, signs = true) =>
    ownWithdrawals(signs ? seal : undefined, { signedBy: by }, { withdrawals });
  assert.deepEqual(carried(seal.signer?.keyHint), withdrawals);
  assert.deepEqual([carried("another key"), carried(undefined)], [[], []]);
  assert.deepEqual([carried(undefined, false), carried("another key", false)], [withdrawals, withdrawals]);
  assert.deepEqual(ownWithdrawals(undefined, {}, undefined), []);
});
