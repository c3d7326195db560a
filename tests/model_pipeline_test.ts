import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { load } from "js-yaml";
import { z } from "zod";
import { systemClock } from "../lib/core/clock.ts";
import { OWNER, REPOSITORY, startGitHubServer } from "../fakes/github_server.ts";
import { HubServer } from "../fakes/hub_server.ts";
import { REPO } from "./helpers/hub_machines.ts";
import { PROJECT, runCli } from "./helpers/run_cli.ts";
import { readFiles, type TempDir, tempDir, writeFiles } from "./helpers/temp_dir.ts";
import { GIT_ENV } from "./helpers/test_git.ts";

const Variables = z.record(z.string(), z.union([z.string(), z.boolean(), z.number()]).transform(String));

const Workflow = z.object({
  env: Variables,
  jobs: z.strictObject({
    "train-upload-redeploy": z.object({
      steps: z.array(z.object({
        name: z.string().optional(),
        uses: z.string().optional(),
        run: z.string().optional(),
        env: Variables.default({}),
        with: Variables.default({}),
      })),
    }),
  }),
});

const { env: WORKFLOW_ENV, jobs } = Workflow.parse(
  load(Deno.readTextFileSync(join(PROJECT, ".github/workflows/model_pipeline.yml"))),
);
const { steps: STEPS } = jobs["train-upload-redeploy"];

/** What a run knows: `vars.HF_REPO_ID`, `secrets.HF_TOKEN`, `github.run_number`. */
type Expressions = Readonly<Record<string, string>>;

/** As GitHub does with expressions that are a name: what is not set is empty. */
function expand(text: string, values: Expressions): string {
  return text.replace(/\$\{\{ ([\w.]+) \}\}/g, (_, name: string) => values[name] ?? "");
}

function expandAll(variables: Readonly<Record<string, string>>, values: Expressions): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).map(([name, text]) => [name, expand(text, values)]));
}

