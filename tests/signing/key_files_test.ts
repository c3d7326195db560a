import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash, generateKeyPairSync, type KeyObject, type KeyPairKeyObjectResult } from "node:crypto";
import { join } from "node:path";
import { UsageError } from "../../lib/core/errors.ts";
import { Secret } from "../../lib/core/secret.ts";
import { configuredSeal, configuredTrust } from "../../lib/signing/configured_keys.ts";
import {
  generateKeyFiles,
  parsePrivateKey,
  parsePublicKey,
  readPrivateKeyFile,
  readPublicKeyFile,
} from "../../lib/signing/key_files.ts";
import { osError } from "../helpers/fake_fs.ts";
import { testKey } from "../helpers/signing.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

const KEY = testKey();

Deno.test("a generated key pair is P-256, only the owner can read its private key, and neither file is ever overwritten", () => {
  using dir = tempDir();
  const [privatePath, publicPath] = [join(dir.path, "new/key.pem"), join(dir.path, "pub.pem")];
  const hint = generateKeyFiles(Deno, privatePath, publicPath);
  if (Deno.build.os !== "windows") assert.equal((Deno.statSync(privatePath).mode ?? 0) & 0o777, 0o600);
  const pem = Deno.readTextFileSync(publicPath);
  assert.equal(hint, createHash("sha256").update(pem).digest("hex"));
  assert.match(pem, /^-----BEGIN PUBLIC KEY-----\n[A-Za-z0-9+/=\n]+-----END PUBLIC KEY-----\n$/);
  const signing = readPrivateKeyFile(Deno, privatePath);
  assert.deepEqual([signing.verification.hint, signing.verification.hash], [hint, "sha256"]);
  assert.equal(readPublicKeyFile(Deno, publicPath).hint, hint);

  const before = Deno.readTextFileSync(privatePath);
  const exists = { code: "FILE_EXISTS", exitCode: 2 };
  assert.throws(() => generateKeyFiles(Deno, privatePath, join(dir.path, "other.pem")), exists);
  assert.throws(() => Deno.statSync(join(dir.path, "other.pem")), Deno.errors.NotFound);
  assert.throws(() => generateKeyFiles(Deno, join(dir.path, "other.pem"), publicPath), exists);
  assert.throws(() => Deno.statSync(join(dir.path, "other.pem")), Deno.errors.NotFound);
  assert.throws(() => generateKeyFiles(Deno, privatePath, publicPath), exists);
  assert.deepEqual([Deno.readTextFileSync(privatePath), Deno.readTextFileSync(publicPath)], [before, pem]);
});

Deno.test("a private key is never in a file that others could read, not even for a moment", () => {
  using dir = tempDir();
  const modes: (number | undefined)[] = [];
  const fs = {
    ...Deno,
    openSync: (path: string | URL, options?: Deno.OpenOptions) => {
      if (options?.createNew) modes.push(options.mode);
      return Deno.openSync(path, options);
    },
  };
  generateKeyFiles(fs, join(dir.path, "key.pem"), join(dir.path, "pub.pem"));
  assert.deepEqual(modes, [0o600, 0o644]);
});

Deno.test("keys are read in PKCS#8 and SEC1, with CRLF, comments and without a final newline, by one hint", () => {
  const { verification, key } = KEY.signing;
  const spellings = [
    KEY.privatePem,
    sec1Of(key),
    KEY.privatePem.replaceAll("\n", "\r\n"),
    `the key of the trainer\n${KEY.privatePem.trimEnd()}`,
  ];
  for (const pem of spellings) {
    assert.equal(parsePrivateKey(new Secret(pem), "key").verification.hint, verification.hint);
  }
  for (
    const pem of [KEY.publicPem, KEY.publicPem.replaceAll("\n", "\r\n"), `# ours\n${KEY.publicPem.trimEnd()}`]
  ) {
    assert.equal(parsePublicKey(pem, "key").hint, verification.hint);
  }
});

