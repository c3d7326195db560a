import assert from "node:assert/strict";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { reloadConsumers } from "../../lib/reload/reload_consumers.ts";
import { hooks, releaseOf, reloadContext } from "../helpers/reload_world.ts";

const POSIX = { ignore: Deno.build.os === "windows" };

function shell(script: string, limits: object = {}) {
  return hooks({ type: "command", command: ["sh", "-c", script], ...limits });
}

Deno.test(
  "a command gets the notification in its environment, and its output goes to the log",
  POSIX,
  async () => {
    using release = releaseOf({ "a.onnx": "a" });
    const context = reloadContext({ PATH: Deno.env.get("PATH") ?? "", HOME: "/nowhere" });
    const script = 'printf "%s\\n" "$MODEL_SYNC_EVENT $MODEL_SYNC_DIGEST $MODEL_SYNC_PREVIOUS" ' +
      '"$MODEL_SYNC_MODELS_DIR" "$MODEL_SYNC_RELEASE_DIR" "$MODEL_SYNC_CHANGED" "$HOME"; printf last >&2';
    await reloadConsumers(context, shell(script), release.news);
    const { digest, previous, modelsDir, releaseDir } = release.news;
    const changed = { added: ["new.onnx"], modified: ["btc/model.onnx"], removed: ["old/model.onnx"] };
    for (
      const line of [
        `activated ${digest} ${previous}`,
        modelsDir,
        releaseDir,
        JSON.stringify({ ...changed, omitted: 0 }),
        "/nowhere",
        "last",
      ]
    ) {
      assert.ok(context.log.lines.includes(`info [MODEL-RELOAD] ${line}`), `${line} of ${context.log.lines}`);
    }
  },
);

Deno.test("without a release before, a command gets an empty MODEL_SYNC_PREVIOUS", POSIX, async () => {
  using release = releaseOf({ "a.onnx": "a" });
  await reloadConsumers(reloadContext(), shell('test "${MODEL_SYNC_PREVIOUS-unset}" = ""'), {
    ...release.news,
    previous: undefined,
  });
});

Deno.test("a command that fails is run again", POSIX, async () => {
  using release = releaseOf({ "a.onnx": "a" });
  const mark = `${release.path}/second`;
  await reloadConsumers(
    reloadContext(),
    shell(`if test -e '${mark}'; then exit 0; fi; : > '${mark}'; exit 75`),
    release.news,
  );
  assert.ok(Deno.statSync(mark).isFile);
});

Deno.test(
  "the error of a failing command has its exit code and last line, without secrets",
  POSIX,
  async () => {
    using release = releaseOf({ "a.onnx": "a" });
    const context = reloadContext();
    const script = "echo starting; echo 'cannot load https://u:pw@host/x' >&2; exit 3";
    await assert.rejects(
      reloadConsumers(context, shell(script, { retries: 1 }), release.news),
      (error) => {
        assert.ok(error instanceof ModelSyncError);
        assert.equal(error.code, "RELOAD_FAILED");
        assert.equal(
          error.message,
          "Cannot make sh reload release 0123456789ab: sh ended with exit code 3: " +
            "cannot load https://[redacted]@host/x",
        );
        return true;
      },
    );
    assert.equal(context.log.lines.filter((line) => line.endsWith("] starting")).length, 2);
  },
);

Deno.test("a missing program fails without a retry", async () => {
  using release = releaseOf({ "a.onnx": "a" });
  const context = reloadContext();
  await assert.rejects(
    reloadConsumers(
      context,
      hooks({ type: "command", command: ["no-such-program-of-model-sync"] }),
      release.news,
    ),
    { code: "RELOAD_FAILED", message: /no such program on the PATH/ },
  );
  assert.deepEqual(context.clock.pausesMs, []);
});

Deno.test("a command that takes too long is ended", POSIX, async () => {
  using release = releaseOf({ "a.onnx": "a" });
  await assert.rejects(
    reloadConsumers(
      reloadContext(),
      hooks({ type: "command", command: ["sleep", "600"], timeout_seconds: 0.05, retries: 0 }),
      release.news,
    ),
    { code: "RELOAD_FAILED", message: /no end after/ },
  );
});

Deno.test("of a command with endless output, the log gets the beginning", POSIX, async () => {
  using release = releaseOf({ "a.onnx": "a" });
  const context = reloadContext();
  const script = "i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done; head -c 300000 /dev/zero";
  await reloadConsumers(context, shell(script), release.news);
  assert.equal(context.log.lines.filter((line) => line.includes("] line ")).length, 200);
  assert.ok(context.log.lines.includes("info [MODEL-RELOAD] more output is not shown"));
  assert.ok(context.log.lines.every((line) => line.length < 4_000));
});
