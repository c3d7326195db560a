/** Whether Prometheus' own tool is installed, in Debian's package `prometheus`. */
export const HAS_PROMTOOL = isInstalled();

/** The suffix for the names of tests that need it. */
export const WITHOUT_PROMTOOL = HAS_PROMTOOL ? "" : " (skipped: no promtool here)";

function isInstalled(): boolean {
  try {
    return new Deno.Command("promtool", { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

/** Returns the output of `promtool check metrics` for a text: empty if it is valid and without lint. */
export async function promtoolSays(text: string): Promise<string> {
  const promtool = new Deno.Command("promtool", {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = promtool.output();
  const stdin = promtool.stdin.getWriter();
  await stdin.write(new TextEncoder().encode(text));
  await stdin.close();
  const { code, stdout, stderr } = await output;
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return code === 0 ? said : `exit code ${code}: ${said}`;
}
