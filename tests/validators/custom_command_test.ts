import assert from "node:assert/strict";
import { join } from "node:path";
import { spawnProcess } from "../../lib/core/subprocess.ts";
import { type CustomCommand, runCustomCommand } from "../../lib/validators/custom_command.ts";
import { InvalidModelError } from "../../lib/validators/invalid_model.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const UNIX = { ignore: Deno.build.os === "windows" };

/** A staged release of two files, and a shell command for it. The script may use a folder beside the release. */
function world(
  script: string | ((root: string) => string),
  changed: Partial<CustomCommand> = {},
  signal: AbortSignal = new AbortController().signal,
) {
  const root = tempDir();
  const dir = join(root.path, "staged");
  writeFiles(dir, { "a.bin": "a", "deep/b.bin": "b" });
  for (const path of ["a.bin", "deep/b.bin"]) Deno.chmodSync(join(dir, path), 0o444);
  const context = testContext({ spawn: spawnProcess, signal });
  const custom: CustomCommand = {
    // The shell's name for itself, then the folder.
    command: ["sh", "-c", typeof script === "string" ? script : script(root.path), "sh"],
    timeoutMs: 30_000,
    dir,
    digest: "sha256:0123",
    activeDir: "/srv/active",
    ...changed,
  };
  return {
    root: root.path,
    dir,
    context,
    run: () => runCustomCommand(context, custom),
    [Symbol.dispose]: () => root[Symbol.dispose](),
  };
}

Deno.test(
  "validate_command gets the folder, the digest and the active release as arguments and variables",
  UNIX,
  async () => {
    using made = world(
      'echo "$1|$MODEL_SYNC_FOLDER|$MODEL_SYNC_DIGEST|$MODEL_SYNC_ACTIVE_FOLDER"; cat "$1/deep/b.bin" >&2',
    );
    await made.run();
    assert.deepEqual(made.context.log.lines.slice(1).sort(), [
      `info validate_command: ${made.dir}|${made.dir}|sha256:0123|/srv/active`,
      "info validate_command: b",
    ]);
    using first = world('echo "<$MODEL_SYNC_ACTIVE_FOLDER>"', { activeDir: undefined });
    await first.run();
    assert.ok(first.context.log.lines.includes("info validate_command: <>"));
  },
);

Deno.test(
  "an exit code other than 0 refuses the release, and the error quotes the last lines of output",
  UNIX,
  async () => {
    using made = world("for n in 1 2 3 4; do echo line $n; done; printf 'accuracy 0.41\\033[0m' >&2; exit 3");
    await assert.rejects(made.run(), (error) => {
      assert.ok(error instanceof InvalidModelError);
      assert.match(error.message, /^Cannot activate the release: validate_command ended with exit code 3: /);
      assert.match(error.message, /line 4/);
      assert.match(error.message, /accuracy 0\.41$/);
      assert.doesNotMatch(error.message, /line 1/);
      return true;
    });
    using silent = world("exit 1");
    await assert.rejects(silent.run(), { message: /exit code 1$/, exitCode: 5 });
  },
);

Deno.test(
  "the folder is read-only while the command runs, and has its old modes afterwards",
  UNIX,
  async () => {
    using made = world(
      'stat -c %a "$1" "$1/deep" "$1/a.bin" 2>/dev/null || stat -f %Lp "$1" "$1/deep" "$1/a.bin"',
    );
    const modes = () => ["", "deep", "a.bin"].map((path) => Deno.statSync(join(made.dir, path)).mode);
    const before = modes();
    const ctime = Deno.statSync(join(made.dir, "a.bin")).ctime?.getTime();
    await made.run();
    assert.deepEqual(made.context.log.lines.slice(1), [
      "info validate_command: 555",
      "info validate_command: 555",
      "info validate_command: 444",
    ]);
    assert.deepEqual(modes(), before);
    // A read-only file may belong to the store, whose stat cache has its change time.
    assert.equal(Deno.statSync(join(made.dir, "a.bin")).ctime?.getTime(), ctime);
  },
);

