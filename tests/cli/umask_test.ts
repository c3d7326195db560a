import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT } from "../helpers/run_cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { GIT_ENV } from "../helpers/test_git.ts";

/** These files may hold a login, an API's answer about an account, or addresses that start paid work. */
const PRIVATE = /\/registry\/\.git\/config$|\/(?:answers|runpod_jobs)\.json$/;

/** What consumers read. */
const READ =
  /^\/(?:linked|mirrored|paying)\/(?:(?:models|served)(?:\/(?!.*\.model-sync-folders)|$)|\.model-sync(?:$|\/(?:current$|releases(?:\/|$))))/;

/** What the program makes and keeps; the models of the trainers are the user's. */
const KEPT = /^\/(?:linked|mirrored|paying)\/(?:models|served)(?:\/|$)|\/\.model-sync(?:\/|$)/;

interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly isDirectory: boolean;
}

function entries(root: string, folder = root): Entry[] {
  return Array.from(Deno.readDirSync(folder)).filter(({ isSymlink }) => !isSymlink).flatMap(
    ({ name, isDirectory }) => {
      const location = join(folder, name);
      const path = location.slice(root.length);
      const entry = { path, mode: (Deno.lstatSync(location).mode ?? 0) & 0o7777, isDirectory };
      return isDirectory ? [entry, ...entries(root, location)] : [entry];
    },
  );
}

async function modesUnder(umask: string): Promise<Entry[]> {
  using dir = tempDir();
  const victim = join(PROJECT, "tests/cli/umask_victim.ts");
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-A", "--no-check", "--config", `${PROJECT}deno.json`, victim, umask, dir.path],
    env: GIT_ENV,
    stdin: "null",
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const found = entries(dir.path).filter(({ path }) => KEPT.test(path));
  assert.ok(found.some(({ path }) => PRIVATE.test(path)));
  return found;
}

function shown(found: readonly Entry[]): string[] {
  return found.map(({ path, mode }) => `${mode.toString(8)} ${path}`);
}

for (const umask of ["000", "002", "077"]) {
  Deno.test({
    name: `with umask ${umask} the store is written by its owner alone, and consumers read the models`,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      const found = await modesUnder(umask);
      assert.deepEqual(shown(found.filter((entry) => (entry.mode & 0o022) !== 0)), []);
      assert.deepEqual(shown(found.filter(({ path, mode }) => PRIVATE.test(path) && mode !== 0o600)), []);
      const unread = found.filter(({ path, mode, isDirectory }) =>
        READ.test(path) && (mode & 0o005) !== (isDirectory ? 0o005 : 0o004)
      );
      assert.deepEqual(shown(unread), []);
    },
  });
}
