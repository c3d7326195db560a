import assert from "node:assert/strict";
import { Git } from "../../../lib/git/git.ts";
import { readTexts } from "../../../lib/references/git/commit_files.ts";
import { memoryDir, writeFiles } from "../../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../../helpers/test_context.ts";
import { git } from "../../helpers/test_git.ts";

Deno.test("a reference file that is too large to be read is named, with the limit", async () => {
  using dir = memoryDir();
  git(dir.path, "init", "--quiet");
  writeFiles(dir.path, { "clip.json": "{}" });
  git(dir.path, "add", ".");
  git(dir.path, "commit", "--quiet", "-m", "one");
  // The content of a large file, without the seconds in which git compresses one.
  const context = testContext({
    spawn(request) {
      const running = isolatedSpawn(request);
      if (!request.args.includes("blob")) return running;
      return {
        exit: running.exit,
        stdout: (async function* () {
          for (let piece = 0; piece < 64; piece++) yield new Uint8Array(1024 * 1024);
          yield* running.stdout;
        })(),
      };
    },
  });
  const files = {
    git: new Git(context, { repoDir: dir.path, transferTimeoutMs: 60_000 }),
    name: "models",
    remote: undefined,
  };
  await assert.rejects(readTexts(files, "HEAD", ["clip.json"]), {
    name: "RefusedError",
    code: "REFERENCE_FILE_UNFIT",
    message: "Cannot use clip.json of models: it is longer than 64.0 MiB",
  });
});
