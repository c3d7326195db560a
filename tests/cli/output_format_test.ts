import assert from "node:assert/strict";
import { ENTRIES } from "../../cli/_entries.ts";
import { runCli } from "../helpers/run_cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";

/** The words that name each command. */
const COMMANDS = (await Promise.all(Object.values(ENTRIES).map(({ load }) => load()))).flatMap((
  { program },
) =>
  "command" in program ? [[program.name]] : Object.keys(program.commands).map((name) => [program.name, name])
);

Deno.test("--output json, -o json and --json print errors of every command as one object, and two formats are exit 2", async () => {
  using dir = tempDir();
  for (const [command = "", ...words] of COMMANDS) {
    for (const format of [["--output", "json"], ["--output=json"], ["-o", "json"], ["-ojson"], ["--json"]]) {
      const args = [...words, ...format, "--no-such-option"];
      const { code, stdout, stderr } = await runCli(command, args, { cwd: dir.path });
      assert.deepEqual(
        [code, stdout, JSON.parse(stderr).exitCode],
        [2, "", 2],
        `${command} ${args.join(" ")}`,
      );
    }
    for (
      const [args, says] of [
        [["--output", "yaml"], /Cannot use --output: its value must be one of text, json/],
        [["-o"], /Cannot use --output: its value FORMAT is missing/],
      ] as const
    ) {
      const { code, stderr } = await runCli(command, [...words, ...args], { cwd: dir.path });
      assert.equal(code, 2, command);
      assert.match(stderr, says, command);
    }
  }
});

Deno.test("each spelling of a format gives the same result", async () => {
  using dir = tempDir();
  const run = async (...args: string[]) => await runCli("quarantine", ["list", ...args], { cwd: dir.path });
  const [json, text] = [await run("--json"), await run()];
  assert.deepEqual(JSON.parse(json.stdout).quarantine, []);
  for (
    const args of [["-o", "json"], ["--output=json"], ["--json", "-o", "json"], ["--json=false", "-ojson"]]
  ) {
    assert.deepEqual(await run(...args), json, args.join(" "));
  }
  for (const args of [["-o", "text"], ["--output=text"], ["--json=false", "-otext"]]) {
    assert.deepEqual(await run(...args), text, args.join(" "));
  }
  const both = await run("--json", "--output", "text");
  assert.deepEqual([both.code, both.stdout], [2, ""]);
  assert.match(JSON.parse(both.stderr).message, /Cannot use --json and --output text together/);
  for (const args of [["--json"], ["-o", "json"]]) {
    assert.ok("version" in JSON.parse((await runCli("--version", args, { cwd: dir.path })).stdout));
  }
});
