import assert from "node:assert/strict";

/**
 * Makes a file that this process wrote a program. Another process copies it: a child that another test starts meanwhile
 * holds the file open for writing until it runs, and as long as one does, Linux starts no such program (ETXTBSY).
 */
export function makeProgram(path: string): void {
  const script = 'cp "$1" "$1.copy" && chmod 755 "$1.copy" && mv "$1.copy" "$1"';
  const { success } = new Deno.Command("sh", { args: ["-c", script, "sh", path], stdin: "null" })
    .outputSync();
  assert.ok(success, path);
}

/** Writes a program, which can be started at once. */
export function writeProgram(path: string, text: string): void {
  Deno.writeTextFileSync(path, text);
  makeProgram(path);
}
