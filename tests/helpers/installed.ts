/** Whether a program is on the `PATH` of this machine. */
export function isInstalled(program: string): boolean {
  if (Deno.build.os === "windows") return false;
  return new Deno.Command("sh", { args: ["-c", `command -v "$1"`, "sh", program], stdout: "null" })
    .outputSync()
    .success;
}

/** Returns the part of a test's definition that skips it, with the reason in its name, where a program is missing. */
export function needs(name: string, ...programs: readonly string[]): { name: string; ignore: boolean } {
  const missing = programs.filter((program) => !isInstalled(program));
  return missing.length === 0
    ? { name, ignore: false }
    : { name: `${name} (skipped: no ${missing.join(" and no ")} here)`, ignore: true };
}
