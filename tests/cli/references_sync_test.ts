import assert from "node:assert/strict";
import * as z from "zod";
import { TOKEN } from "../../fakes/github_server.ts";
import { HurriedClock } from "../helpers/fake_clock.ts";
import { ReferencesWorld } from "../helpers/references_world.ts";
import { cliArgs, runCli, spawnCli } from "../helpers/run_cli.ts";
import { startCli } from "../helpers/start_cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { GIT_ENV } from "../helpers/test_git.ts";

const BRANCH = "model-sync/references";

/** A GitHub and a PRIMARY that differ in three models of one category, and a folder to be in. */
class CliWorld extends ReferencesWorld {
  readonly #dir = tempDir();

  constructor() {
    super({ dir: tempDir() });
    this.commit(this.images, {
      "clip.json": '{\n\t"ViT-L/14": {"version": "1"},\n\t"old": {}\n}\n',
      "blip.json": "{}\n",
    });
    this.commit(this.texts, { "db.json": "{}\n", "models.csv": "" });
    this.primary.records.set(
      "clip",
      '{"ViT-L/14": {"version": "2"}, "new": {"note": "h\\u00e9 \\ud83d\\ude00"}}',
    )
      .set("blip", '{"b": {"name": "b"}}').set("text_generation", '{"a": {"parameters": 7000000000}}');
    this.primary.lastUpdated = 100;
  }

  get cwd(): string {
    return this.#dir.path;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }

  async run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    return await runCli("references-sync", args, {
      cwd: this.cwd,
      env: { ...this.env, ...env },
      world: { clock: new HurriedClock() },
    });
  }
}

Deno.test("references-sync --dry-run shows each model and field, needs no token, and leaves no trace", async () => {
  await using world = new CliWorld();
  const { code, stdout, stderr } = await world.run(["--dry-run", "--categories", "clip, blip"], {
    HORDE_GITHUB_SYNC_GITHUB_TOKEN: "",
  });
  assert.equal(code, 0, stderr);
  assert.deepEqual(stdout.split("\n"), [
    "blip  Haidra-Org/AI-Horde-image-model-reference blip.json, 1 change",
    "  + b",
    '      name: "b"',
    "",
    "clip  Haidra-Org/AI-Horde-image-model-reference clip.json, 3 changes",
    "  ~ ViT-L/14",
    '      version: "1" → "2"',
    "  + new",
    '      note: "hé 😀"',
    "  - old",
    "",
    "Categories processed: 2",
    "Successful: 2",
    "Failed: 0",
    "  Haidra-Org/AI-Horde-image-model-reference: a pull request with 4 changes would be made",
    "",
  ]);
  assert.deepEqual([...Deno.readDirSync(world.cwd)], []);
  assert.deepEqual(world.github.requests, []);
});

Deno.test("a dry run reads the reference files through a proxy for GitHub, and makes no clone", async () => {
  await using world = new CliWorld();
  const asked: string[] = [];
  await using proxy = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    asked.push(new URL(request.url).pathname);
    return request.url.endsWith("/clip.json")
      ? new Response('{"old": {}, "ViT-L/14": {"version": "2"}}')
      : new Response("none", { status: 404 });
  });
  const { code, stdout, stderr } = await world.run(["--dry-run"], {
    GITHUB_PROXY_URL_BASE: `http://127.0.0.1:${proxy.addr.port}/gh/`,
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^ {2}- old$/m);
  assert.match(stdout, /^no reference file: blip, codeformer, .*text_generation/m);
  const raw =
    "/gh/https://raw.githubusercontent.com/Haidra-Org/AI-Horde-image-model-reference/refs/heads/main";
  assert.ok(asked.includes(`${raw}/clip.json`), asked.join("\n"));
  assert.deepEqual(world.git.requests, []);
});

Deno.test("references-sync opens pull requests, prints them as JSON, and is recorded", async () => {
  await using world = new CliWorld();
  const { code, stdout, stderr } = await world.run(["--json"]);
  assert.deepEqual([code, stderr], [0, ""]);
  const report = z.object({
    repositories: z.array(z.object({ outcome: z.string(), pullRequest: z.object({ url: z.string() }) })),
  }).parse(JSON.parse(stdout));
  assert.deepEqual(report.repositories.map(({ outcome }) => outcome), ["created", "created"]);
  assert.match(world.read(world.texts, BRANCH, "models.csv"), /^a,7,/m);
  const status = await runCli("status", [], { cwd: world.cwd });
  assert.match(status.stdout, /references-sync\s+proposed/);
  const again = await world.run([]);
  assert.equal(again.code, 0);
  assert.match(again.stdout, /PRs created: 0\n {2}http\S+ unchanged\n {2}http\S+ unchanged\n$/);
});

