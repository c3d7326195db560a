import assert from "node:assert/strict";
import { join } from "node:path";
import { HAS_RUNNER_PROGRAMS, runJob, WITHOUT_PROGRAMS } from "../helpers/actions_runner.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { makeProgram, writeProgram } from "../helpers/make_program.ts";

const WORKFLOW = Deno.readTextFileSync(join(PROJECT, ".github/workflows/release.yml"));

/** A runner whose programs write their arguments to a file, each call as one line of JSON. */
class ReleaseRunner implements Disposable {
  readonly #dir = tempDir();
  readonly workspace = join(this.#dir.path, "workspace");
  readonly temp = join(this.#dir.path, "runner");

  /** @param programs the scripts of the programs, which run after the call is recorded */
  constructor(programs: Readonly<Record<string, string>>) {
    Deno.mkdirSync(join(this.temp, "bin"), { recursive: true });
    Deno.mkdirSync(this.workspace);
    for (const [name, script] of Object.entries(programs)) {
      const record = `printf '%s\\n' "${name} $*" >> "${join(this.temp, "calls")}"`;
      writeProgram(join(this.temp, "bin", name), `#!/bin/sh\n${record}\n${script}\n`);
    }
  }

  /** Runs a job on a tag. @returns its result, and the calls of programs in order */
  async run(job: string, tag: string, matrix: Readonly<Record<string, string>> = {}) {
    const version = tag.slice(1);
    const result = await runJob(WORKFLOW, job, {
      workspace: this.workspace,
      temp: this.temp,
      contexts: {
        github: { token: "ghs_of-this-job", actor: "ada", repository: "You/Model-Sync", sha: "f".repeat(40) },
        needs: { check: { outputs: { version, image: "ghcr.io/you/model-sync" } } },
        runner: { temp: this.temp, os: "Linux" },
        matrix,
      },
      env: { GITHUB_REF_NAME: tag, GITHUB_REPOSITORY: "You/Model-Sync" },
    });
    assert.equal(result.outcome, "success", result.log);
    return { ...result, calls: this.#takeCalls() };
  }

  #takeCalls(): string[] {
    const path = join(this.temp, "calls");
    const text = Deno.readTextFileSync(path);
    Deno.removeSync(path);
    return text.trimEnd().split("\n").map((call) => call.replaceAll(this.temp, "TEMP"));
  }

  [Symbol.dispose](): void {
    this.#dir[Symbol.dispose]();
  }
}

Deno.test({
  name: `release.yml checks the tag, and starts each executable${WITHOUT_PROGRAMS}`,
  ignore: !HAS_RUNNER_PROGRAMS,
  async fn() {
    using runner = new ReleaseRunner({ deno: "" });
    const { calls, outputs } = await runner.run("check", "v1.2.3");
    assert.deepEqual(calls, ["deno task release check v1.2.3", "deno publish --dry-run"]);
    assert.deepEqual(outputs["facts"], { version: "1.2.3", image: "ghcr.io/you/model-sync" });

    writeFiles(runner.workspace, {
      "dist/model-sync-linux-x64": '#!/bin/sh\necho "model-sync 1.2.3 (a test)"\n',
    });
    makeProgram(join(runner.workspace, "dist/model-sync-linux-x64"));
    const built = await runner.run("executables", "v1.2.3", { target: "linux-x64" });
    assert.deepEqual(built.calls, [
      "deno task compile --target linux-x64",
      "deno test -A --no-check --no-prompt tests/cli/executable_test.ts",
    ]);
    await assert.rejects(runner.run("executables", "v1.2.4", { target: "linux-x64" }), /model-sync 1\.2\.3/);
  },
});

Deno.test({
  name:
    `release.yml joins the images of two architectures; a pre-release moves no other tag${WITHOUT_PROGRAMS}`,
  ignore: !HAS_RUNNER_PROGRAMS,
  async fn() {
    using runner = new ReleaseRunner({
      docker: `case "$*" in *inspect*) echo sha256:${"c".repeat(64)} ;; esac`,
    });
    const [amd64, arm64] = ["a".repeat(64), "b".repeat(64)];
    writeFiles(runner.workspace, { [`digests/${amd64}`]: "", [`digests/${arm64}`]: "" });
    const image = "ghcr.io/you/model-sync";
    const sources = `${image}@sha256:${amd64} ${image}@sha256:${arm64}`;
    const { calls, used } = await runner.run("images", "v1.2.3");
    assert.deepEqual(calls, [
      `docker buildx imagetools create --tag ${image}:1.2.3 --tag ${image}:1.2 --tag ${image}:latest ${sources}`,
      `docker buildx imagetools inspect ${image}:1.2.3 --format {{.Manifest.Digest}}`,
    ]);
    assert.deepEqual(used.find(({ uses }) => uses.startsWith("actions/attest@"))?.with, {
      "subject-name": image,
      "subject-digest": `sha256:${"c".repeat(64)}`,
      "push-to-registry": "true",
      "create-storage-record": "false",
    });
    const candidate = await runner.run("images", "v2.0.0-rc.1");
    assert.equal(candidate.calls[0], `docker buildx imagetools create --tag ${image}:2.0.0-rc.1 ${sources}`);
  },
});

Deno.test({
  name:
    `release.yml publishes a draft with all files, and replaces a draft that an earlier attempt left${WITHOUT_PROGRAMS}`,
  ignore: !HAS_RUNNER_PROGRAMS,
  async fn() {
    using runner = new ReleaseRunner({
      deno:
        'case "$*" in *pack*) mkdir -p "$5" && touch "$5/SHA256SUMS" "$5/install.sh" ;; *) echo notes ;; esac',
      gh: 'if [ "$2" = view ]; then echo "$IS_DRAFT"; fi',
    });
    const { calls } = await runner.run("release", "v1.2.3");
    const [files, notes] = ["TEMP/files/SHA256SUMS TEMP/files/install.sh", "--notes-file TEMP/notes.md"];
    assert.deepEqual(calls, [
      "deno task release pack dist TEMP/files",
      "deno task release notes v1.2.3",
      "gh release view v1.2.3 --json isDraft --jq .isDraft",
      `gh release create v1.2.3 --verify-tag --draft --title model-sync 1.2.3 ${notes} ${files}`,
      "gh release edit v1.2.3 --draft=false",
    ]);
    assert.equal(Deno.readTextFileSync(join(runner.temp, "notes.md")), "notes\n");
    Deno.writeTextFileSync(
      join(runner.temp, "bin/gh"),
      Deno.readTextFileSync(join(runner.temp, "bin/gh")).replace('"$IS_DRAFT"', "true"),
    );
    const again = await runner.run("release", "v2.0.0-rc.1");
    assert.deepEqual(again.calls.slice(3), [
      "gh release delete v2.0.0-rc.1 --yes",
      `gh release create v2.0.0-rc.1 --verify-tag --draft --title model-sync 2.0.0-rc.1 ${notes} --prerelease ${files}`,
      "gh release edit v2.0.0-rc.1 --draft=false",
    ]);
  },
});
