import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../lib/core/clock.ts";
import { OWNER, REPOSITORY, startGitHubServer } from "../../fakes/github_server.ts";
import { runCli } from "../helpers/run_cli.ts";
import { streamedZip } from "../helpers/streamed_zip.ts";
import { readFiles, tempDir } from "../helpers/temp_dir.ts";

Deno.test("artifact-pull --run pulls an older run if the newest run's artifacts have expired", async () => {
  await using github = startGitHubServer(systemClock);
  using dir = tempDir();
  const files = { "rf.bin": "old" };
  const [old, newest] = [github.addRun(), github.addRun()];
  await github.addArtifact(old, { name: "models", content: streamedZip(files) });
  await github.addArtifact(newest, { name: "models", content: streamedZip(files), expired: true });
  const run = (...args: string[]) =>
    runCli("artifact-pull", ["--owner", OWNER, "--repository", REPOSITORY, ...args], {
      cwd: dir.path,
      env: github.env,
    });
  const refused = await run();
  assert.equal(refused.code, 4, refused.stderr);
  assert.match(refused.stderr, new RegExp(`Cannot use run ${newest} of .*"models", expired on .*--run`, "s"));
  const pulled = await run("--run", String(old));
  assert.equal(pulled.code, 0, pulled.stderr);
  assert.deepEqual(readFiles(join(dir.path, "models")), files);
  assert.equal((await run("--run", "0")).code, 2);
});