Deno.test("--verbose and HORDE_GITHUB_SYNC_VERBOSE_LOGGING show addresses, counts, the branch and requests, and no secret", async () => {
  for (
    const [args, env] of [
      [["--verbose"], {}],
      [[], { HORDE_GITHUB_SYNC_VERBOSE_LOGGING: "true" }],
    ] as const
  ) {
    await using world = new CliWorld();
    const { port } = new URL(world.primary.origin);
    const { code, stderr } = await world.run(["--categories", "clip", ...args], {
      ...env,
      HORDE_GITHUB_SYNC_PRIMARY_API_URL: `http://ada:hunter2@127.0.0.1:${port}/api`,
    });
    assert.equal(code, 0, stderr);
    const repository = "Haidra-Org/AI-Horde-image-model-reference";
    for (
      const line of [
        `PRIMARY is ${world.primary.origin}/api; GitHub is ${world.git.origin}, its API ${world.github.apiUrl}`,
        `${repository}: fetching the branch main of ${world.git.origin} into a temporary folder`,
        `GET ${world.primary.origin}/api/model_references/v1/clip: 200 after `,
        `clip: PRIMARY has 2 records, clip.json of ${repository} has 2`,
        `${BRANCH} does not exist, no open pull request`,
        `POST ${world.github.apiUrl}/repos/${repository}/pulls: 201 after `,
      ]
    ) {
      assert.ok(stderr.includes(line), `${line}\n${stderr}`);
    }
    assert.doesNotMatch(stderr, /hunter2/);
    assert.ok(!stderr.includes(TOKEN));
    const plain = await world.run(["--categories", "clip"]);
    assert.doesNotMatch(plain.stderr, /debug|GET http/);
  }
});

Deno.test("references-sync says which commits of other authors stay on the branch, in text and in JSON", async () => {
  await using world = new CliWorld();
  const only = ["--categories", "clip"];
  await world.run(only);
  world.edit(world.images, BRANCH, { "clip.json": '{\n\t"ViT-L/14": {"version": "3"}\n}\n' });
  const { stdout } = await world.run(only);
  assert.match(
    stdout,
    /\/pull\/1 unchanged\n {4}keeps 1 commit of other authors on its branch; PRIMARY's records do not replace their edits of: ViT-L\/14, new\n/,
  );
  const json = JSON.parse((await world.run([...only, "--json"])).stdout);
  assert.deepEqual(json.repositories[0].kept, { commits: 1, models: ["ViT-L/14", "new"] });
});

Deno.test("references-sync opens a pull request as a process, under its own permissions", async () => {
  await using world = new CliWorld();
  const { code, stdout, stderr } = await spawnCli("references-sync", ["--categories", "clip"], {
    cwd: world.cwd,
    env: world.env,
    entry: "script",
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /PRs created: 1/);
  assert.equal(world.images.pulls.pulls.length, 1);
});

Deno.test("references-sync names a missing or wrong setting in one line, with its exit code", async () => {
  await using world = new CliWorld();
  const cases = [
    [
      ["--categories", "clipp"],
      {},
      2,
      /--categories: "clipp" is not a category; the categories are blip, clip, .*, ti; did you mean "clip"\?/,
    ],
    [[], { HORDE_GITHUB_SYNC_PRIMARY_API_URL: "" }, 2, /no PRIMARY server is set/],
    [["--output-dir", "preview"], {}, 2, /Cannot write to --output-dir preview and make pull requests/],
    [[], { HORDE_GITHUB_SYNC_GITHUB_TOKEN: "" }, 3, /no token is set/],
    [
      ["--categories", "lora,blip"],
      {},
      1,
      /Failed to scan - Cannot sync lora: no target repository has a file[^]*\nnext: {2}omit it from --categories/,
    ],
    [["--categories", "esrgan"], {}, 1, /Cannot sync esrgan: Haidra-Org\S+ has no esrgan\.json/],
  ] as const;
  for (const [args, env, wanted, message] of cases) {
    const { code, stdout, stderr } = await world.run(args, env);
    assert.equal(code, wanted, stderr);
    assert.match(stdout + stderr, message);
    assert.doesNotMatch(stderr, /^ {4}at /m);
  }
});

Deno.test("references-sync exits with 3 when GitHub refuses the token, to list or to open pull requests", async () => {
  for (const caller of [undefined, { login: "reader", canWrite: false, canMakeLabels: false }]) {
    await using world = new CliWorld();
    if (caller === undefined) world.github.callers.clear();
    else world.github.callers.set(TOKEN, caller);
    const { code, stdout, stderr } = await world.run(["--categories", "clip"]);
    assert.equal(code, 3, stdout + stderr);
    assert.match(stdout, /Failed: 1 \(clip\)/);
    assert.doesNotMatch(stderr, /error/);
    const json = await world.run(["--categories", "clip", "--json"]);
    assert.equal(json.code, 3);
    assert.match(json.stdout, /"code":"HTTP_40[13]"/);
  }
});

Deno.test("references-sync --watch continues although PRIMARY lacks a category, and syncs the others", async () => {
  await using world = new CliWorld();
  world.primary.records.delete("blip");
  const watch = startCli("references-sync", ["--watch", "--watch-interval", "1", "--watch-startup-sync"], {
    cwd: world.cwd,
    env: world.env,
    world: { clock: new HurriedClock() },
  });
  const text = await watch.until(/Triggering sync operation to retry what failed\.\.\.\n[^]*Sync incomplete/);
  assert.match(text, /Sync incomplete: Cannot read the records of blip: PRIMARY has no records for blip/);
  assert.doesNotMatch(text, /of 10\)/);
  assert.equal(world.images.pulls.pulls.length, 1);
  world.primary.records.set("blip", '{"b": {"name": "b"}}');
  await watch.until(/Sync completed successfully\n/);
  watch.stop();
  assert.equal(await watch.exitCode, 0);
});

