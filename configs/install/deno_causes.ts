/**
 * Returns Deno's message and its causes, which it numbers if there are several.
 *
 * @param stderr what Deno printed, without colours
 */
export function causesOf(stderr: string): string[] {
  const [, told = stderr] = /^error: ([^]*)/m.exec(stderr) ?? [];
  const [message = ""] = told.split(/\n\s*\nStack backtrace:/);
  return message.split("\n")
    .map((line) => line.replace(/^\s*(?:\d+: )?/, "").trim())
    .filter((line) => line !== "" && line !== "Caused by:");
}
