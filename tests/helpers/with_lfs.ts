/** Whether this machine has git-lfs. */
export const hasLfs =
  new Deno.Command("git", { args: ["lfs", "version"], stdout: "null", stderr: "null" }).outputSync().success;

/** Registers a test that needs git-lfs; without it the test is skipped, and its name says so. */
export function testWithLfs(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: hasLfs ? name : `${name} (skipped: no git-lfs here)`, ignore: !hasLfs, fn });
}
