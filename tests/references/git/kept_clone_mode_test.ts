import assert from "node:assert/strict";
import { join } from "node:path";
import { TargetRepository } from "../../../lib/references/git/target_repository.ts";
import { startGitServer } from "../../../fakes/git_server.ts";
import { tempDir, writeFiles } from "../../helpers/temp_dir.ts";
import { testContext } from "../../helpers/test_context.ts";
import { bareRepository, clone, commitAll } from "../../helpers/test_git.ts";

Deno.test({
  name: "the git folder of a clone that the reference sync keeps is its owner's alone",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using dir = tempDir();
    const person = clone(
      bareRepository(join(dir.path, "srv/Haidra-Org/images.git")),
      join(dir.path, "person"),
    );
    writeFiles(person, { "clip.json": "{}\n" });
    commitAll(person);
    await using server = startGitServer({ root: join(dir.path, "srv"), isPublic: true, token: () => true });
    const root = join(dir.path, "kept");
    for (const _ of ["made", "opened again"]) {
      await using _target = await TargetRepository.open(testContext(), {
        address: { owner: "Haidra-Org", name: "images", branch: "main" },
        serverUrl: server.origin,
        token: undefined,
        place: { kind: "kept", root, discardLocalChanges: false },
      });
      const modes = [".git", ".git/config", "clip.json"].map((path) =>
        ((Deno.statSync(join(root, "Haidra-Org/images", path)).mode ?? 0) & 0o777).toString(8)
      );
      assert.deepEqual(modes, ["700", "600", "644"]);
    }
  },
});
