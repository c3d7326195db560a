import assert from "node:assert/strict";
import { join } from "node:path";
import * as z from "zod";
import { SUMMARIES } from "../../cli/_help.ts";
import { ENTRIES } from "../../cli/_entries.ts";
import { type Block, guide, type Page, PAGES, README } from "../helpers/pages.ts";
import { type StageName, STAGES } from "./page_stages.ts";
import { programOnPath } from "../helpers/program_on_path.ts";
import { PROJECT, runCli, spawnCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { GIT_ENV } from "../helpers/test_git.ts";

/** Blocks of commands that no test here runs, by what follows `sh`, with the reason. Their options are checked. */
const NOT_RUN: Readonly<Record<string, string>> = {
  demo: "downloads Deno and runs every test; tests/configs/demo_test.ts runs the demo",
  install: "installs into the home folder; tests/configs/install_test.ts installs, updates and uninstalls",
  compile: "needs Deno's runtime; .ci/run compiles, and tests/cli/executable_test.ts runs the executable",
  bench: "takes minutes; tests/bench runs every scenario with tiny models",
  develop: "would run the tests inside a test; .ci/run runs them",
  daemon: "runs until it is stopped; tests/cli starts daemons with each role",
  "runpod-worker": "runs until it is stopped; tests/cli serves jobs",
  watch: "runs until it is stopped; tests/cli watches a PRIMARY server",
  service: "changes the services of the machine; tests/cli/service_test.ts installs some with fake managers",
  control: "needs a running daemon; tests/cli controls one",
  compose: "needs Docker; tests/configs runs the command line of each service",
  image: "needs Docker; tests/configs checks the Dockerfile",
  redeploy: "needs a backend with a deploy hook; tests/cli redeploys one",
  completions: "writes into the home folder; tests/cli/completions_test.ts gives the scripts to their shells",
  example: "generated from the declarations of the commands; tests/cli/help_test.ts parses every example",
};

/** What the output of a stage's commands shows, by page. */
const OUTPUTS: Readonly<Record<string, readonly RegExp[]>> = {
  "README.md git": [/published release/, /activated release/, /rolled back to release/],
  ".github/guides/git-registry.md git": [
    /would publish release [0-9a-f]{12} \(sequence 1\)/,
    /published release [0-9a-f]{12} \(sequence 1\)/,
    /activated release [0-9a-f]{12} \(sequence 1\)/,
    /is intact: 2 files, every byte read/,
    /rolled back to release [0-9a-f]{12} \(sequence 1\)/,
  ],
  ".github/guides/configuration.md git": [/client\.schedule/],
  ".github/guides/references.md references": [
    /a pull request with 3 changes would be made/,
    /wrote preview\/clip\.json/,
    /wrote preview\/changes\.diff/,
    /PRs created: 1/,
  ],
};

/** Replaces transcripts by current ones instead of comparing them. */
const WRITES_TRANSCRIPTS = Deno.env.has("MODEL_SYNC_WRITE_TRANSCRIPTS");

/** Returns the commands' output in order, errors included. */
async function runScript(
  script: string,
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const { success, stdout } = await new Deno.Command("sh", {
    args: ["-euc", `exec 2>&1\n${script}`],
    cwd,
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
    stderr: "null",
  }).output();
  const output = new TextDecoder().decode(stdout);
  assert.ok(success, `${script}\n${output}`);
  return output;
}

/** A transcript with what differs from run to run replaced. */
function normalized(transcript: string): string {
  return transcript.trimEnd()
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:]+Z/g, "TIME")
    .replaceAll(/\b[0-9a-f]{12}\b/g, "DIGEST")
    .replaceAll(/in \d[\d.]* (?:ms|s|min)\b/g, "in DURATION");
}

