import assert from "node:assert/strict";
import { join } from "node:path";
import { checkKeys } from "../../lib/doctor/key_checks.ts";
import { UNUSED } from "../../lib/status/machine_use.ts";
import { machine, publishFrom, pullTo, storeOf } from "../helpers/machines.ts";
import { clockAt, testKey } from "../helpers/signing.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository } from "../helpers/test_git.ts";

const NOTHING = { public_keys: [], required: false };

Deno.test("checkKeys() returns nothing without configured keys", async () => {
  assert.deepEqual(await checkKeys(testContext(), NOTHING, UNUSED, undefined), []);
});

Deno.test("checkKeys() says which configured keys can be used, and which end soon", async () => {
  using dir = tempDir();
  const key = testKey();
  const path = (name: string) => join(dir.path, name);
  writeFiles(dir.path, { "key.pem": key.privatePem, "pub.pem": key.publicPem });
  Deno.chmodSync(path("key.pem"), 0o600);
  const context = testContext({ clock: clockAt("2026-11-21T00:00:00Z") });
  const pub = path("pub.pem");
  const checks = await checkKeys(
    context,
    {
      private_key: path("key.pem"),
      public_keys: [
        pub,
        { path: pub, not_after: "2026-11-20T00:00:00Z" },
        { path: pub, not_after: "2026-12-04T00:00:00Z" },
        { path: pub, not_before: "2027-01-01T00:00:00Z", not_after: "2028-01-01T00:00:00Z" },
      ],
      required: true,
    },
    UNUSED,
    undefined,
  );
  assert.deepEqual(checks.map(({ status, detail }) => [status, detail.replace(pub, "pub.pem")]), [
    ["pass", `releases are signed by the key ${key.trusted.hint.slice(0, 12)}`],
    ["pass", "pub.pem is trusted"],
    ["warn", "pub.pem is no longer trusted, since 2026-11-20T00:00:00Z"],
    ["warn", "pub.pem is only trusted until 2026-12-04T00:00:00Z"],
    ["pass", "pub.pem is trusted from 2027-01-01T00:00:00Z on"],
  ]);
});

Deno.test("checkKeys() says how to fix a key that cannot be used", async () => {
  using dir = tempDir();
  const settings = { ...NOTHING, private_key: join(dir.path, "none.pem"), public_keys: [dir.path] };
  const checks = await checkKeys(testContext(), settings, UNUSED, undefined);
  assert.deepEqual(checks.map(({ name, status }) => [name, status]), [
    ["signing key", "fail"],
    ["trusted keys", "fail"],
  ]);
  assert.ok(checks.every(({ mend }) => mend?.includes("keys generate")));
  // One file may serve all machines.
  const client = await checkKeys(testContext(), settings, { ...UNUSED, neverTrains: true }, undefined);
  assert.deepEqual(client.map(({ name, status }) => [name, status]), [
    ["signing key", "warn"],
    ["trusted keys", "fail"],
  ]);
});

Deno.test("checkKeys() warns of an active release without the signature that is required", async () => {
  using dir = tempDir();
  const { trainer, bot } = pair(dir.path);
  const context = testContext();
  const key = testKey();
  writeFiles(dir.path, { "pub.pem": key.publicPem });
  const signing = { public_keys: [join(dir.path, "pub.pem")], required: true };
  const names = async () =>
    (await checkKeys(context, signing, UNUSED, storeOf(context, bot))).map(({ name }) => name);
  writeFiles(trainer.modelsDir, { "rf.bin": "unsigned" });
  await publishFrom(context, trainer);
  await pullTo(context, bot);
  assert.deepEqual(await names(), ["trusted keys", "signature"]);
  writeFiles(trainer.modelsDir, { "rf.bin": "signed" });
  await publishFrom(context, trainer, { seal: key.seal() });
  await pullTo(context, bot, { signatures: key.required });
  assert.deepEqual(await names(), ["trusted keys"]);
});

function pair(root: string) {
  const bare = bareRepository(join(root, "registry.git"));
  return { trainer: machine(root, "trainer", bare), bot: machine(root, "bot", bare) };
}
