import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { join } from "node:path";
import * as z from "zod";
import { preAuthEncoding } from "../../lib/signing/bundle.ts";
import { RELEASE_FILES_MAX } from "../../lib/release/manifest.ts";
import { SIGNATURE_BYTES_MAX } from "../../lib/release/registry_file.ts";
import { signFolder, verifyFolder } from "../../lib/signing/folder_signature.ts";
import { listTree } from "../../lib/signing/hash_tree.ts";
import { parsePublicKey } from "../../lib/signing/key_files.ts";
import { bundleOf, RESOURCES, statementOf } from "./oms_folder.ts";
import { osError, readOnlyFs } from "../helpers/fake_fs.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { testKey } from "../helpers/signing.ts";
import { noise, type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const KEY = testKey();

/** Returns whether a program exists and succeeds. */
function works(command: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(command, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const HAS_PYTHON = works("python3", "-c", "import cryptography");
const HAS_OPENSSL = works("openssl", "version");
const HAS_MODEL_SIGNING = works("model_signing", "--help");

function run(command: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command(command, { args }).outputSync();
  assert.ok(success, `${command} ${args.join(" ")}\n${new TextDecoder().decode(stderr)}`);
}

/** A folder with names that are difficult to sort and encode, and a key pair beside it. */
function folderWithKeys(dir: TempDir): { models: string; signature: string; key: string; publicKey: string } {
  const models = join(dir.path, "models");
  writeFiles(models, {
    "a.onnx": noise(3 * 1024 * 1024 + 1, 1),
    "empty.bin": "",
    ".dotfile": "hidden",
    "sub/b": "b",
    "sub-x": "x",
    "ｚ.bin": "U+FF5A",
    "😀.bin": "U+1F600",
    "～.bin": "U+FF5E",
    "sub/.git/config": "signed, as it is not at the root",
    ".git/config": "not signed",
    ".gitignore": "not signed",
    ".github/workflows/x.yml": "not signed",
  });
  Deno.mkdirSync(join(models, "nothing"));
  writeFiles(dir.path, { "key.pem": KEY.privatePem, "pub.pem": KEY.publicPem });
  return {
    models,
    signature: join(models, "model.sig"),
    key: join(dir.path, "key.pem"),
    publicKey: join(dir.path, "pub.pem"),
  };
}

const Signed = z.object({
  predicate: z.object({
    resources: z.array(z.object({ name: z.string(), digest: z.string() })),
    serialization: z.object({ ignore_paths: z.array(z.string()) }),
  }),
  subject: z.array(z.object({ name: z.string(), digest: z.object({ sha256: z.string() }) })),
});
const Envelope = z.object({
  dsseEnvelope: z.object({ payload: z.string(), signatures: z.array(z.object({ sig: z.string() })) }),
});

function readSigned(signature: string) {
  const { dsseEnvelope } = Envelope.parse(JSON.parse(Deno.readTextFileSync(signature)));
  const payload = Buffer.from(dsseEnvelope.payload, "base64");
  const sig = Buffer.from(dsseEnvelope.signatures[0]?.sig ?? "", "base64");
  return { payload, sig, statement: Signed.parse(JSON.parse(payload.toString())) };
}

Deno.test("a signature covers every file in the order of code points, except git's files at the root and itself", async () => {
  using dir = tempDir();
  const { models, signature } = folderWithKeys(dir);
  const { files } = await signFolder(testContext(), KEY.signing, models, signature);
  const { predicate, subject } = readSigned(signature).statement;
  const names = predicate.resources.map(({ name }) => name);
  assert.deepEqual(names, [
    ".dotfile",
    "a.onnx",
    "empty.bin",
    "sub-x",
    "sub/.git/config",
    "sub/b",
    "ｚ.bin",
    "～.bin",
    "😀.bin",
  ]);
  assert.equal(files, names.length);
  assert.deepEqual(predicate.serialization.ignore_paths, [
    ".git",
    ".gitattributes",
    ".github",
    ".gitignore",
    "model.sig",
  ]);
  const root = createHash("sha256");
  for (const { digest } of predicate.resources) root.update(Buffer.from(digest, "hex"));
  assert.deepEqual(subject, [{ name: "models", digest: { sha256: root.digest("hex") } }]);
  await verifyFolder(testContext(), [KEY.trusted], models, signature);
});

Deno.test("signing again replaces the signature, and a signature outside the folder covers a file of the same name in it", async () => {
  using dir = tempDir();
  const { models, signature } = folderWithKeys(dir);
  await signFolder(testContext(), KEY.signing, models, signature);
  await signFolder(testContext(), KEY.signing, models, signature);
  await verifyFolder(testContext(), [KEY.trusted], models, signature);
  const outside = join(dir.path, "elsewhere/models.sig");
  await signFolder(testContext(), KEY.signing, models, outside);
  assert.ok(readSigned(outside).statement.predicate.resources.some(({ name }) => name === "model.sig"));
  await verifyFolder(testContext(), [KEY.trusted], models, outside);
});

Deno.test("a signature in a folder that is named by a link is not a file of the folder", async () => {
  using dir = tempDir();
  const { models, signature } = folderWithKeys(dir);
  const link = join(dir.path, "link");
  Deno.symlinkSync(models, link);
  for (const [folder, path] of [[link, signature], [models, join(link, "model.sig")]] as const) {
    await signFolder(testContext(), KEY.signing, folder, path);
    await verifyFolder(testContext(), [KEY.trusted], folder, path);
    assert.ok(!readSigned(path).statement.predicate.resources.some(({ name }) => name === "model.sig"));
  }
});

Deno.test("files that no signature can cover are refused, and no signature is written", async () => {
  using dir = tempDir();
  const signature = join(dir.path, "model.sig");
  const refused = async (what: string, code: string, says: RegExp) => {
    const folder = join(dir.path, what);
    await assert.rejects(signFolder(testContext(), KEY.signing, folder, signature), { code, message: says });
    assert.throws(() => Deno.statSync(signature), Deno.errors.NotFound);
  };
  await refused("missing", "FOLDER_MISSING", /there is no such folder/);
  writeFiles(dir.path, { "only-git/.git/config": "", "only-git/.gitignore": "" });
  await refused("only-git", "FOLDER_EMPTY", /it contains no files to sign/);
  writeFiles(dir.path, { "link/a": "a" });
  Deno.symlinkSync("a", join(dir.path, "link/b"));
  await refused("link", "FOLDER_UNFIT", /"b" is a symbolic link/);
  if (Deno.build.os === "windows") return;
  writeFiles(dir.path, { "pipe/a": "a" });
  run("mkfifo", join(dir.path, "pipe/b"));
  await refused("pipe", "FOLDER_UNFIT", /"b" is neither a file nor a folder/);
  if (Deno.build.os !== "linux") return;
  Deno.mkdirSync(join(dir.path, "name"));
  run("sh", "-c", `: > "$(printf '%s/name/\\377' "$0")"`, dir.path);
  // Deno 2.6 does not even list it.
  if ([...Deno.readDirSync(join(dir.path, "name"))].length === 0) return;
  await refused("name", "FOLDER_UNFIT", /is not valid UTF-8/);
});

Deno.test("a signature does not replace a folder, and leaves no scratch file", async () => {
  using dir = tempDir();
  const { models } = folderWithKeys(dir);
  await assert.rejects(signFolder(testContext(), KEY.signing, models, models), {
    code: "SIGNATURE_NO_FILE",
    exitCode: 2,
    message: `Cannot write the signature ${models}: it is a folder, not a file`,
  });
  await assert.rejects(verifyFolder(testContext(), [KEY.trusted], models, models), {
    code: "SIGNATURE_NO_FILE",
    exitCode: 2,
  });
  assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name).sort(), [
    "key.pem",
    "models",
    "pub.pem",
  ]);
});

Deno.test("a signature that cannot be written or read is named with the reason", async () => {
  using dir = tempDir();
  const { models, signature } = folderWithKeys(dir);
  await assert.rejects(signFolder(testContext({ fs: readOnlyFs(Deno) }), KEY.signing, models, signature), {
    code: "DISK",
    exitCode: 7,
    message: /write the signature .*model\.sig/,
  });
  const verify = () => verifyFolder(testContext(), [KEY.trusted], models, signature);
  await assert.rejects(verify(), {
    code: "SIGNATURE_MISSING",
    exitCode: 2,
    message: `Cannot read the signature ${signature}: there is no such file`,
  });
  const file = Deno.openSync(signature, { write: true, create: true });
  file.truncateSync(SIGNATURE_BYTES_MAX + 1);
  file.close();
  await assert.rejects(verify(), {
    code: "SIGNATURE_INVALID",
    message: /it has \d+ bytes, at most \d+ are read$/,
  });
});

Deno.test("a signature whose folder denies access is not reported as a missing or unusable file", async () => {
  const denied = osError("EACCES", (message) => new Deno.errors.PermissionDenied(message));
  const statSync = () => {
    throw denied;
  };
  const context = testContext({ fs: { ...Deno, statSync } });
  await assert.rejects(verifyFolder(context, [KEY.trusted], "models", "model.sig"), denied);
});

Deno.test("a folder is signed with as many files as a release may have, and refused with one more", () => {
  const info = Deno.lstatSync(PROJECT);
  const folderOf = (count: number) => {
    const entry = { isFile: true, isDirectory: false, isSymlink: false };
    const entries = Array.from({ length: count }, (_, index) => ({ ...entry, name: String(index) }));
    const fs = { ...Deno, statSync: () => info, lstatSync: () => info, readDirSync: () => entries.values() };
    return listTree(testContext({ fs }), "models", []).length;
  };
  assert.equal(folderOf(RELEASE_FILES_MAX), RELEASE_FILES_MAX);
  assert.throws(() => folderOf(RELEASE_FILES_MAX + 1), {
    code: "FOLDER_UNFIT",
    message: /it has more than 200000 files/,
  });
});

Deno.test("signing and verifying stop when the signal is aborted", async () => {
  using dir = tempDir();
  const { models, signature } = folderWithKeys(dir);
  const signal = AbortSignal.abort(new Error("stopped"));
  await assert.rejects(signFolder(testContext({ signal }), KEY.signing, models, signature), /stopped/);
  await signFolder(testContext(), KEY.signing, models, signature);
  // A large folder is not even listed.
  const fs = { ...Deno, readDirSync: () => assert.fail("listed") };
  await assert.rejects(
    verifyFolder(testContext({ signal, fs }), [KEY.trusted], models, signature),
    /stopped/,
  );
});

Deno.test({
  name: `an independent program accepts our signatures, and we accept its${
    HAS_PYTHON ? "" : " (needs python3-cryptography)"
  }`,
  ignore: !HAS_PYTHON,
  async fn() {
    const script = join(PROJECT, "tests/signing/oms_reference.py");
    for (const curve of ["P-256", "P-384"]) {
      using dir = tempDir();
      const { models, signature, key, publicKey } = folderWithKeys(dir);
      const pair = testKey(curve);
      writeFiles(dir.path, { "key.pem": pair.privatePem, "pub.pem": pair.publicPem });
      await signFolder(testContext(), pair.signing, models, signature);
      run("python3", script, "verify", publicKey, signature, models);
      Deno.removeSync(signature);
      run("python3", script, "sign", key, signature, models);
      await verifyFolder(testContext(), [pair.trusted], models, signature);
    }
  },
});

Deno.test({
  name: `openssl verifies our signatures, and we verify those of openssl${
    HAS_OPENSSL ? "" : " (needs openssl)"
  }`,
  ignore: !HAS_OPENSSL,
  async fn() {
    using dir = tempDir();
    const { models, signature, key, publicKey } = folderWithKeys(dir);
    await signFolder(testContext(), KEY.signing, models, signature);
    const { payload, sig } = readSigned(signature);
    const [signed, der] = [join(dir.path, "signed"), join(dir.path, "der")];
    Deno.writeFileSync(signed, preAuthEncoding(payload));
    Deno.writeFileSync(der, sig);
    run("openssl", "dgst", "-sha256", "-verify", publicKey, "-signature", der, signed);

    writeFiles(dir.path, { "other/a.onnx": "one", "other/sub/b.bin": "", "other/sub/.dot": "three" });
    const statement = JSON.stringify(statementOf(RESOURCES));
    Deno.writeFileSync(signed, preAuthEncoding(new TextEncoder().encode(statement)));
    run("openssl", "dgst", "-sha256", "-sign", key, "-out", der, signed);
    const bundle = bundleOf(KEY, statement);
    const signatures = [{ sig: Buffer.from(Deno.readFileSync(der)).toString("base64") }];
    const text = JSON.stringify({ ...bundle, dsseEnvelope: { ...bundle.dsseEnvelope, signatures } });
    writeFiles(dir.path, { "other.sig": text });
    await verifyFolder(testContext(), [KEY.trusted], join(dir.path, "other"), join(dir.path, "other.sig"));
  },
});

Deno.test({
  name: `the model_signing command accepts our signatures, and we accept its${
    HAS_MODEL_SIGNING ? "" : " (needs model_signing from PyPI)"
  }`,
  ignore: !HAS_MODEL_SIGNING,
  async fn() {
    using dir = tempDir();
    const { models, signature, key, publicKey } = folderWithKeys(dir);
    await signFolder(testContext(), KEY.signing, models, signature);
    const rest = ["--signature", signature];
    run("model_signing", "verify", "key", ...rest, "--public-key", publicKey, models);
    Deno.removeSync(signature);
    run("model_signing", "sign", "key", ...rest, "--private-key", key, models);
    await verifyFolder(testContext(), [KEY.trusted], models, signature);
  },
});

/** Made once by oms_reference.py, so that the tests check the same signature on every machine. */
const VECTOR = JSON.parse(Deno.readTextFileSync(join(PROJECT, "tests/signing/vector.json")));

Deno.test("the test vector of an independent program is accepted, and refused with another file", async () => {
  const { publicKey, bundle, files } = z.object({
    publicKey: z.string(),
    bundle: z.unknown(),
    files: z.record(z.string(), z.string()),
  }).parse(VECTOR);
  using dir = tempDir();
  writeFiles(dir.path, { ...files, "model.sig": JSON.stringify(bundle) });
  const keys = [{ ...parsePublicKey(publicKey, "vector"), source: "vector" }];
  const signature = join(dir.path, "model.sig");
  await verifyFolder(testContext(), keys, dir.path, signature);
  writeFiles(dir.path, { "sub/b": "other" });
  await assert.rejects(verifyFolder(testContext(), keys, dir.path, signature), {
    code: "SIGNATURE_MISMATCH",
  });
});