/** Runs the blocks of a page for one stage, in order. Returns the output. */
async function perform(page: Page, name: StageName, root: string): Promise<string> {
  const machines: readonly string[] = STAGES[name].machines;
  const creates = page.blocks.some(({ kind, text }) =>
    machines.includes(kind.replace(/^sh /, "")) && /^model-sync init (?!.*--dry-run)/m.test(text)
  );
  await using stage = await STAGES[name].open(root);
  const env = { ...stage.env, PATH: programOnPath(root) };
  for (const machine of machines) {
    Deno.mkdirSync(join(root, machine), { recursive: true });
    if (stage.standard !== undefined && !creates) {
      writeFiles(join(root, machine), { "configs/bot.yaml": stage.adapt(stage.standard) });
    }
  }
  const run = (machine: string, script: string) => runScript(script, join(root, machine), env);
  const outputs: string[] = [];
  for (const { kind, text } of page.blocks) {
    const [language, machine = ""] = kind.split(" ");
    if (kind === `yaml ${name}`) {
      for (const each of machines) {
        writeFiles(join(root, each), { "configs/bot.yaml": stage.adapt(text) });
      }
    }
    if (!machines.includes(machine)) continue;
    if (language === "sh") {
      await stage.prepare?.(text, machine, run);
      outputs.push(await run(machine, stage.adapt(text)));
    }
    if (language === "text") {
      const output = outputs.at(-1) ?? "";
      const shown = (stage.show?.(output) ?? output).replaceAll(root, "/srv");
      if (WRITES_TRANSCRIPTS) writeTranscript(page, kind, text, shown);
      else assert.equal(normalized(text), normalized(shown), `the transcript of ${page.path} is outdated`);
    }
  }
  return outputs.join("");
}

function writeTranscript({ path }: Page, kind: string, old: string, current: string): void {
  const file = join(PROJECT, path);
  const block = (text: string) => `\`\`\`${kind}\n${text.trimEnd()}\n\`\`\``;
  Deno.writeTextFileSync(file, Deno.readTextFileSync(file).replace(block(old), () => block(current)));
}

/** Returns the stages whose machines have commands on a page. */
function stagesOf({ blocks }: Page): StageName[] {
  const kinds = new Set(blocks.map(({ kind }) => kind));
  const names: readonly StageName[] = [
    "git",
    "runpod",
    "github-actions",
    "huggingface",
    "references",
    "keys",
    "init",
  ];
  return names.filter((name) => STAGES[name].machines.some((machine) => kinds.has(`sh ${machine}`)));
}

for (const page of PAGES) {
  for (const name of stagesOf(page)) {
    Deno.test({
      name: `the commands of ${page.path} for ${name} succeed, with the configuration and output of the page`,
      // The commands are written for a POSIX shell.
      ignore: Deno.build.os === "windows",
      async fn() {
        using dir = tempDir();
        const root = Deno.realPathSync(dir.path);
        const output = await perform(page, name, root);
        for (const shown of OUTPUTS[`${page.path} ${name}`] ?? []) assert.match(output, shown);
        if (page === guide("references.md")) {
          assert.match(Deno.readTextFileSync(join(root, "references/preview/changes.diff")), /ViT-H-14/);
        }
        if (["runpod", "github-actions", "huggingface"].includes(name)) {
          assert.match(output, /active release|activated release/);
        }
      },
    });
  }
}

Deno.test("every carrier has a page whose commands are run, and every expected output has its page", () => {
  const performed = PAGES.flatMap((page) => stagesOf(page).map((name) => ({ path: page.path, name })));
  assert.deepEqual(new Set(performed.map(({ name }) => name)), new Set(Object.keys(STAGES)));
  const expected = new Set(performed.map(({ path, name }) => `${path} ${name}`));
  assert.deepEqual(Object.keys(OUTPUTS).filter((key) => !expected.has(key)), []);
});

Deno.test({
  name: "the shell commands of the guarantees compute the digest of the active release",
  ignore: Deno.build.os === "windows",
  async fn() {
    using dir = tempDir();
    const root = Deno.realPathSync(dir.path);
    const output = await perform(guide("guarantees.md"), "git", root);
    const status = await spawnCli("status", ["--json"], { cwd: join(root, "bot") });
    const { current } = z.object({ current: z.object({ digest: z.string() }) }).parse(
      JSON.parse(status.stdout),
    );
    assert.equal(`sha256:${output.slice(0, 64)}`, current.digest);
  },
});

Deno.test({
  name: "the commands of the dashboard guide set a password and serve pages",
  ignore: Deno.build.os === "windows",
  async fn() {
    using dir = tempDir();
    const env = { ...GIT_ENV, NO_COLOR: "1", PATH: programOnPath(dir.path) };
    const blocks = guide("dashboard.md").blocks.filter(({ kind }) => kind === "sh dashboard");
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
      let output = "";
      for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
        output += piece;
        if (output.includes("dashboard: ")) break;
      }
      const [address = ""] = /http:\S+/.exec(output) ?? [];
      const page = await fetch(address.replace("0.0.0.0", "127.0.0.1"));
      assert.match(
        await page.text(),
        output.includes("The password is set") ? /Sign in/ : /No node has reported yet/,
      );
      child.kill("SIGTERM");
      assert.equal((await child.status).code, 0);
    }
  },
});

