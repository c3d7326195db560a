import assert from "node:assert/strict";
import { join } from "node:path";
import { Secret } from "../../../lib/core/secret.ts";
import { TargetRepository } from "../../../lib/references/git/target_repository.ts";
import { startGitServer } from "../../../fakes/git_server.ts";
import { tempDir, writeFiles } from "../../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../../helpers/test_context.ts";
import { bareRepository, clone, commitAll, git } from "../../helpers/test_git.ts";

const LEFT = "ghp_leftbyanearlierscript0123456789abcd";
const ADDRESS = { owner: "Haidra-Org", name: "images", branch: "main" };

/** Opens a kept clone whose address contains a token of the original script, and returns what remains of it. */
async function reopen(token: Secret | undefined, address = ADDRESS) {
  using dir = tempDir();
  const bare = bareRepository(join(dir.path, "srv/Haidra-Org/images.git"));
  const person = clone(bare, join(dir.path, "person"));
  writeFiles(person, { "clip.json": "{}\n" });
  commitAll(person);
  await using server = startGitServer({ root: join(dir.path, "srv"), token: (sent) => sent.length > 3 });
  const folder = join(dir.path, "kept", address.owner, address.name);
  clone(bare, folder);
  const url = `${server.origin}/Haidra-Org/images.git`;
  git(folder, "remote", "set-url", "origin", url.replace("://", `://x-access-token:${LEFT}@`));
  Deno.chmodSync(join(folder, ".git/config"), 0o644);
  const trace = join(dir.path, "trace");
  const context = testContext({
    spawn: (request) => isolatedSpawn({ ...request, env: { ...request.env, GIT_TRACE: trace } }),
  });
  const opened = TargetRepository.open(context, {
    address,
    serverUrl: server.origin,
    token,
    place: { kind: "kept", root: join(dir.path, "kept"), discardLocalChanges: false },
  });
  const error = await opened.then((repository) => repository[Symbol.asyncDispose](), (error) => error);
  const config = join(folder, ".git/config");
  return {
    error,
    url,
    configured: git(folder, "config", "remote.origin.url"),
    mode: (Deno.statSync(config).mode ?? 0) & 0o777,
    commandLines: Deno.readTextFileSync(trace),
    log: context.log.lines.join("\n"),
    requests: server.requests.length,
  };
}

Deno.test("a token that an earlier script left in a kept clone's address is removed if another is set", async () => {
  const kept = await reopen(new Secret("ghp_anothertoken"));
  assert.equal(kept.error, undefined);
  assert.equal(kept.configured, kept.url);
  assert.match(kept.log, /removed the login from the address of the clone/);
  assert.ok(!(kept.commandLines + kept.log).includes(LEFT));
});

Deno.test("without another token, the one in the address is used, off the command lines, and its file is private", async () => {
  const kept = await reopen(undefined);
  assert.equal(kept.error, undefined);
  assert.ok(kept.configured.includes(LEFT));
  assert.equal(kept.mode, 0o600);
  assert.match(kept.commandLines, /git-remote-http/);
  assert.ok(!kept.commandLines.includes(LEFT));
});

Deno.test("a clone of another repository is refused with its address unchanged", async () => {
  const kept = await reopen(new Secret("ghp_anothertoken"), { ...ADDRESS, name: "texts" });
  assert.match(String(kept.error), /repository mismatch, expected Haidra-Org\/texts/);
  assert.ok(!String(kept.error).includes(LEFT));
  assert.ok(kept.configured.includes(LEFT));
  assert.equal(kept.requests, 0);
});
