import assert from "node:assert/strict";
import { gitError } from "../../lib/git/git_error.ts";

Deno.test("gitError() names the files that a merge or a checkout would overwrite", () => {
  const stderr = "error: Your local changes to the following files would be overwritten by merge:\n" +
    "\tmodels/a.onnx\n\tmodels/b.onnx\nPlease commit your changes or stash them before you merge.\nAborting\n";
  const error = gitError("move main to 1a2b3c", stderr);
  assert.equal(
    error.message,
    "Cannot move main to 1a2b3c: local changes to models/a.onnx, models/b.onnx would be overwritten",
  );
  assert.deepEqual([error.exitCode, error.code], [2, "WORKTREE_DIRTY"]);
});

Deno.test("gitError() tells apart who is to blame: credentials, network, disk, lock, another git", () => {
  const cases = [
    ["fatal: Authentication failed for 'https://x/'", 3],
    ["fatal: unable to access 'https://x/': Could not resolve host: x", 4],
    ["error: file write error: No space left on device", 7],
    ["error: sha1 file write error. Out of diskspace", 7],
    ["fatal: Unable to create '/r/.git/index.lock': File exists.", 6],
    ["fatal: bad object HEAD", 1],
    ["git: 'remote-nohelper' is not a git command. See 'git --help'.", 2],
    ["fatal: Unable to find remote helper for 'nohelper'", 2],
    ["fatal: transport 'ftp' not allowed", 2],
  ] as const;
  for (const [stderr, exitCode] of cases) assert.equal(gitError("do it", stderr).exitCode, exitCode, stderr);
});