Deno.test(
  "a command that changes the release is reported, without blame for the release",
  UNIX,
  async () => {
    const scripts = {
      'chmod u+w "$1/a.bin"; echo longer > "$1/a.bin"': "a.bin was modified",
      'chmod u+w "$1/deep"; rm -f "$1/deep/b.bin"': "deep/b.bin was deleted",
      'chmod u+w "$1"; echo x > "$1/cache"': "cache is new",
      'chmod u+w "$1"; mkdir "$1/__pycache__"': "__pycache__ is new",
      'chmod u+w "$1"; cp "$1/a.bin" "$1/n"; mv -f "$1/n" "$1/a.bin"': "a.bin was modified",
      'chmod u+w "$1"; rm -f "$1/a.bin"; ln -s /etc/hosts "$1/a.bin"': "a.bin was modified",
    };
    for (const [script, change] of Object.entries(scripts)) {
      using made = world(script);
      await assert.rejects(made.run(), (error) => {
        assert.ok(!(error instanceof InvalidModelError));
        assert.equal(
          String(error),
          `RefusedError: Cannot activate the release: validate_command changed its files: ${change}`,
        );
        return true;
      });
    }
  },
);

Deno.test(
  "a superuser's command cannot change files that the release shares with the active one",
  { ignore: Deno.build.os === "windows" || Deno.uid() !== 0 },
  async () => {
    for (const script of ['echo hack > "$1/a.bin"', 'rm "$1/deep/b.bin"; echo hack > "$1/a.bin"']) {
      using made = world(script);
      Deno.linkSync(join(made.dir, "a.bin"), join(made.root, "active.bin"));
      await assert.rejects(made.run(), { code: "VALIDATE_COMMAND_WROTE", message: /a\.bin|b\.bin/ });
      assert.deepEqual(readFiles(made.root), {
        "active.bin": "a",
        "staged/a.bin": "a",
        "staged/deep/b.bin": "b",
      });
    }
  },
);

Deno.test(
  "a command beyond its time limit is killed with its child processes, without blame for the release",
  UNIX,
  async () => {
    using made = world(
      (root) => `sleep 61 & echo $! > ${root}/helper; printf "loading model"; wait`,
      { timeoutMs: 300 },
    );
    await assert.rejects(made.run(), (error) => {
      assert.ok(!(error instanceof InvalidModelError));
      assert.match(String(error), /validate_command did not end within 0\.3 s: loading model$/);
      return true;
    });
    const pid = Deno.readTextFileSync(join(made.root, "helper")).trim();
    const { stdout } = new Deno.Command("ps", { args: ["-o", "stat=", "-p", pid] }).outputSync();
    assert.match(new TextDecoder().decode(stdout).trim(), /^(Z.*)?$/);
  },
);

Deno.test("an interrupted run kills the command and reports the interruption", UNIX, async () => {
  const controller = new AbortController();
  using made = world("sleep 61", {}, controller.signal);
  const running = made.run();
  const reason = new Error("stopped");
  controller.abort(reason);
  await assert.rejects(running, (error) => error === reason);
  assert.equal((Deno.statSync(made.dir).mode ?? 0) & 0o200, 0o200);
});

Deno.test("a missing program is a usage error", UNIX, async () => {
  using made = world("", { command: ["no-such-validator"] });
  await assert.rejects(made.run(), { code: "PROGRAM_MISSING", exitCode: 2 });
});

Deno.test("endless output of a command fills neither the log nor the memory", UNIX, async () => {
  using made = world("yes | head -n 5000; head -c 3000000 /dev/zero | tr '\\0' x; exit 1");
  await assert.rejects(made.run(), (error) => String(error).length < 4_000);
  assert.equal(made.context.log.lines.length, 1 + 1_000 + 1);
  assert.match(made.context.log.lines.at(-1) ?? "", /after 1000 lines is not shown/);
});
