import assert from "node:assert/strict";
import { join } from "node:path";
import * as z from "zod";
import { planRollback } from "../../lib/pipeline/rollback.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest, type Digest, releaseFile } from "../../lib/release/manifest.ts";
import { installRelease } from "../../lib/store/releases.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { run, runJson } from "../helpers/seed_world.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { configuredPair } from "../helpers/machines.ts";

Deno.test("rollback --to accepts the sequence number that status shows", async () => {
  using dir = tempDir();
  const { bot, digests } = await threePulled(dir.path);
  const planned = await runJson(bot, "rollback", "--to", "1", "--dry-run");
  await runJson(bot, "quarantine", "add", String(digests[0]));
  await runJson(bot, "quarantine", "add", String(digests[1]));
  assert.match(
    (await run(bot, "rollback")).stderr,
    /neither quarantined nor withdrawn\nnext: {2}model-sync releases lists the releases; choose one: model-sync rollback --to/,
  );
  assert.deepEqual([planned["release"], planned["sequence"]], [digests[0], 1]);
  const back = await runJson(bot, "rollback", "--to", "1");
  assert.deepEqual([back["outcome"], back["release"], back["previous"]], [
    "rolled-back",
    digests[0],
    digests[2],
  ]);
  assert.equal(Deno.readTextFileSync(join(bot, "models/rf.bin")), "one");
  const missing = await run(bot, "rollback", "--to", "9");
  assert.equal(missing.code, 5);
  assert.match(missing.stderr, /no release with it\nnext: {2}it holds the sequences: 3, 2, 1/);
  assert.equal((await runJson(bot, "rollback", "--to", String(digests[1])))["release"], digests[1]);
});

Deno.test("the command that rollback prints undoes it: the store is as before, and no good release is quarantined", async () => {
  using dir = tempDir();
  const { bot, digests } = await threePulled(dir.path);
  const [, digest = ""] = /model-sync rollback --to (\S+)/.exec((await run(bot, "rollback")).stdout) ??
    assert.fail("no command is printed");
  const preview = await run(bot, "rollback", "--to", "3", "--dry-run");
  const undone = await run(bot, "rollback", "--to", digest);
  assert.doesNotMatch(preview.stdout, /and quarantine/);
  assert.match(undone.stdout, /^✓ activated release [0-9a-f]{12} \(sequence 3\)\n/);
  assert.doesNotMatch(undone.stdout, /is quarantined/);
  assert.deepEqual((await runJson(bot, "quarantine", "list"))["quarantine"], []);
  assert.match((await run(bot, "history")).stdout, / rollback to a newer release\n.* rollback\n/);
  const again = await runJson(bot, "rollback");
  assert.deepEqual([again["outcome"], again["release"]], ["rolled-back", digests[1]]);
  const forward = await runJson(bot, "rollback", "--to", "3");
  assert.deepEqual([forward["outcome"], forward["previous"]], ["activated", digests[1]]);
  assert.equal((await runJson(bot, "pull"))["outcome"], "unchanged");
});

Deno.test("rollback says which quarantine it lifts, with the reason", async () => {
  using dir = tempDir();
  const { bot } = await threePulled(dir.path);
  await run(bot, "quarantine", "add", "1", "--reason", "bad labels");
  const lifts = /^ {2}it (?:is|would be) no longer quarantined: it was since \S+Z \(bad labels\)$/m;
  assert.match((await run(bot, "rollback", "--to", "1", "--dry-run")).stdout, lifts);
  assert.match((await run(bot, "rollback", "--to", "1")).stdout, lifts);
  assert.doesNotMatch((await run(bot, "quarantine", "list")).stdout, /bad labels/);
  await run(bot, "quarantine", "add", "1", "--reason", "bad labels");
  const again = await runJson(bot, "rollback", "--to", "1");
  assert.deepEqual([again["outcome"], reasonOf(again)], ["unchanged", "bad labels"]);
  assert.equal((await runJson(bot, "rollback", "--to", "2"))["liftedQuarantine"], null);
});

Deno.test("a rollback without another release says where a good one comes from", () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  assert.throws(() => planRollback(store, undefined), {
    code: "NOTHING_TO_ROLL_BACK_TO",
    exitCode: 2,
    message: /the store holds no earlier release$/,
    hint: "publish a good release, and pull it",
  });
});

function reasonOf(result: Record<string, unknown>): string {
  return z.object({ liftedQuarantine: z.object({ reason: z.string() }) }).parse(result).liftedQuarantine
    .reason;
}

/** A bot that pulled three releases; the third is active. */
async function threePulled(path: string) {
  const { trainer, bot } = configuredPair(path);
  const digests: unknown[] = [];
  for (const content of ["one", "two", "three"]) {
    writeFiles(join(trainer, "models"), { "rf.bin": content });
    digests.push((await runJson(trainer, "publish"))["release"]);
    await runJson(bot, "pull");
  }
  return { bot, digests };
}

/** A store with releases of these sequence numbers, whose contents are numbered. */
async function storeWith(path: string, sequences: readonly number[]) {
  const store = openStore(Deno, { modelsDir: join(path, "models") });
  const digests: Digest[] = [];
  for (const [index, sequence] of sequences.entries()) digests.push(await install(store, index, sequence));
  return { store, digests };
}

async function install(store: Store, index: number, sequence: number): Promise<Digest> {
  const content = String(index);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(content));
  const file = releaseFile("rf.bin", { bytes: content.length, sha256: new Uint8Array(digest).toHex() });
  const origin = { carrier: "git" as const };
  const manifest = await createManifest([file], { sequence, createdAt: "2026-11-21T00:00:00Z", origin });
  const folder = join(store.staging, content);
  writeFiles(folder, { "rf.bin": content });
  installRelease(store, folder, manifest.digest, formatManifest(manifest));
  return manifest.digest;
}

Deno.test("a number is a sequence rather than the beginning of a digest, and sha256: marks a digest", async () => {
  using dir = tempDir();
  const { store, digests } = await storeWith(dir.path, Array.from({ length: 300 }, (_, index) => index + 1));
  const numeric = digests.find((digest) => /^sha256:[1-9]\d{3}/.test(digest)) ??
    assert.fail("none is numeric");
  const typed = numeric.slice("sha256:".length, "sha256:".length + 4);
  assert.equal(planRollback(store, typed).target.manifest.digest, numeric);
  const numbered = await install(store, 1_000, Number(typed));
  assert.equal(planRollback(store, typed).target.manifest.digest, numbered);
  assert.equal(planRollback(store, `sha256:${typed}`).target.manifest.digest, numeric);
});

Deno.test("a text that is neither a sequence number nor a digest is refused", async () => {
  using dir = tempDir();
  const { store } = await storeWith(dir.path, [1, 2]);
  for (const to of ["", "2.5", "-1", "two", "sha256:", "abc"]) {
    assert.throws(() => planRollback(store, to), {
      code: "DIGEST_INVALID",
      message: /: it is neither a sequence number nor the beginning of a digest, which has 4 to 64/,
    });
  }
});

Deno.test("a sequence number that several releases have is refused with their digests", async () => {
  using dir = tempDir();
  const { store, digests } = await storeWith(dir.path, [0, 0, 1]);
  assert.throws(() => planRollback(store, "0"), {
    code: "SEQUENCE_AMBIGUOUS",
    exitCode: 2,
    hint: new RegExp(digests.slice(0, 2).map((digest) => `(?=.*${digest.slice(7, 19)})`).join("")),
  });
});