/** An EC PRIVATE KEY as openssl writes it (RFC 5915): d, the curve P-256, the point. */
function sec1Of(key: KeyObject): string {
  const { d = "", x = "", y = "" } = key.export({ format: "jwk" });
  const hex = (text: string) => Buffer.from(text, "base64url").toString("hex");
  const der = `30770201010420${hex(d)}a00a06082a8648ce3d030107a14403420004${hex(x)}${hex(y)}`;
  const lines = Buffer.from(der, "hex").toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN EC PRIVATE KEY-----\n${lines.join("\n")}\n-----END EC PRIVATE KEY-----\n`;
}

Deno.test("a file that is not the wanted kind of key is refused with exit code 2 and a description", () => {
  const rsa = pemOf(generateKeyPairSync("rsa", { modulusLength: 2048 }));
  const ed25519 = pemOf(generateKeyPairSync("ed25519"));
  const small = pemOf(generateKeyPairSync("ec", { namedCurve: "P-224" }));
  const encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
  const damaged = KEY.privatePem.replace(/MIG./, "AAAA");
  const privates: readonly (readonly [string, RegExp])[] = [
    ["", /contains no PRIVATE KEY in PEM/],
    ["garbage", /contains no PRIVATE KEY in PEM/],
    [KEY.publicPem, /it is a public key/],
    [
      KEY.privatePem.split("\n").slice(0, 1).join(),
      /its PEM is cut off.*in a \.env file, write its line ends as \\n/,
    ],
    [encrypted, /it is encrypted/],
    [damaged, /it is damaged/],
    [rsa.privateKey, /of the kind rsa, wanted an elliptic curve: P-256, P-384 or P-521/],
    [ed25519.privateKey, /of the kind ed25519/],
    [small.privateKey, /of the kind (secp224r1|p224)/],
  ];
  for (const [text, says] of privates) {
    assert.throws(() => parsePrivateKey(new Secret(text), "key.pem"), (error) => refuses(error, says, text));
  }
  const publics: readonly (readonly [string, RegExp])[] = [
    ["garbage", /contains no PUBLIC KEY in PEM/],
    [KEY.privatePem, /it is a private key, which belongs only on the publishing side/],
    ["-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", /it is a certificate, but only keys/],
    [KEY.publicPem.replace(/MFk./, "AAAA"), /it is damaged/],
    [rsa.publicKey, /of the kind rsa/],
  ];
  for (const [text, says] of publics) {
    assert.throws(() => parsePublicKey(text, "key.pem"), (error) => refuses(error, says, text));
  }
});

function pemOf({ privateKey, publicKey }: KeyPairKeyObjectResult) {
  return {
    privateKey: String(privateKey.export({ type: "pkcs8", format: "pem" })),
    publicKey: String(publicKey.export({ type: "spki", format: "pem" })),
  };
}

function refuses(error: unknown, says: RegExp, secret: string): boolean {
  assert.ok(error instanceof UsageError, String(error));
  assert.match(error.message, says);
  assert.equal(error.code, "KEY_INVALID");
  const [, body = ""] = /-----\n([^-]{20,})/.exec(secret) ?? [];
  assert.ok(body === "" || !error.message.includes(body.slice(0, 20)));
  return error.exitCode === 2 && error.hint !== undefined;
}

Deno.test({
  name: "a private key that other users can read is refused, with a hint",
  ignore: Deno.build.os === "windows",
  fn() {
    using dir = tempDir();
    writeFiles(dir.path, { "key.pem": KEY.privatePem });
    const path = join(dir.path, "key.pem");
    for (const mode of [0o644, 0o640, 0o604, 0o620, 0o601]) {
      Deno.chmodSync(path, mode);
      assert.throws(() => readPrivateKeyFile(Deno, path), {
        code: "KEY_EXPOSED",
        exitCode: 2,
        message: /its mode is 06\d\d, wanted 0600/,
        hint: /chmod 600 .*key\.pem/,
      });
    }
    for (const mode of [0o600, 0o400]) {
      Deno.chmodSync(path, mode);
      assert.equal(readPrivateKeyFile(Deno, path).verification.hint, KEY.trusted.hint);
    }
  },
});

Deno.test("a public key instead of a private one is named as such, whatever its mode", () => {
  using dir = tempDir();
  writeFiles(dir.path, { "key.pem": KEY.publicPem });
  const path = join(dir.path, "key.pem");
  assert.throws(() => readPrivateKeyFile(Deno, path), { code: "KEY_INVALID", message: /it is a public key/ });
});

Deno.test("a key file that is missing, a folder or far too large is refused before it is read", () => {
  using dir = tempDir();
  const missing = { code: "KEY_MISSING", exitCode: 2, message: /there is no such file/ };
  assert.throws(() => readPublicKeyFile(Deno, join(dir.path, "pub.pem")), missing);
  assert.throws(() => readPrivateKeyFile(Deno, join(dir.path, "key.pem")), missing);
  assert.throws(() => readPublicKeyFile(Deno, dir.path), {
    code: "KEY_INVALID",
    message: /it is a folder, not a file/,
  });
  writeFiles(dir.path, { "large.pem": new Uint8Array(64 * 1024 + 1) });
  assert.throws(() => readPublicKeyFile(Deno, join(dir.path, "large.pem")), {
    code: "KEY_INVALID",
    message: /it has 64\.0 KiB, at most 64\.0 KiB are read/,
  });
});

Deno.test("a key file that cannot be opened is named with the reason, and a failing disk is not a missing key", () => {
  const failing = (error: Error) => ({
    ...Deno,
    statSync: () => {
      throw error;
    },
  });
  const denied = failing(osError("EACCES", (message) => new Deno.errors.PermissionDenied(message)));
  for (const read of [readPublicKeyFile, readPrivateKeyFile]) {
    assert.throws(() => read(denied, "key.pem"), {
      code: "KEY_MISSING",
      exitCode: 2,
      message: /^Cannot read the (public|private) key key\.pem: permission denied$/,
    });
    assert.throws(() => read(failing(osError("EIO")), "key.pem"), { code: "EIO" });
  }
});

Deno.test("the environment takes precedence over the key file, with real or escaped line ends", () => {
  using dir = tempDir();
  const other = testKey();
  const path = join(dir.path, "key.pem");
  writeFiles(dir.path, { "key.pem": other.privatePem });
  Deno.chmodSync(path, 0o600);
  const settings = { private_key: path, private_key_env: "SIGNING_KEY", public_keys: [], required: false };
  const hintWith = (value: string | undefined) => {
    const env = fixedEnvironment(value === undefined ? {} : { SIGNING_KEY: value });
    return configuredSeal(testContext({ env }), settings).signer?.keyHint;
  };
  assert.equal(hintWith(KEY.privatePem), KEY.trusted.hint);
  assert.equal(hintWith(KEY.privatePem.replaceAll("\n", "\\n")), KEY.trusted.hint);
  assert.equal(hintWith(undefined), other.trusted.hint);
  assert.throws(
    () => configuredSeal(testContext(), { ...settings, private_key: undefined }),
    { code: "KEY_MISSING", exitCode: 2, message: /the variable SIGNING_KEY is not set/ },
  );
});

Deno.test("trusted keys are paths, with the period in which they are trusted", () => {
  using dir = tempDir();
  writeFiles(dir.path, { "old.pem": KEY.publicPem, "new.pem": testKey().publicPem });
  const [old, young] = configuredTrust(testContext(), {
    public_keys: [
      { path: join(dir.path, "old.pem"), not_after: "2027-01-31T01:00:00+01:00" },
      join(dir.path, "new.pem"),
    ],
    required: true,
  });
  assert.deepEqual([old?.hint, old?.notAfter, old?.notBefore], [
    KEY.trusted.hint,
    new Date("2027-01-31T00:00:00Z"),
    undefined,
  ]);
  assert.equal(young?.source, join(dir.path, "new.pem"));
});

Deno.test("without a configured key, a publisher does not sign", () => {
  const seal = configuredSeal(testContext(), { required: false, public_keys: [] });
  assert.deepEqual(seal, { signer: undefined, validDays: undefined });
});

Deno.test("a key that cannot be written leaves no part of a key pair", () => {
  using dir = tempDir();
  const [privatePath, publicPath] = [join(dir.path, "key.pem"), join(dir.path, "pub.pem")];
  for (const broken of [privatePath, publicPath]) {
    const openSync = (path: string | URL, options?: Deno.OpenOptions) => {
      const file = Deno.openSync(path, options);
      if (path !== broken) return file;
      file.close();
      throw osError("EIO");
    };
    assert.throws(() => generateKeyFiles({ ...Deno, openSync }, privatePath, publicPath), { exitCode: 7 });
    assert.deepEqual(readFiles(dir.path), {});
  }
});

Deno.test("a new key pair survives a power cut: its files and their folder are synced", () => {
  using dir = tempDir();
  const synced: string[] = [];
  const openSync = (path: string | URL, options?: Deno.OpenOptions) => {
    const file = Deno.openSync(path, options);
    return Object.assign(file, { syncSync: () => void synced.push(String(path)) });
  };
  const [privatePath, publicPath] = [join(dir.path, "key.pem"), join(dir.path, "pub.pem")];
  generateKeyFiles({ ...Deno, openSync }, privatePath, publicPath);
  const folder = Deno.build.os === "windows" ? [] : [dir.path];
  assert.deepEqual(synced, [privatePath, ...folder, publicPath, ...folder]);
});
