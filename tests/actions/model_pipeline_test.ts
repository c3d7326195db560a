import assert from "node:assert/strict";
import { basename, join } from "node:path";
import * as z from "zod";
import { systemClock } from "../../lib/core/clock.ts";
import { OWNER, REPOSITORY, startGitHubServer } from "../../fakes/github_server.ts";
import { HubServer } from "../../fakes/hub_server.ts";
import { HAS_RUNNER_PROGRAMS, readExample, runJob, WITHOUT_PROGRAMS } from "../helpers/actions_runner.ts";
import { REPO } from "../helpers/hub_machines.ts";
import { PROJECT, runCli } from "../helpers/run_cli.ts";
import { readFiles, type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { GIT_ENV } from "../helpers/test_git.ts";

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

  /** Runs the job of the workflow. @returns its result, and the artifacts that it uploaded */
  async run(
    run: number,
    contexts: { vars?: Readonly<Record<string, string>>; secrets?: Readonly<Record<string, string>> },
  ) {
    const result = await runJob(readExample("model_pipeline.yml"), "train-upload-redeploy", {
      workspace: this.repository,
      temp: join(this.#dir.path, "runner"),
      contexts: {
        github: { run_number: run, token: "ghs_of-this-job" },
        vars: { HF_REPO_ID: REPO, ...contexts.vars },
        secrets: { HF_TOKEN: this.hub.token, ...contexts.secrets },
      },
      env: {
        ...GIT_ENV,
        HF_HUB_DISABLE_IMPLICIT_TOKEN: "1",
        HF_ENDPOINT: this.hub.endpoint,
        MODEL_SYNC_REDEPLOY_POLL_INTERVAL_SEC: "1",
      },
    });
    assert.equal(result.outcome, "success", result.log);
    const uploads = result.used.filter(({ uses }) => uses.startsWith("actions/upload-artifact@"));
    return { ...result, artifacts: uploads.map((upload) => this.#upload(upload.with)) };
  }

  /** As upload-artifact 7 does with `archive: false`: one file, under its own name. */
  #upload({ path = "", ...rest }: Readonly<Record<string, string>>) {
    assert.deepEqual(rest, { "archive": "false", "if-no-files-found": "error" });
    return { name: basename(path), content: Deno.readFileSync(join(this.repository, path)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#backend.shutdown();
    await this.hub[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}

Deno.test({
  name:
    `the steps of model_pipeline.yml train, upload, deploy, and keep an artifact that the README's pattern finds${WITHOUT_PROGRAMS}`,
  ignore: !HAS_RUNNER_PROGRAMS,
  async fn() {
    await using world = new PipelineWorld();
    const { log, summary, outputs, artifacts } = await world.run(12, {
      vars: { BACKEND_HEALTH_URL: `${world.backendUrl}/health` },
      secrets: { VERCEL_DEPLOY_HOOK: `${world.backendUrl}/prj_1/s3cret` },
    });
    assert.match(log, /"waitedMs": \d+/);
    // The runner hides the line that masks the hook's address.
    assert.doesNotMatch(log.replace(/^::add-mask::.*$/gm, ""), /s3cret/);
    assert.match(
      summary,
      /### ✓ model-sync train\n[^]*### ✓ model-sync hf-upload: published[^]*### ✓ model-sync redeploy: redeployed/,
    );
    const { release, sequence, outcome } = outputs["Upload to Hugging Face"] ?? {};
    assert.deepEqual([outcome, sequence, outputs["Redeploy the backend"]?.["release"]], [
      "published",
      "1",
      release,
    ]);
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
  name: `the steps of model_pipeline.yml end well without a deploy hook, and say so${WITHOUT_PROGRAMS}`,
  ignore: !HAS_RUNNER_PROGRAMS,
  async fn() {
    await using world = new PipelineWorld();
    const { log } = await world.run(1, {});
    assert.match(log, /::warning::no secret with a deploy hook is set, so the backend was not redeployed/);
    assert.deepEqual(world.hooks, []);
  },
});
