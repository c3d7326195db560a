import assert from "node:assert/strict";
import { join } from "node:path";
import { z } from "zod";
import { SUMMARIES } from "../cli/_help.ts";
import { configKeys } from "../lib/config/keys.ts";
import { EXIT } from "../lib/core/errors.ts";
import { writeZip } from "../lib/archive/zip_writer.ts";
import { systemClock } from "../lib/core/clock.ts";
import { roleSchedule } from "../lib/config/roles.ts";
import { loadText } from "./helpers/complete_settings.ts";
import { OWNER, REPOSITORY, startGitHubServer } from "../fakes/github_server.ts";
import { HubServer } from "../fakes/hub_server.ts";
import { ReferencesWorld } from "./helpers/references_world.ts";
import { PROJECT, spawnCli } from "./helpers/run_cli.ts";
import { RunPodWorld } from "./helpers/runpod_world.ts";
import { tempDir, writeFiles } from "./helpers/temp_dir.ts";
import { testContext } from "./helpers/test_context.ts";
import { bareRepository, GIT_ENV } from "./helpers/test_git.ts";

const README = Deno.readTextFileSync(join(PROJECT, "README.md"));

interface Block {
  /** What follows the opening fence: `sh trainer`. */
  readonly kind: string;
  readonly text: string;
}

const BLOCKS: readonly Block[] = Array.from(
  README.matchAll(/^```(.*)\n([^]*?)^```$/gm),
  ([, kind = "", text = ""]) => ({ kind, text }),
);

/** The rows of the table under a heading, as cells. */
function tableUnder(heading: string): string[][] {
  const section = README.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| "));
  return rows.slice(2).map((row) => row.split("|").slice(1, -1).map((cell) => cell.trim()));
}

/** A program of the name `model-sync` that runs this source. */
function makeProgram(folder: string): void {
  const main = ["--config", join(PROJECT, "deno.json"), "-P=model-sync", join(PROJECT, "cli/main.ts")];
  const command = [Deno.execPath(), "run", "-q", "--no-prompt", ...main];
  Deno.mkdirSync(folder);
  Deno.writeTextFileSync(
    join(folder, "model-sync"),
    `#!/bin/sh\nexec ${command.map((word) => `'${word}'`).join(" ")} "$@"\n`,
    { mode: 0o755 },
  );
}

Deno.test({
  name: "the commands of the README do what it says, with the configuration of the README",
  // Its commands are written for a POSIX shell.
  ignore: Deno.build.os === "windows",
  async fn() {
    using dir = tempDir();
    makeProgram(join(dir.path, "bin"));
    const registry = bareRepository(join(dir.path, "registry.git"));
    const yaml = BLOCKS.find(({ kind }) => kind === "yaml")?.text ?? "";
    assert.match(yaml, /https:\/\/github\.com\/you\/your-models\.git/);
    const config = yaml.replace("https://github.com/you/your-models.git", registry);
    for (const machine of ["trainer", "bot"]) {
      writeFiles(join(dir.path, machine), { "configs/bot.yaml": config });
    }
    const [trainer, bot] = [join(dir.path, "trainer"), join(dir.path, "bot")];
    writeFiles(trainer, { "models/BTC_USDC/rf.bin": "one", "models/ETH USDC/rf.bin": "two" });

    const run = (machine: string, script: string) => {
      const result = new Deno.Command("sh", {
        args: ["-euc", script],
        cwd: join(dir.path, machine),
        env: {
          ...GIT_ENV,
          NO_COLOR: "1",
          GITHUB_TOKEN: "not asked for",
          PATH: `${join(dir.path, "bin")}:${Deno.env.get("PATH")}`,
        },
        stdin: "null",
      }).outputSync();
      assert.ok(result.success, `${script}\n${new TextDecoder().decode(result.stderr)}`);
      return new TextDecoder().decode(result.stdout);
    };

    const told: string[] = [];
    for (const { kind, text } of BLOCKS) {
      const [, machine] = /^sh (trainer|bot)$/.exec(kind) ?? [];
      if (machine === undefined) continue;
      if (text.includes("rollback")) {
        writeFiles(trainer, { "models/BTC_USDC/rf.bin": "three" });
        run("trainer", "model-sync publish --skip-training");
        run("bot", "model-sync pull");
      }
      told.push(run(machine, text));
    }
    const all = told.join("");
    for (
      const says of [
        /would publish release [0-9a-f]{12} \(sequence 1\)/,
        /published release [0-9a-f]{12} \(sequence 1\)/,
        /activated release [0-9a-f]{12} \(sequence 1\)/,
        /is intact: 2 files, every byte read/,
        /rolled back to release [0-9a-f]{12} \(sequence 1\)/,
        /client\.schedule/,
      ]
    ) assert.match(all, says);

    // The last block is the digest without the program.
    const status = await spawnCli("status", ["--json"], { cwd: bot });
    const { current } = z.object({ current: z.object({ digest: z.string() }) }).parse(
      JSON.parse(status.stdout),
    );
    assert.equal(`sha256:${told.at(-1)?.slice(0, 64)}`, current.digest);
  },
});

