import assert from "node:assert/strict";
import * as z from "zod";

/** A job of text_reference.py. */
export type PythonJob = readonly ["read", string] | readonly ["write", string[][]] | readonly ["db", string];

/** Returns Python's result for each job, from one process; `null` for a failure. */
export async function runPython<Result>(
  jobs: readonly PythonJob[],
  result: z.ZodType<Result>,
): Promise<(Result | null)[]> {
  const script = new URL("./text_reference.py", import.meta.url).pathname;
  const process = new Deno.Command("python3", { args: [script], stdin: "piped", stdout: "piped" }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(jobs)));
  await writer.close();
  const { success, stdout } = await process.output();
  assert.ok(success);
  return z.array(result.nullable()).parse(JSON.parse(new TextDecoder().decode(stdout)));
}