Deno.test("every block of commands is run by a test or has a reason not to be, and every transcript is compared", () => {
  const machines = new Set(["dashboard", ...Object.values(STAGES).flatMap(({ machines }) => machines)]);
  const unused = new Set(Object.keys(NOT_RUN));
  for (const { path, blocks } of PAGES) {
    for (const { kind } of blocks) {
      const [language, name = ""] = kind.split(" ");
      assert.ok(!["bash", "shell", "console"].includes(language ?? ""), `${path}: use sh, not ${language}`);
      if (language === "text" && path !== ".github/ARCHITECTURE.md") {
        assert.ok(machines.has(name), `${path}: no command printed "${kind}"`);
      }
      if (language !== "sh") continue;
      assert.ok(machines.has(name) || Object.hasOwn(NOT_RUN, name), `${path}: a block "${kind}" is not run`);
      unused.delete(name);
    }
  }
  assert.deepEqual([...unused], [], "reasons without a block");
});

/** The commands that have subcommands, such as `keys`. */
const GROUPS: ReadonlySet<string> = new Set(
  (await Promise.all(Object.values(ENTRIES).map(({ load }) => load())))
    .flatMap(({ program }) => "commands" in program ? [program.name] : []),
);

/** The commands of a page: those of blocks that are not run or are for cron, and those in the text. */
function commandsOf({ text, blocks }: Page): string[] {
  const unrun = ({ kind }: Block) => kind === "cron" || Object.hasOwn(NOT_RUN, kind.replace(/^sh /, ""));
  const inBlocks = blocks.filter(unrun).flatMap((block) => block.text.split("\n"));
  const inText = Array.from(text.matchAll(/(?<!`)`(model-sync [^`]+)`/g), ([, line = ""]) => line);
  return [...inBlocks, ...inText].flatMap((line) =>
    /\bmodel-sync ([a-z].*)/.exec(line.replace(/\s#.*/, ""))?.[1] ?? []
  );
}

Deno.test("every command and option that a page names exists", async () => {
  const helps = new Map<string, string>();
  using dir = tempDir();
  for (const page of PAGES) {
    for (const line of commandsOf(page)) {
      const [command = "", ...words] = line.trim().split(/\s+/);
      if (command === "help") continue;
      assert.ok(Object.hasOwn(SUMMARIES, command), `${page.path}: model-sync ${line}`);
      const options = words.filter((word) => /^--[a-z]/.test(word));
      if (options.length === 0) continue;
      const path = GROUPS.has(command) ? [command, words[0] ?? ""] : [command];
      const name = path.join(" ");
      const [program = "", ...rest] = path;
      if (!helps.has(name)) {
        helps.set(name, (await runCli(program, [...rest, "--help"], { cwd: dir.path })).stdout);
      }
      for (const option of options) {
        const shown = `${page.path}: ${line}: ${option}`;
        assert.ok(option === "--help" || new RegExp(`${option}\\b`).test(helps.get(name) ?? ""), shown);
      }
    }
  }
});

Deno.test("the tasks that README and CONTRIBUTING name exist, with the Deno of the CI", () => {
  const { tasks } = z.object({ tasks: z.record(z.string(), z.unknown()) }).parse(
    JSON.parse(Deno.readTextFileSync(join(PROJECT, "deno.json"))),
  );
  const [, version = ""] = /deno@(\d+\.\d+\.\d+) task demo/.exec(README.text) ?? [];
  assert.notEqual(version, "");
  for (const { path, text } of PAGES) {
    for (const [, named, task = ""] of text.matchAll(/deno@([\d.]+) task ([\w-]+)/g)) {
      assert.equal(named, version, path);
      assert.ok(Object.hasOwn(tasks, task), `${path}: ${task}`);
    }
    for (const [, task = ""] of text.matchAll(/\bdeno task ([\w-]+)/g)) {
      assert.ok(Object.hasOwn(tasks, task), `${path}: ${task}`);
    }
  }
  const ci = Deno.readTextFileSync(join(PROJECT, ".ci/run"));
  assert.match(ci, new RegExp(`^npx -y deno@${version} task test 2>&1 \\| tee "\\$log" \\|\\| failed=`, "m"));
  assert.match(ci, new RegExp(`^nice npx -y deno@${version} task check >"\\$check" 2>&1 &$`, "m"));
  assert.match(ci, /^wait "\$checking" \|\| failed=/m);
  assert.match(
    Deno.readTextFileSync(join(PROJECT, ".github/workflows/ci.yml")),
    new RegExp(`deno: \\[${version}, `),
  );
});