Deno.test({
  name: "the dashboard's commands of the README set a password and serve pages",
  ignore: Deno.build.os === "windows",
  async fn() {
    using dir = tempDir();
    makeProgram(join(dir.path, "bin"));
    const env = { ...GIT_ENV, NO_COLOR: "1", PATH: `${join(dir.path, "bin")}:${Deno.env.get("PATH")}` };
    const blocks = BLOCKS.filter(({ kind }) => kind === "sh dashboard");
    assert.equal(blocks.length, 2);
    for (const { text } of blocks) {
      const script = text.replaceAll(/:8080\b/g, ":0").replace(/^model-sync dashboard --listen/m, "exec $&");
      const child = new Deno.Command("sh", {
        args: ["-euc", script],
        cwd: dir.path,
        env,
        stdin: "null",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      let said = "";
      for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
        said += piece;
        if (said.includes("dashboard: ")) break;
      }
      const [address = ""] = /http:\S+/.exec(said) ?? [];
      const page = await fetch(address.replace("0.0.0.0", "127.0.0.1"));
      assert.match(
        await page.text(),
        said.includes("The password is set") ? /Sign in/ : /No node has reported yet/,
      );
      child.kill("SIGTERM");
      assert.equal((await child.status).code, 0);
    }
  },
});

/** What plays the other side of a carrier: what the README's configuration becomes, and the variables it takes. */
interface Stage extends AsyncDisposable {
  readonly config: (yaml: string) => string;
  readonly env: Readonly<Record<string, string>>;
}

const STAGES: Readonly<Record<string, (root: string) => Promise<Stage>>> = {
  async runpod(root) {
    const world = new RunPodWorld(root);
    await world.offer({ "BTC_USDC/rf.bin": "one" }, 1);
    return {
      config: (yaml) => yaml.replaceAll("https://api.runpod.ai/v2/ENDPOINT_ID", `${world.api.origin}/v2/ep1`),
      env: { RUNPOD_API_KEY: world.api.apiKey, MODEL_SYNC_RUNPOD_POLL_INTERVAL_SEC: "1" },
      [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
    };
  },
  async "github-actions"(root) {
    const github = startGitHubServer(systemClock);
    writeFiles(root, { "rf.bin": "one" });
    const archive = join(root, "archive.zip");
    await writeZip(testContext(), archive, [{
      path: "BTC_USDC/rf.bin",
      location: join(root, "rf.bin"),
    }]);
    await github.addArtifact(github.addRun(), {
      name: "trained-models-1",
      content: Deno.readFileSync(archive),
    });
    return {
      config: (yaml) => yaml.replace("owner: you", `owner: ${OWNER}`).replace("your-bot", REPOSITORY),
      env: github.env,
      [Symbol.asyncDispose]: () => github[Symbol.asyncDispose](),
    };
  },
  huggingface(root) {
    Deno.mkdirSync(root, { recursive: true });
    const hub = new HubServer(root);
    return Promise.resolve({
      config: (yaml) => yaml,
      env: { HF_ENDPOINT: hub.endpoint, HF_TOKEN: hub.token },
      [Symbol.asyncDispose]: () => hub[Symbol.asyncDispose](),
    });
  },
};

for (const [carrier, open] of Object.entries(STAGES)) {
  Deno.test({
    name: `the commands of the README for ${carrier} do what it says, with its configuration`,
    ignore: Deno.build.os === "windows",
    async fn() {
      using dir = tempDir();
      makeProgram(join(dir.path, "bin"));
      await using stage = await open(join(dir.path, "other-side"));
      const yaml = BLOCKS.find(({ kind }) => kind === `yaml ${carrier}`)?.text ?? "";
      const script = BLOCKS.find(({ kind }) => kind === `sh ${carrier}`)?.text ?? "";
      assert.ok(yaml !== "" && script !== "");
      const machine = join(dir.path, "machine");
      writeFiles(machine, { "configs/bot.yaml": stage.config(yaml), "models/BTC_USDC/rf.bin": "one" });
      const { success, stdout, stderr } = await new Deno.Command("sh", {
        args: ["-euc", script],
        cwd: machine,
        env: { ...stage.env, NO_COLOR: "1", PATH: `${join(dir.path, "bin")}:${Deno.env.get("PATH")}` },
        stdin: "null",
      }).output();
      const told = new TextDecoder().decode(stdout);
      assert.ok(success, told + new TextDecoder().decode(stderr));
      assert.match(told, /active release|activated release/);
    },
  });
}

Deno.test({
  name: "the commands of the README for model references do what it says, with its configuration",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using world = new ReferencesWorld({ dir: tempDir() });
    using dir = tempDir();
    makeProgram(join(dir.path, "bin"));
    const yaml = BLOCKS.find(({ kind }) => kind === "yaml references")?.text ?? "";
    const script = BLOCKS.find(({ kind }) => kind === "sh references")?.text ?? "";
    world.commit(world.images, { "clip.json": "{}\n", "stable_diffusion.json": "{}\n" });
    world.commit(world.texts, { "README.md": "none yet" });
    world.primary.records.set("clip", '{"ViT-H-14": {"name": "ViT-H-14"}}').set(
      "image_generation",
      '{"Deliberate": {"name": "Deliberate"}}',
    );
    const config = yaml.replaceAll("your-fork", "Haidra-Org").replace(
      "https://models.aihorde.net/api",
      world.primary.origin,
    );
    writeFiles(dir.path, { "configs/bot.yaml": config });
    const { HORDE_GITHUB_SYNC_PRIMARY_API_URL: _url, ...env } = world.env;
    const { success, stdout, stderr } = await new Deno.Command("sh", {
      args: ["-euc", script],
      cwd: dir.path,
      env: { ...GIT_ENV, ...env, NO_COLOR: "1", PATH: `${join(dir.path, "bin")}:${Deno.env.get("PATH")}` },
      stdin: "null",
    }).output();
    const told = new TextDecoder().decode(stdout);
    assert.ok(success, told + new TextDecoder().decode(stderr));
    assert.match(told, /a pull request with 2 changes would be made/);
    assert.match(told, /wrote preview\/clip\.json/);
    assert.match(told, /wrote preview\/changes\.diff/);
    assert.match(told, /PRs created: 1/);
    assert.match(Deno.readTextFileSync(join(dir.path, "preview/changes.diff")), /ViT-H-14/);
  },
});

Deno.test("the safeguards that the README shows are settings, and its keys sign what they verify", async () => {
  using dir = tempDir();
  const yaml = BLOCKS.find(({ kind }) => kind === "yaml safeguards")?.text ?? "";
  const script = BLOCKS.find(({ kind }) => kind === "sh keys")?.text ?? "";
  assert.ok(yaml !== "" && script !== "");
  writeFiles(dir.path, { "configs/bot.yaml": yaml, "models/BTC_USDC/rf.bin": "one" });
  const check = await spawnCli("config", ["check"], { cwd: dir.path });
  assert.deepEqual([check.code, check.stderr], [0, ""], check.stdout);
  for (const line of script.trim().split("\n")) {
    const [program, command = "", ...args] = line.split(/\s+/);
    assert.equal(program, "model-sync");
    const { code, stderr } = await spawnCli(command, args, { cwd: dir.path });
    assert.equal(code, 0, `${line}: ${stderr}`);
  }
});

Deno.test("the schedules that the README shows are settings", async () => {
  const yaml = BLOCKS.find(({ kind }) => kind === "yaml schedules")?.text ?? "";
  const { settings } = await loadText(yaml);
  assert.deepEqual(roleSchedule("client", settings).times, ["06:00", "0 18 * * mon-fri"]);
});

Deno.test("the tables of the README hold every command, exit code and configuration key", () => {
  const commands = tableUnder("Commands").map((
    [name = "", summary = ""],
  ) => [name.replaceAll("`", ""), summary]);
  assert.deepEqual(Object.fromEntries(commands), SUMMARIES);
  const codes = tableUnder("Exit codes").map(([code]) => Number(code));
  assert.deepEqual(codes.sort((a, b) => a - b), Object.values(EXIT).sort((a, b) => a - b));
  const known = new Map(configKeys().map(({ path, schema }) => [path.join("."), schema]));
  for (const [names = "", defaults = ""] of tableUnder("Configuration")) {
    const values = defaults.split(", ");
    for (const [index, name] of names.split(", ").entries()) {
      const schema = known.get(name.replaceAll("`", ""));
      assert.ok(schema !== undefined, `the README names the key ${name}`);
      const [, value] = /^`(.*)`$/.exec(values[index] ?? "") ?? [];
      const hasDefault = schema.default !== undefined && schema.default !== "";
      assert.equal(value, hasDefault ? String(schema.default) : undefined, name);
    }
  }
});

Deno.test("the README, the check of a clean machine and the workflow name one Deno, and tasks that exist", () => {
  const { tasks } = z.object({ tasks: z.record(z.string(), z.unknown()) }).parse(
    JSON.parse(Deno.readTextFileSync(join(PROJECT, "deno.json"))),
  );
  const [, version = ""] = /deno@(\d+\.\d+\.\d+) task demo/.exec(README) ?? [];
  assert.notEqual(version, "");
  for (const [, named, task = ""] of README.matchAll(/deno@([\d.]+) task ([\w-]+)/g)) {
    assert.equal(named, version);
    assert.ok(Object.hasOwn(tasks, task), task);
  }
  for (const [, task = ""] of README.matchAll(/`deno task ([\w-]+)`/g)) {
    assert.ok(Object.hasOwn(tasks, task), task);
  }
  for (const task of ["test", "check"]) {
    assert.match(
      Deno.readTextFileSync(join(PROJECT, ".ci/run")),
      new RegExp(`^npx -y deno@${version} task ${task} (2>&1 \\| tee "\\$log" )?\\|\\| failed=`, "m"),
    );
  }
  assert.match(
    Deno.readTextFileSync(join(PROJECT, ".github/workflows/ci.yml")),
    new RegExp(`deno: \\[${version}\\]`),
  );
});

Deno.test("every file that the documents point to exists", () => {
  for (const document of ["README.md", ".github/ARCHITECTURE.md", ".github/CONTRIBUTING.md"]) {
    const text = Deno.readTextFileSync(join(PROJECT, document));
    for (const [, target = ""] of text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)) {
      assert.ok(Deno.statSync(join(PROJECT, document, "..", target)), `${document}: ${target}`);
    }
  }
});
