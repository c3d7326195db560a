import assert from "node:assert/strict";
import { join } from "node:path";
import * as z from "zod";
import { SUMMARIES } from "../../cli/_help.ts";
import { commandFlags } from "../../configs/install/command_flags.ts";
import { type LauncherFacts, shellLauncher, windowsLauncher } from "../../configs/install/launcher.ts";
import { denoVariables, withUserVariables } from "../../lib/core/launcher_variables.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { makeProgram } from "../helpers/make_program.ts";

const DENO_JSON = Deno.readTextFileSync(join(PROJECT, "deno.json"));
const FLAGS = commandFlags(DENO_JSON);
const TASKS = z.object({ tasks: z.record(z.string(), z.unknown()) }).parse(JSON.parse(DENO_JSON)).tasks;

/** A launcher in a folder, for a program that prints its variables and arguments in the place of Deno. */
function launcherIn(folder: string): LauncherFacts {
  const facts = {
    launcher: join(folder, "model-sync"),
    clone: join(folder, "the $(clone)"),
    runtime: join(folder, "run time"),
    cache: join(folder, "it's cached"),
    program: join(folder, "it's bundled"),
    registry: "http://127.0.0.1:1/",
    repair: "npx install again",
    removal: "npx uninstall --prefix '100%'",
    flags: FLAGS,
  };
  writeFiles(folder, {
    "the $(clone)/deno.json": "{}",
    "run time":
      `#!/bin/sh\nprintf '%s\\n' "$DENO_DIR" "\${MODEL_SYNC_USER_DENO_DIR-unset}" "$MODEL_SYNC_LAUNCHER" "$PWD" "$@"\n`,
    "it's bundled/bundled.js": "",
    "model-sync": shellLauncher(facts),
  });
  for (const path of [facts.runtime, facts.launcher]) makeProgram(path);
  return facts;
}

function start(
  shell: string,
  { launcher }: LauncherFacts,
  args: readonly string[],
  env: Record<string, string>,
) {
  const { code, stdout, stderr } = new Deno.Command(shell, {
    args: [launcher, ...args],
    cwd: "/",
    env,
    clearEnv: true,
  }).outputSync();
  const decoder = new TextDecoder();
  return { code, lines: decoder.decode(stdout).split("\n").slice(0, -1), stderr: decoder.decode(stderr) };
}

Deno.test({
  name:
    "the launcher starts each command with the flags and the permission set of its task, in the user's folder",
  ignore: Deno.build.os === "windows",
  fn() {
    using dir = tempDir();
    const facts = launcherIn(dir.path);
    const config = ["--config", join(facts.clone, "deno.json")];
    const [main, bundle] = [join(facts.clone, "cli/main.ts"), join(dir.path, "it's bundled/bundled.js")];
    for (const name of Object.keys(SUMMARIES)) {
      const task = TASKS[name];
      assert.ok(typeof task === "string", name);
      const { lines } = start("sh", facts, [name, "two words", ""], {});
      const [cache, , launcher, folder, ...args] = lines;
      assert.deepEqual([cache, launcher, folder], [facts.cache, facts.launcher, "/"]);
      const flags = args.slice(args.indexOf("run") + 1, args.indexOf(bundle)).filter((arg) =>
        !config.includes(arg) && arg !== "--v8-flags=--no-lazy"
      );
      const own = task.split(" ").slice(2, -1);
      assert.deepEqual(flags.sort(), [...own, "--unstable-lazy-dynamic-imports"].sort(), name);
      assert.deepEqual(args.slice(args.indexOf(bundle)), [bundle, name, "two words", ""]);
    }
    const own = join(dir.path, "it's bundled/status/run.js");
    writeFiles(dir.path, { "it's bundled/status/run.js": "" });
    assert.ok(start("sh", facts, ["status"], {}).lines.includes(own), "with a bundle of the command");
    Deno.removeSync(own);
    Deno.removeSync(bundle);
    assert.ok(start("sh", facts, ["status"], {}).lines.includes(main), "without a bundle");
    for (const args of [[], ["--help"], ["help", "pull"], ["unknown"], ["$(reboot)"]]) {
      const { lines } = start("sh", facts, args, {});
      assert.deepEqual(lines.slice(lines.indexOf("-P=model-sync")), ["-P=model-sync", main, ...args]);
    }
  },
});

