import assert from "node:assert/strict";
import { Activation } from "../../lib/config/sections/activation.ts";
import { checkSafeguards } from "../../lib/doctor/safeguard_checks.ts";
import { checkStore } from "../../lib/doctor/store_checks.ts";
import { openStore } from "../../lib/store/store.ts";
import { type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";
import { makeProgram } from "../helpers/make_program.ts";

async function checksOf(
  activation: object,
  env: Readonly<Record<string, string>> = {},
  modelsDir = "models",
) {
  const context = testContext({ env: fixedEnvironment({ PATH: Deno.env.get("PATH") ?? "", ...env }) });
  const checks = await checkSafeguards(context, Activation.parse(activation), modelsDir);
  assert.ok(checks.every(({ status, mend }) => status === "pass" || (mend ?? "") !== ""));
  return checks.map(({ name, status, detail }) => `${status} ${name}: ${detail}`);
}

/** A server on loopback that records its requests. */
function startServer(answer: (path: string) => Response) {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    asked.push(`${request.method} ${pathname}`);
    return answer(pathname);
  });
  return {
    asked,
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Of a server that was there a moment ago. */
async function deadUrl(): Promise<string> {
  await using server = startServer(() => new Response());
  return server.url;
}

Deno.test("checkSafeguards() returns nothing without consumers and metrics", async () => {
  assert.deepEqual(await checksOf({}), []);
});

Deno.test("checkSafeguards() reaches consumers over HTTP without notifying them", async () => {
  await using server = startServer((path) =>
    new Response(null, { status: path.startsWith("/v2") ? 200 : 404 })
  );
  const { host } = new URL(server.url);
  const secret = { type: "http", url: `${server.url}/reload?key=k`, secret_env: "RELOAD_SECRET" };
  const reload = [secret, { type: "triton", url: server.url }];
  assert.deepEqual(await checksOf({ reload }, { RELOAD_SECRET: "s" }), [
    `pass reload: ${host} responds; ${server.url}/reload was not called`,
    `pass reload: Triton at ${server.url} is ready`,
  ]);
  assert.deepEqual(server.asked.toSorted(), ["GET /v2/health/ready", "HEAD /"]);
  const [unset = ""] = await checksOf({ reload });
  assert.match(unset, /^fail reload: .*the variable RELOAD_SECRET with the secret is not set/);
  const [dead = ""] = await checksOf({ reload: [{ type: "http", url: `${await deadUrl()}/reload` }] });
  assert.match(dead, /^fail reload: .*did not answer/);
});

Deno.test("checkSafeguards() reports a Triton that is not ready, and a serving API that does not answer", async () => {
  await using server = startServer(() => new Response("loading", { status: 400 }));
  const reload = [
    { type: "triton", url: server.url },
    { type: "tensorflow-serving", model_base_path: "served", url: await deadUrl() },
    { type: "tensorflow-serving", model_base_path: "served" },
  ];
  const [triton = "", away = "", alone] = await checksOf({ reload });
  assert.match(triton, /^fail reload: .*answered 400: loading/);
  assert.match(away, /^fail reload: .*did not answer/);
  assert.equal(alone, "pass reload: TensorFlow Serving in served has no url: pulls do not wait for it");
});

Deno.test("checkSafeguards() checks that the programs of hooks exist, and runs none", async () => {
  using dir: TempDir = tempDir();
  writeFiles(dir.path, { "reload.sh": `#!/bin/sh\ntouch ${dir.path}/told`, "data.txt": "no program" });
  makeProgram(`${dir.path}/reload.sh`);
  const of = (command: string) => ({ type: "command", command: [command, "now"] });
  const checks = await checksOf({
    reload: [
      of("sh"),
      of(`${dir.path}/reload.sh`),
      of("no-such-program-at-all"),
      of(`${dir.path}/data.txt`),
    ],
    validate: { validate_command: ["no-such-validator"] },
  });
  assert.deepEqual(checks, [
    "pass reload: sh exists; it was not run",
    `pass reload: ${dir.path}/reload.sh exists; it was not run`,
    'fail reload: Cannot run "no-such-program-at-all": no such program on the PATH',
    `fail reload: Cannot run "${dir.path}/data.txt": it is not a program`,
    'fail validate_command: Cannot run "no-such-validator": no such program on the PATH',
  ]);
  assert.throws(() => Deno.statSync(`${dir.path}/told`), Deno.errors.NotFound);
});

Deno.test(
  "checkSafeguards() looks for the process of a pid file, and sends it no signal",
  { ignore: Deno.build.os === "windows" },
  async () => {
    using dir: TempDir = tempDir();
    const file = `${dir.path}/bot.pid`;
    const reload = [{ type: "signal", pid_file: file }];
    const service = new Deno.Command("cat", { stdin: "piped", stdout: "null" }).spawn();
    Deno.writeTextFileSync(file, `${service.pid}\n`);
    assert.deepEqual(await checksOf({ reload }), [
      `pass reload: the process of ${file} is running (${service.pid}); it was sent no signal`,
    ]);
    await service.stdin.close();
    // It ended with its input, not by a signal.
    assert.equal((await service.status).code, 0);
    assert.deepEqual(await checksOf({ reload }), [`fail reload: process ${service.pid} does not exist`]);
    Deno.writeTextFileSync(file, "bot");
    const [wrong = ""] = await checksOf({ reload });
    assert.match(wrong, /^fail reload: .*holds "bot", which is not the pid of another process/);
    Deno.removeSync(file);
    assert.deepEqual(await checksOf({ reload }), [`fail reload: ${file} does not exist`]);
    // As for a file of another user: the error of the system is a result, too.
    Deno.symlinkSync("bot.pid", file);
    assert.match((await checksOf({ reload }))[0] ?? "", /^fail reload: .*symbolic links/);
  },
);

Deno.test("checkSafeguards() samples every metric once, and warns of one without a number", async () => {
  using dir: TempDir = tempDir();
  writeFiles(dir.path, { "win_rate": "0.6", "nan": "NaN" });
  await using server = startServer(() => Response.json({ drawdown: 0.1 }));
  const metrics = [
    { name: "win_rate", type: "file", path: `${dir.path}/win_rate`, direction: "higher" },
    { name: "drawdown", type: "http", url: server.url, path: "drawdown", direction: "lower" },
    { name: "sharpe", type: "file", path: `${dir.path}/nan`, direction: "higher" },
    { name: "errors", type: "command", command: ["sh", "-c", "exit 3"], direction: "lower" },
  ];
  assert.deepEqual(await checksOf({ canary: { metrics } }), [
    "pass canary: win_rate is 0.6",
    "pass canary: drawdown is 0.1",
    "warn canary: sharpe is not a number",
    "warn canary: errors has no value: the command ended with exit code 3",
  ]);
  assert.deepEqual(server.asked, ["GET /"]);
  assert.deepEqual(await checksOf({ canary: { metrics, duration_minutes: 0 } }), []);
});

Deno.test("checkStore() fails for unreadable records that every pull depends on", async () => {
  using dir: TempDir = tempDir();
  const context = testContext();
  const location = { modelsDir: `${dir.path}/models`, stateDir: undefined };
  const store = openStore(context.fs, location);
  const failed = async () =>
    (await checkStore(context, location, "auto")).filter(({ status }) => status === "fail");
  assert.deepEqual(await failed(), []);
  writeFiles(store.root, { "canary.json": "{", "quarantine.json": "{" });
  assert.deepEqual((await failed()).map(({ name, mend }) => `${name}: ${mend}`), [
    "canary: remove the file to keep the active release without a canary, or roll back with model-sync rollback",
    "quarantine: fix it, or remove it to lift every quarantine",
  ]);
});

Deno.test("checkSafeguards() fails for backups inside the models, and where they cannot be written", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "models/a.bin": "a", "file": "" });
  const models = `${dir.path}/models`;
  const backups = (backup_dir: string) => checksOf({ backup_dir }, {}, models);
  assert.deepEqual(await backups(`${dir.path}/backups/daily`), [
    `pass backups: kept in ${dir.path}/backups/daily`,
  ]);
  for (const inside of [models, `${models}/`, `${models}/backup`, `${dir.path}/x/../models/backup`]) {
    const [check = ""] = await backups(inside);
    assert.match(check, /^fail backups: Cannot keep backups in .*: that is inside the model folder/, inside);
  }
  assert.match((await backups(`${dir.path}/file/backups`))[0] ?? "", /^fail backups: /);
  assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name).sort(), ["file", "models"]);
});
