import assert from "node:assert/strict";
import { join } from "node:path";
import { AuthenticationError } from "../../lib/core/errors.ts";
import { UnusableFileError } from "../../lib/core/files.ts";
import { findHubToken, hubCacheFolder, isHubOffline } from "../../lib/huggingface/hub_environment.ts";
import { osError } from "../helpers/fake_fs.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

Deno.test("the cache folder is the one of Hugging Face's libraries", () => {
  const folder = (variables: Record<string, string>) =>
    hubCacheFolder(fixedEnvironment({ HOME: "/home", ...variables }));
  assert.equal(folder({}), join("/home", ".cache/huggingface/hub"));
  assert.equal(folder({ XDG_CACHE_HOME: "/xdg" }), join("/xdg", "huggingface/hub"));
  assert.equal(folder({ XDG_CACHE_HOME: "/xdg", HF_HOME: "/hf" }), join("/hf", "hub"));
  assert.equal(folder({ HF_HOME: "/hf", HF_HUB_CACHE: "~/mine" }), join("/home", "mine"));
});

Deno.test("without HF_TOKEN, the token of hf auth login is used, from the same file as by Hugging Face's libraries", () => {
  using dir = tempDir();
  writeFiles(dir.path, {
    ".cache/huggingface/token": "hf_home\n",
    "xdg/huggingface/token": "hf_xdg",
    "hf/token": "\r\n hf_hfhome \n",
    "other/my token": "hf_path",
  });
  const find = (env: Record<string, string>, variable = "HF_TOKEN") => {
    const variables = { HOME: dir.path, ...env };
    const { token, place } = findHubToken(testContext({ env: fixedEnvironment(variables) }), variable);
    return [token?.reveal(), place];
  };
  const at = (path: string) => join(dir.path, path);
  assert.deepEqual(find({}), ["hf_home", at(".cache/huggingface/token")]);
  assert.deepEqual(find({ HF_TOKEN: " " }), ["hf_home", at(".cache/huggingface/token")]);
  assert.deepEqual(find({ HF_TOKEN: "hf_env" }), ["hf_env", "HF_TOKEN"]);
  assert.deepEqual(find({ XDG_CACHE_HOME: at("xdg") }), ["hf_xdg", at("xdg/huggingface/token")]);
  assert.deepEqual(find({ HF_HOME: "~/hf", XDG_CACHE_HOME: at("xdg") }), ["hf_hfhome", at("hf/token")]);
  assert.deepEqual(find({ HF_HOME: "~/hf", HF_TOKEN_PATH: at("other/my token") }), [
    "hf_path",
    at("other/my token"),
  ]);
  assert.deepEqual(find({ HF_HOME: at("none") }), [undefined, "HF_TOKEN"]);
  // With a variable of another name, the stored token may be of another account and is not used.
  assert.deepEqual(find({}, "BOT_TOKEN"), [undefined, "BOT_TOKEN"]);
  assert.deepEqual(find({ HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }), [undefined, "HF_TOKEN"]);
  writeFiles(dir.path, { "hf/token": "hf_a b" });
  assert.throws(() => find({ HF_HOME: "~/hf" }), (error) => {
    assert.ok(error instanceof AuthenticationError);
    assert.match(error.message, /token: it holds characters that no token has$/);
    return !/hf_a b/.test(`${error.message} ${error.hint}`);
  });
});

Deno.test("a token file of another user does not count, because public repositories need no token, and a folder in its place is an error", () => {
  using dir = tempDir();
  const path = join(dir.path, "token");
  const env = fixedEnvironment({ HF_TOKEN_PATH: path });
  const denied = (): never => {
    throw osError("EACCES", (message) => new Deno.errors.PermissionDenied(message));
  };
  writeFiles(dir.path, { token: "hf_of_another" });
  // Either the file has another mode, or its folder.
  for (const refused of [{ openSync: denied }, { statSync: denied }]) {
    const context = testContext({ env, fs: { ...Deno, ...refused } });
    assert.deepEqual(findHubToken(context, "HF_TOKEN"), { token: undefined, place: "HF_TOKEN" });
    assert.deepEqual(context.log.lines, [`debug the token in ${path} is not used: simulated EACCES`]);
  }
  Deno.removeSync(path);
  Deno.mkdirSync(path);
  assert.throws(() => findHubToken(testContext({ env }), "HF_TOKEN"), (error) => {
    assert.ok(error instanceof UnusableFileError);
    assert.equal(error.message, `Cannot read ${path}: it is a folder, not a file`);
    return true;
  });
});

Deno.test("HF_HUB_OFFLINE has the same meaning as for huggingface_hub", () => {
  const isOffline = (variables: Record<string, string>) => isHubOffline(fixedEnvironment(variables));
  for (const on of ["1", "true", "YES", "On"]) assert.ok(isOffline({ HF_HUB_OFFLINE: on }), on);
  for (const off of ["", "0", "false", "no", "2"]) assert.ok(!isOffline({ HF_HUB_OFFLINE: off }), off);
  assert.ok(isOffline({ TRANSFORMERS_OFFLINE: "1" }));
  assert.ok(isOffline({ HF_HUB_OFFLINE: "", TRANSFORMERS_OFFLINE: "1" }));
  assert.ok(!isOffline({ HF_HUB_OFFLINE: "0", TRANSFORMERS_OFFLINE: "1" }));
});