Deno.test({
  name: "the launcher says what is missing, and takes a deno of the PATH for one that cannot be run",
  ignore: Deno.build.os === "windows",
  fn() {
    using dir = tempDir();
    const facts = launcherIn(dir.path);
    assert.equal(start("sh", facts, [], {}).lines[1], "unset");
    assert.equal(start("sh", facts, [], { DENO_DIR: "" }).lines[1], "");
    assert.equal(start("sh", facts, [], { DENO_DIR: "/the user's" }).lines[1], "/the user's");

    Deno.mkdirSync(join(dir.path, "bin"));
    Deno.renameSync(facts.runtime, join(dir.path, "bin/deno"));
    const other = start("/bin/sh", facts, [], { PATH: join(dir.path, "bin") });
    assert.match(
      other.stderr,
      /^model-sync: cannot run its Deno, .*; using deno from the PATH\. .*: npx install again\n$/,
    );
    assert.equal(other.lines.at(-1), join(facts.clone, "cli/main.ts"));
    const none = start("/bin/sh", facts, [], { PATH: "/nonexistent" });
    assert.deepEqual([none.code, none.lines], [1, []]);
    assert.match(
      none.stderr,
      /^model-sync: cannot run its Deno, .*\. To restore it, run in .*: npx install again\n$/,
    );

    Deno.removeSync(join(facts.clone, "deno.json"));
    const moved = start("/bin/sh", facts, [], { PATH: "/nonexistent" });
    assert.deepEqual([moved.code, moved.stderr.split("\n").length], [1, 2]);
    assert.match(
      moved.stderr,
      /^model-sync: cannot read its clone .* If it moved, install again from its new folder/,
    );
  },
});

Deno.test("the launcher for Windows names each command's set, and escapes what a batch file would expand", () => {
  const text = windowsLauncher({
    launcher: "C:\\100%\\bin\\model-sync.cmd",
    clone: "C:\\my clone & more",
    runtime: "C:\\run\\deno.exe",
    cache: "C:\\cache",
    program: undefined,
    registry: "http://127.0.0.1:1/",
    repair: "npx install again",
    removal: "npx uninstall --prefix '100%'",
    flags: FLAGS,
  });
  const lines = text.split("\r\n");
  assert.ok(!text.replaceAll("\r\n", "").includes("\n"));
  assert.ok(lines.includes(`set "MODEL_SYNC_LAUNCHER=C:\\100%%\\bin\\model-sync.cmd"`));
  assert.ok(lines.includes("rem    npx uninstall --prefix '100%%'"));
  assert.ok(lines.includes(`set "clone=C:\\my clone & more"`));
  const [, names = ""] =
    /^for %%c in \((.*)\) do if "%~1"=="%%c" set "flags=-P=%%c"$/m.exec(text.replaceAll("\r", "")) ??
      [];
  assert.deepEqual(names.split(" ").sort(), Object.keys(SUMMARIES).sort());
  const own = FLAGS.own.get("daemon")?.join(" ");
  assert.match(own ?? "", /^--v8-flags=/);
  assert.ok(lines.includes(`if "%~1"=="daemon" set "flags=${own} -P=daemon"`));
  // As the other launcher, it takes a deno of the PATH for one that is gone: after the check, before the start.
  const isGone = `if not exist "%runtime%"`;
  const steps = [
    `set "runtime=C:\\run\\deno.exe"`,
    `${isGone} for %%d in (deno.exe deno.cmd) do if not defined other set "other=%%~$PATH:d"`,
    `${isGone} if not defined other (`,
    "  exit /b 1",
    `${isGone} (`,
    `${isGone} set "runtime=%other%"`,
    lines.at(-3) ?? "",
  ];
  let at = 0;
  for (const step of steps) assert.ok((at = lines.indexOf(step, at) + 1) > 0, step);
  assert.match(
    text,
    /cannot find its Deno, "%runtime%"; using "%other%" from the PATH\. .*: npx install again 1>&2/,
  );
  assert.match(
    lines.at(-3) ?? "",
    /^"%runtime%" run -q .*--config "%clone%\\deno\.json" %flags% .*main\.ts" %\*$/,
  );
});

Deno.test("programs that a launched command starts get the user's DENO_DIR, and its own Deno gets the launcher's", () => {
  const launched = {
    PATH: "/bin",
    MODEL_SYNC_LAUNCHER: "/bin/model-sync",
    DENO_DIR: "/installed",
    MODEL_SYNC_USER_DENO_DIR: "/mine",
    NPM_CONFIG_REGISTRY: "http://127.0.0.1:1/",
  };
  const variables = withUserVariables(launched);
  assert.deepEqual([variables["DENO_DIR"], variables["NPM_CONFIG_REGISTRY"]], ["/mine", undefined]);
  const env = { get: (name: string) => variables[name], toObject: () => variables };
  assert.deepEqual(denoVariables(env), {
    DENO_DIR: "/installed",
    NPM_CONFIG_REGISTRY: "http://127.0.0.1:1/",
  });
  const plain = { DENO_DIR: "/mine", PATH: "/bin" };
  assert.deepEqual(withUserVariables(plain), plain);
});