/** A repository that copied the workflow, with the hub and, where asked for, the backend that it deploys. */
class PipelineWorld implements AsyncDisposable {
  readonly #dir: TempDir = tempDir();
  readonly hub: HubServer;
  readonly repository = join(this.#dir.path, "repository");
  readonly bot = join(this.#dir.path, "bot");
  readonly hooks: string[] = [];
  readonly #backend: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    Deno.mkdirSync(join(this.#dir.path, "objects"));
    this.hub = new HubServer(join(this.#dir.path, "objects"));
    writeFiles(this.repository, {
      "models/train.py": `import os, pathlib
folder = pathlib.Path(os.environ["MODEL_SYNC_MODELS_DIR"]) / "BTC"
folder.mkdir(parents=True, exist_ok=True)
(folder / "rf.bin").write_text("trained")
`,
    });
    // What the steps of actions/checkout and denoland/setup-deno leave.
    Deno.symlinkSync(PROJECT, join(this.repository, "model-sync-program"));
    Deno.mkdirSync(join(this.#dir.path, "bin"));
    Deno.symlinkSync(Deno.execPath(), join(this.#dir.path, "bin/deno"));
    this.#backend = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      await request.body?.cancel();
      const { pathname } = new URL(request.url);
      if (pathname === "/health") return Response.json({ release: this.#published });
      this.hooks.push(`${request.method} ${pathname}`);
      return Response.json({ job: { id: "job-1" } });
    });
  }

  get backendUrl(): string {
    return `http://127.0.0.1:${this.#backend.addr.port}`;
  }

  get #published(): string {
    return z.object({ digest: z.string() }).parse(JSON.parse(this.hub.files(REPO)["model-sync.json"] ?? "{}"))
      .digest;
  }

  /** Runs the steps of the workflow, as GitHub does. @returns what they printed, and the artifacts that they uploaded */
  async runSteps(run: number, values: Expressions) {
    const known: Expressions = {
      "vars.HF_REPO_ID": REPO,
      "secrets.HF_TOKEN": this.hub.token,
      "github.run_number": String(run),
      ...values,
    };
    let printed = "";
    const artifacts: { readonly name: string; readonly content: Uint8Array<ArrayBuffer> }[] = [];
    for (const step of STEPS) {
      if (step.run !== undefined) {
        printed += await this.#runScript(step.run, run, { ...WORKFLOW_ENV, ...step.env }, known);
      }
      if (step.uses?.startsWith("actions/upload-artifact@")) artifacts.push(this.#upload(step.with, known));
    }
    return { printed, artifacts };
  }

  async #runScript(
    script: string,
    run: number,
    variables: Readonly<Record<string, string>>,
    known: Expressions,
  ): Promise<string> {
    const file = join(this.#dir.path, "step.sh");
    Deno.writeTextFileSync(file, expand(script, known));
    // GitHub's shell where a step names none.
    const { code, stdout, stderr } = await new Deno.Command("bash", {
      args: ["-e", file],
      cwd: this.repository,
      env: {
        ...GIT_ENV,
        NO_COLOR: "1",
        HF_HUB_DISABLE_IMPLICIT_TOKEN: "1",
        HF_ENDPOINT: this.hub.endpoint,
        MODEL_SYNC_REDEPLOY_POLL_INTERVAL_SEC: "1",
        PATH: `${join(this.#dir.path, "bin")}:${Deno.env.get("PATH") ?? ""}`,
        GITHUB_RUN_NUMBER: String(run),
        ...expandAll(variables, known),
      },
    }).output();
    const printed = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.equal(code, 0, `${script}\n${printed}`);
    return printed;
  }

  /** As upload-artifact 7 does with `archive: false`: one file, under its own name. */
  #upload(inputs: Readonly<Record<string, string>>, known: Expressions) {
    const { path = "", ...rest } = expandAll(inputs, known);
    assert.deepEqual(rest, { "archive": "false", "if-no-files-found": "error" });
    return { name: basename(path), content: Deno.readFileSync(join(this.repository, path)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#backend.shutdown();
    await this.hub[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}

const HAS_PROGRAMS = Deno.build.os !== "windows" &&
  ["bash", "python3"].every((program) =>
    new Deno.Command("sh", { args: ["-c", `command -v ${program}`], stdout: "null" }).outputSync().success
  );
const WITHOUT = HAS_PROGRAMS ? "" : " (no bash or python3 here)";

Deno.test({
  name:
    `the steps of model_pipeline.yml train, upload, deploy, and keep an artifact that the README's pattern finds${WITHOUT}`,
  ignore: !HAS_PROGRAMS,
  async fn() {
    await using world = new PipelineWorld();
    const { printed, artifacts } = await world.runSteps(12, {
      "vars.BACKEND_HEALTH_URL": `${world.backendUrl}/health`,
      "secrets.VERCEL_DEPLOY_HOOK": `${world.backendUrl}/prj_1/s3cret`,
    });
    assert.match(printed, /wrote release [^]*published release [^]*the backend serves release/);
    assert.doesNotMatch(printed, /s3cret/);
    assert.deepEqual(world.hooks, ["POST /prj_1/s3cret"]);
    assert.equal(world.hub.files(REPO)["BTC/rf.bin"], "trained");
    assert.deepEqual(artifacts.map(({ name }) => name), ["trained-models-12.zip"]);

    await using github = startGitHubServer(systemClock);
    const run = github.addRun();
    for (const artifact of artifacts) await github.addArtifact(run, artifact);
    const pull = (artifact: string, workflow?: string) => {
      const artifacts = { owner: OWNER, repository: REPOSITORY, artifact, workflow };
      writeFiles(world.bot, { "configs/bot.yaml": JSON.stringify({ model_sync: { artifacts } }) });
      return runCli("artifact-pull", ["--min-interval-minutes", "0"], { cwd: world.bot, env: github.env });
    };
    for (const workflow of ["train_models.yml", undefined]) {
      const missing = await pull("other-*", workflow);
      assert.equal(missing.code, 4);
      assert.match(
        missing.stderr,
        /has "trained-models-12\.zip" \(with archive: false, GitHub names an artifact/,
      );
    }
    const readme = Deno.readTextFileSync(join(PROJECT, "README.md"));
    const [, pattern = ""] = /^ {4}artifact: "(.+)"$/m.exec(readme) ?? [];
    const { code, stderr } = await pull(pattern);
    assert.equal(code, 0, stderr);
    assert.deepEqual(readFiles(join(world.bot, "models")), { "BTC/rf.bin": "trained" });
  },
});

Deno.test({
  name: `the steps of model_pipeline.yml end well without a deploy hook, and say so${WITHOUT}`,
  ignore: !HAS_PROGRAMS,
  async fn() {
    await using world = new PipelineWorld();
    const { printed } = await world.runSteps(1, {});
    assert.match(printed, /::warning::no secret with a deploy hook is set: the backend was not redeployed/);
    assert.deepEqual(world.hooks, []);
  },
});
