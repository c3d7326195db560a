import assert from "node:assert/strict";
import { join } from "node:path";

/** Isolates git: no user configuration, one identity, a fixed default branch. */
export const GIT_ENV = {
  GIT_CONFIG_GLOBAL: Deno.build.os === "windows" ? "NUL" : "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.org",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.org",
};

/** Runs git in a folder and returns its trimmed output; fails the test when git fails. */
export function git(cwd: string, ...args: string[]): string {
  const result = new Deno.Command("git", { args, cwd, env: GIT_ENV, stdin: "null" }).outputSync();
  assert.ok(result.success, `git ${args.join(" ")}: ${new TextDecoder().decode(result.stderr)}`);
  return new TextDecoder().decode(result.stdout).trimEnd();
}

/** Runs git with bytes on standard input. */
export async function gitWithInput(
  cwd: string,
  input: Uint8Array<ArrayBuffer>,
  ...args: string[]
): Promise<string> {
  const child = new Deno.Command("git", {
    args,
    cwd,
    env: GIT_ENV,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  })
    .spawn();
  const writer = child.stdin.getWriter();
  await writer.write(input);
  await writer.close();
  const result = await child.output();
  assert.ok(result.success, `git ${args.join(" ")}: ${new TextDecoder().decode(result.stderr)}`);
  return new TextDecoder().decode(result.stdout).trimEnd();
}

/** Creates an empty bare repository with the default branch main. */
export function bareRepository(path: string): string {
  Deno.mkdirSync(path, { recursive: true });
  git(path, "init", "--quiet", "--bare", "--initial-branch=main");
  return path;
}

/** Clones a repository, even an empty one. */
export function clone(url: string, path: string): string {
  git(Deno.cwd(), "clone", "--quiet", "--config", "core.autocrlf=false", url, path);
  if (git(path, "branch", "--list") === "") git(path, "symbolic-ref", "HEAD", "refs/heads/main");
  return path;
}

/** Commits everything in a clone and pushes it. @returns the commit */
export function commitAll(repository: string, message = "a change by hand"): string {
  git(repository, "add", "--all", "--force");
  git(repository, "commit", "--quiet", "--message", message);
  git(repository, "push", "--quiet", "origin", "HEAD:main");
  return git(repository, "rev-parse", "HEAD");
}

/** Returns the names of the packs in a clone. */
export function packsOf(repository: string): string[] {
  const names = [...Deno.readDirSync(join(repository, ".git/objects/pack"))].map(({ name }) => name);
  return names.filter((name) => name.endsWith(".pack")).sort();
}

/** Whether this machine has git-lfs. */
export const hasLfs =
  new Deno.Command("git", { args: ["lfs", "version"], stdout: "null", stderr: "null" }).outputSync().success;

/** Registers a test that needs git-lfs. Without it, the test is skipped, with the reason in its name. */
export function testWithLfs(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: hasLfs ? name : `${name} (skipped: no git-lfs here)`, ignore: !hasLfs, fn });
}
