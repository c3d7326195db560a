import { cleanLine } from "../../lib/core/clean_text.ts";

/** The bundler puts all its errors into one cause, thousands of characters. */
const CAUSE_CHARS_MAX = 300;

/**
 * Returns Deno's message and its causes, which it numbers if there are several.
 *
 * @param stderr what Deno printed, without colours
 */
export function causesOf(stderr: string): string[] {
  const [, told = stderr] = /^error: ([^]*)/m.exec(stderr) ?? [];
  const [message = ""] = told.split(/\n\s*\nStack backtrace:/);
  return message.split("\n")
    .map((line) => cleanLine(line.replace(/^\s*(?:\d+: )?/, ""), { charsMax: CAUSE_CHARS_MAX }))
    .filter((line) => line !== "" && line !== "Caused by:");
}