Deno.test("references-sync --watch prints the original's banner and lines, syncs a change, serves its health, and stops with 0", async () => {
  await using world = new CliWorld();
  const args = ["--watch", "--watch-interval", "1", "--health-listen", "127.0.0.1:0"];
  const watch = startCli("references-sync", args, {
    cwd: world.cwd,
    env: world.env,
    world: { clock: new HurriedClock() },
  });
  const begin = await watch.until(/Initialized last known timestamp: 100\n/);
  const told = begin.split("\n").filter((line) => !/^\S+Z (info|warn) /.test(line));
  assert.deepEqual(told.slice(0, 10), [
    "=".repeat(80),
    "GitHub Model Reference Sync Service - WATCH MODE",
    "=".repeat(80),
    `Monitoring PRIMARY API: ${world.primary.origin}`,
    "Polling interval: 1 seconds",
    "Initial delay: 0 seconds",
    "Startup sync: disabled",
    "=".repeat(80),
    "Starting watch loop. Press Ctrl+C to stop.",
    "-".repeat(80),
  ]);
  world.primary.lastUpdated = 101;
  await watch.until(/Changes detected! Timestamp changed from 100 to 101\n/);
  await watch.until(/Sync completed successfully\n/);
  assert.equal(world.images.pulls.pulls.length, 1);
  const [, origin = ""] = /health server listens on (\S+):/.exec(watch.said) ?? [];
  const health = await fetch(`${origin}/healthz`);
  const { alive, roles } = await health.json();
  assert.deepEqual([health.status, alive, Object.keys(roles)], [200, true, ["references"]]);
  const metrics = await (await fetch(`${origin}/metrics`)).text();
  assert.match(metrics, /model_sync_runs_total\{[^}]*command="references-sync",outcome="proposed"\} 1\n/);
  watch.stop();
  await watch.until(/Watch mode stopped\n/);
  assert.equal(await watch.exitCode, 0);
});

Deno.test("a sync that is stopped ends immediately: with 130, or with 0 while watching", async () => {
  await using world = new CliWorld();
  for (const [args, code] of [[["--watch-startup-sync", "--watch-interval", "1"], 0], [[], 130]] as const) {
    const before = world.primary.requests.length;
    world.primary.faults.push(...(code === 0 ? [undefined] : []), { kind: "hang" });
    const child = new Deno.Command(Deno.execPath(), {
      args: cliArgs("references-sync", [...(code === 0 ? ["--watch"] : []), ...args], { entry: "script" }),
      cwd: world.cwd,
      env: { ...GIT_ENV, ...world.env },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    // Several may arrive at once.
    while (!world.primary.requests.slice(before).some((path) => /\/blip$/.test(path))) {
      await world.primary.nextRequest();
    }
    child.kill("SIGINT");
    assert.equal((await child.status).code, code);
    assert.deepEqual([...Deno.readDirSync(world.scratch)], []);
  }
});

Deno.test("too few changes are shown with their number, the threshold and the way to propose them", async () => {
  await using world = new CliWorld();
  const env = { HORDE_GITHUB_SYNC_MIN_CHANGES_THRESHOLD: "5" };
  const { stdout } = await world.run(["--categories", "clip"], env);
  const line =
    "  Haidra-Org/AI-Horde-image-model-reference: 3 changes, fewer than min_changes_threshold (5); " +
    "to propose a pull request anyway, add --force\n";
  assert.ok(stdout.includes(line), stdout);
  assert.match((await world.run(["--categories", "clip", "--force"], env)).stdout, /pull\/1 created/);
});

Deno.test("on a machine that only syncs references, init goes on to the dry run, and doctor misses no models", async () => {
  await using world = new CliWorld();
  const env = { ...world.env, HORDE_GITHUB_SYNC_GITHUB_TOKEN: "", GITHUB_TOKEN: "" };
  const run = (name: string, ...args: string[]) => runCli(name, args, { cwd: world.cwd, env });
  const { code, stdout } = await run("init", "references", "--primary-url", world.primary.origin);
  assert.equal(code, 0);
  assert.match(stdout, /^to open pull requests, put a token that may write [^\n]* into GITHUB_TOKEN: /m);
  assert.match(stdout, /\nnext: model-sync references-sync --dry-run\n$/);
  assert.equal((await run("references-sync", "--dry-run")).code, 0);
  const before = await run("doctor");
  assert.equal((await run("references-sync")).code, 3, "the token is missing, and the run is on record");
  const after = await run("doctor");
  for (const { stdout } of [before, after]) {
    assert.match(stdout, /^ {2}pass {2}models folder: not needed: this machine pulls no models$/m);
  }
});
