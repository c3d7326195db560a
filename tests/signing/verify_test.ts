import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { RefusedError } from "../../lib/core/errors.ts";
import { claimedSigner } from "../../lib/signing/claimed_signer.ts";
import { verifyFiles } from "../../lib/signing/verify_files.ts";
import {
  bundleOf,
  KEY,
  type Layer,
  resource,
  RESOURCES,
  statementOf,
  type Tampering,
  verifyTampered,
} from "./oms_folder.ts";
import { hasCurve, testKey } from "../helpers/signing.ts";

const OTHER = testKey();

type Refusal = Tampering & { readonly code?: string; readonly says: RegExp };

/** A layer without one of its fields. */
function without(layer: Layer, field: string): Layer {
  return Object.fromEntries(Object.entries(layer).filter(([name]) => name !== field));
}

/** Each resource list has its correct root digest, so that only the tested problem is refused. */
function withResources(resources: readonly Layer[]): Tampering {
  return { statement: () => statementOf(resources) };
}

function withSerialization(changed: Layer): Tampering {
  return {
    statement: (statement) => {
      const { predicate } = statement;
      return {
        ...statement,
        predicate: { ...predicate, serialization: { ...predicate.serialization, ...changed } },
      };
    },
  };
}

function withSignature(change: (sig: string) => string): Tampering {
  return {
    bundle: (bundle) => {
      const signatures = bundle.dsseEnvelope.signatures.map(({ sig }) => ({ sig: change(String(sig)) }));
      return { ...bundle, dsseEnvelope: { ...bundle.dsseEnvelope, signatures } };
    },
  };
}

function withPayload(change: (payload: string) => string): Tampering {
  return {
    bundle: (bundle) => {
      const payload = change(String(bundle.dsseEnvelope.payload));
      return { ...bundle, dsseEnvelope: { ...bundle.dsseEnvelope, payload } };
    },
  };
}

const [first = {}, ...rest] = RESOURCES;

const REFUSED: Readonly<Record<string, Refusal>> = {
  "a file of git that was signed and is missing": {
    statement: () => coveringGit(),
    code: "SIGNATURE_MISMATCH",
    says: /\.github\/ci\.yml was signed and is missing/,
  },
  "a file that is not JSON": { text: (text) => text.slice(0, -1), says: /it is not JSON/ },
  "JSON that is no object": { text: () => "[]", says: /: it: .*expected object/ },
  "a bundle without a media type": { bundle: (bundle) => without(bundle, "mediaType"), says: /mediaType/ },
  "a bundle without verification material": {
    bundle: (bundle) => without(bundle, "verificationMaterial"),
    says: /verificationMaterial/,
  },
  "a bundle without an envelope": {
    bundle: (bundle) => without(bundle, "dsseEnvelope"),
    says: /dsseEnvelope/,
  },
  "an envelope without a payload": {
    bundle: (bundle) => ({ ...bundle, dsseEnvelope: without(bundle.dsseEnvelope, "payload") }),
    says: /dsseEnvelope\.payload/,
  },
  "an envelope without a payload type": {
    bundle: (bundle) => ({ ...bundle, dsseEnvelope: without(bundle.dsseEnvelope, "payloadType") }),
    says: /dsseEnvelope\.payloadType/,
  },
  "an envelope without signatures": {
    bundle: (bundle) => ({ ...bundle, dsseEnvelope: without(bundle.dsseEnvelope, "signatures") }),
    says: /dsseEnvelope\.signatures/,
  },
  "another media type": {
    bundle: (bundle) => ({ ...bundle, mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.3" }),
    says: /media type is .*, wanted application\/vnd\.dev\.sigstore\.bundle\.v0\.3\+json/,
  },
  "another payload type": {
    bundle: (bundle) => ({ ...bundle, dsseEnvelope: { ...bundle.dsseEnvelope, payloadType: "text/plain" } }),
    says: /payload is of type "text\/plain", wanted application\/vnd\.in-toto\+json/,
  },
  "another kind of statement": {
    statement: (statement) => ({ ...statement, _type: "https://in-toto.io/Statement/v0.1" }),
    says: /_type/,
  },
  "another kind of predicate": {
    statement: (statement) => ({ ...statement, predicateType: "https://slsa.dev/provenance/v1" }),
    says: /predicateType/,
  },
  "no signature": {
    bundle: (bundle) => ({ ...bundle, dsseEnvelope: { ...bundle.dsseEnvelope, signatures: [] } }),
    says: /has 0 signatures, wanted one/,
  },
  "several signatures": {
    bundle: (bundle) => {
      const { signatures } = bundle.dsseEnvelope;
      return {
        ...bundle,
        dsseEnvelope: { ...bundle.dsseEnvelope, signatures: [...signatures, ...signatures] },
      };
    },
    says: /has 2 signatures, wanted one/,
  },
  "a certificate where a key is wanted": {
    bundle: (bundle) => ({ ...bundle, verificationMaterial: { certificate: { rawBytes: "MIIB" } } }),
    says: /made with a certificate, but only signatures by a key are supported/,
  },
  "a certificate chain where a key is wanted, also beside a key": {
    bundle: (bundle) => ({
      ...bundle,
      verificationMaterial: { ...bundle.verificationMaterial, x509CertificateChain: { certificates: [] } },
    }),
    says: /made with a certificate/,
  },
  "a bundle that names no key": {
    bundle: (bundle) => ({ ...bundle, verificationMaterial: { tlogEntries: [] } }),
    says: /does not say which key/,
  },
  "the hint of another key, although the signature is right": {
    bundle: (bundle) => ({
      ...bundle,
      verificationMaterial: { publicKey: { hint: OTHER.trusted.hint } },
    }),
    says: /made by the key "[0-9a-f]{64}", which is not trusted here/,
  },
  "a key that only the bundle brings along": {
    key: OTHER,
    trusts: [KEY.trusted],
    bundle: (bundle) => ({
      ...bundle,
      verificationMaterial: {
        publicKey: {
          rawBytes: Buffer.from(OTHER.publicPem).toString("base64"),
          keyDetails: "PKIX_ECDSA_P256_SHA_256",
        },
      },
    }),
    says: /which is not trusted here/,
  },
  "another key's signature under a trusted hint": {
    key: OTHER,
    trusts: [KEY.trusted],
    bundle: (bundle) => ({ ...bundle, verificationMaterial: { publicKey: { hint: KEY.trusted.hint } } }),
    says: /not a signature by test\.pem/,
  },
  "a signature that fails under every trusted key, where no hint is given": {
    key: OTHER,
    trusts: [KEY.trusted, testKey("P-384").trusted],
    bundle: (bundle) => ({ ...bundle, verificationMaterial: { publicKey: {} } }),
    says: /not a signature by test\.pem, test\.pem/,
  },
  "no trusted key at all": { trusts: [], says: /not trusted here/ },
  "a signature with a bit flipped": {
    ...withSignature((sig) => {
      const bytes = Buffer.from(sig, "base64");
      bytes[20] = (bytes[20] ?? 0) ^ 1;
      return bytes.toString("base64");
    }),
    says: /not a signature by/,
  },
  "a signature that is no DER": { ...withSignature(() => "AAAA"), says: /not a signature by/ },
  "a signature as raw r and s": {
    ...withSignature(() => Buffer.alloc(64, 7).toString("base64")),
    says: /not a signature by/,
  },
  "a signature that is no base64": {
    ...withSignature(() => "no base64!"),
    says: /its signature is not base64/,
  },
  "an empty signature": { ...withSignature(() => ""), says: /its signature is not base64/ },
  "base64 without its padding": {
    ...withPayload((payload) => `${payload.replace(/=+$/, "")}x`),
    says: /its payload is not base64/,
  },
  "base64 with another alphabet": {
    ...withSignature(() => "MEUC_-8="),
    says: /its signature is not base64/,
  },
  "a payload with one byte changed": {
    ...withPayload((payload) => {
      const text = Buffer.from(payload, "base64").toString().replace("a.onnx", "b.onnx");
      return Buffer.from(text).toString("base64");
    }),
    says: /not a signature by/,
  },
  "a payload that was parsed and written again": {
    ...withPayload((payload) =>
      Buffer.from(JSON.stringify(JSON.parse(Buffer.from(payload, "base64").toString()), undefined, 1))
        .toString("base64")
    ),
    says: /not a signature by/,
  },
  "a statement that is not UTF-8": {
    layout: (statement) => {
      const bytes = Buffer.from(JSON.stringify(statement));
      bytes[bytes.indexOf("models")] = 0xff;
      return bytes;
    },
    says: /its statement is not UTF-8/,
  },
  "a statement that is not JSON": { layout: () => "{", says: /its statement is not JSON/ },
  "no subject": { statement: (statement) => ({ ...statement, subject: [] }), says: /subject/ },
  "two subjects": {
    statement: (statement) => ({ ...statement, subject: [...statement.subject, ...statement.subject] }),
    says: /subject/,
  },
  "a subject without a name": {
    statement: (statement) => ({
      ...statement,
      subject: statement.subject.map((subject) => ({ ...subject, name: "" })),
    }),
    says: /subject\.0\.name/,
  },
  "a root digest that its files do not give": {
    statement: (statement) => ({
      ...statement,
      subject: [{ name: "models", digest: { sha256: "0".repeat(64) } }],
    }),
    says: /its root digest is 0{64}, but its files give [0-9a-f]{64}/,
  },
  "no predicate": { statement: (statement) => without(statement, "predicate"), says: /predicate/ },
  "no serialization": {
    statement: (statement) => ({ ...statement, predicate: without(statement.predicate, "serialization") }),
    says: /predicate\.serialization/,
  },
  "no resources": {
    statement: (statement) => ({ ...statement, predicate: without(statement.predicate, "resources") }),
    says: /predicate\.resources/,
  },
  "an empty list of resources": { ...withResources([]), says: /predicate\.resources/ },
  "an unknown method": { ...withSerialization({ method: "blocks" }), says: /method: is "blocks"/ },
  "shards, which are not supported": {
    ...withSerialization({ method: "shards", shard_size: 1_000_000_000 }),
    says: /method: is "shards"; only whole files \("files"\) are supported/,
  },
  "an unknown hash": { ...withSerialization({ hash_type: "blake2b" }), says: /hash_type/ },
  "an ignored path that climbs": { ...withSerialization({ ignore_paths: ["../x"] }), says: /ignore_paths/ },
  "an ignored path that is everything": {
    ...withSerialization({ ignore_paths: ["."] }),
    says: /ignore_paths/,
  },
  "a digest in capitals": {
    ...withResources([{ ...first, digest: String(first["digest"]).toUpperCase() }, ...rest]),
    says: /resources\.0\.digest: is not a lower-case SHA-256/,
  },
  "a digest that is too short": {
    ...withResources([{ ...first, digest: "abcd" }, ...rest]),
    says: /resources\.0\.digest/,
  },
  "another algorithm": {
    ...withResources([{ ...first, algorithm: "sha1" }, ...rest]),
    says: /resources\.0\.algorithm/,
  },
  "a name that is absolute": {
    ...withResources([...RESOURCES, resource("/etc/passwd", "x")]),
    says: /"\/etc\/passwd"/,
  },
  "a name that climbs": {
    ...withResources([...RESOURCES, resource("sub/../../x", "x")]),
    says: /"sub\/\.\.\/\.\.\/x"/,
  },
  "a name with a part that stays": {
    ...withResources([...RESOURCES, resource("./a", "x")]),
    says: /"\.\/a"/,
  },
  "a name that ends with a slash": { ...withResources([...RESOURCES, resource("a/", "x")]), says: /"a\/"/ },
  "a listed file that is missing": {
    folder: (dir) => Deno.removeSync(`${dir}/sub/b.bin`),
    code: "SIGNATURE_MISMATCH",
    says: /sub\/b\.bin was signed and is missing/,
  },
  "a listed file that is different": {
    folder: (dir) => Deno.writeTextFileSync(`${dir}/a.onnx`, "two"),
    code: "SIGNATURE_MISMATCH",
    says: /a\.onnx has SHA-256 [0-9a-f]{64}, the signature has [0-9a-f]{64}/,
  },
  "a name that is listed twice, once with another digest": {
    ...withResources([...RESOURCES, resource("a.onnx", "two")]),
    code: "SIGNATURE_MISMATCH",
    says: /a\.onnx has SHA-256/,
  },
  "a name that differs by case alone": {
    ...withResources([...rest, resource("A.onnx", "one")]),
    code: "SIGNATURE_MISMATCH",
    says: /A\.onnx was signed and is missing/,
  },
  "a file that is not listed": {
    folder: (dir) => Deno.writeTextFileSync(`${dir}/sub/extra`, ""),
    code: "SIGNATURE_MISMATCH",
    says: /sub\/extra was not signed/,
  },
  "a .git that is not at the root": {
    folder: (dir) => {
      Deno.mkdirSync(`${dir}/sub/.git`);
      Deno.writeTextFileSync(`${dir}/sub/.git/config`, "");
    },
    code: "SIGNATURE_MISMATCH",
    says: /sub\/\.git\/config was not signed/,
  },
  "a symbolic link, wherever it leads": {
    folder: (dir) => Deno.symlinkSync("a.onnx", `${dir}/link`),
    code: "FOLDER_UNFIT",
    says: /"link" is a symbolic link/,
  },
  "a symbolic link in the place of a file with the very bytes": {
    folder: (dir) => {
      Deno.renameSync(`${dir}/a.onnx`, `${dir}/.git`);
      Deno.symlinkSync(".git", `${dir}/a.onnx`);
    },
    code: "FOLDER_UNFIT",
    says: /"a\.onnx" is a symbolic link/,
  },
};

for (const [what, { code = "SIGNATURE_INVALID", says, ...tampering }] of Object.entries(REFUSED)) {
  Deno.test(`a verifier refuses ${what}`, async () => {
    await assert.rejects(verifyTampered(tampering), (error) => {
      assert.ok(error instanceof RefusedError, String(error));
      assert.match(error.message, says);
      assert.equal(error.code, code);
      return error.exitCode === 5 && error.hint !== undefined;
    });
  });
}

function withKeyid(change: (signature: Layer) => Layer): Tampering {
  return {
    bundle: (bundle) => ({
      ...bundle,
      dsseEnvelope: { ...bundle.dsseEnvelope, signatures: bundle.dsseEnvelope.signatures.map(change) },
    }),
  };
}

/** A signature that covers files of git, which are otherwise left out. */
function coveringGit(): unknown {
  const statement = statementOf([
    resource(".github/ci.yml", "on: push"),
    resource(".gitignore", "*"),
    ...RESOURCES,
  ]);
  return {
    ...statement,
    predicate: {
      ...statement.predicate,
      serialization: { ...statement.predicate.serialization, ignore_paths: [] },
    },
  };
}

const P384 = testKey("P-384");
const HAS_P521 = hasCurve("P-521");

const ACCEPTED: Readonly<Record<string, Tampering>> = {
  "what was signed": {},
  "a keyid that is absent": withKeyid((signature) => without(signature, "keyid")),
  "a keyid that is null": withKeyid((signature) => ({ ...signature, keyid: null })),
  "transparency log entries that are absent": {
    bundle: (bundle) => ({
      ...bundle,
      verificationMaterial: without(bundle.verificationMaterial, "tlogEntries"),
    }),
  },
  "any name of the subject": {
    statement: (statement) => ({
      ...statement,
      subject: statement.subject.map((subject) => ({ ...subject, name: "模型 of somebody" })),
    }),
  },
  "fields of a resource that it does not know": withResources(
    RESOURCES.map((resource) => ({ ...resource, size: 3, annotations: {} })),
  ),
  "ignored paths that are absent": withSerialization({ ignore_paths: undefined }),
  "a payload in any JSON layout": {
    layout: (statement) => ` ${JSON.stringify(statement, undefined, "\t")}\n`,
  },
  "files in any order": withResources(RESOURCES.toReversed()),
  "a name that is listed twice, both times right": withResources([...RESOURCES, first]),
  "the hint of releases before 1.1, the key in base64": {
    bundle: (bundle) => ({
      ...bundle,
      verificationMaterial: {
        publicKey: {
          rawBytes: Buffer.from(KEY.publicPem).toString("base64"),
          keyDetails: "PKIX_ECDSA_P256_SHA_256",
        },
        tlogEntries: [],
      },
    }),
  },
  "no hint at all": { bundle: (bundle) => ({ ...bundle, verificationMaterial: { publicKey: {} } }) },
  "one of several trusted keys": { trusts: [OTHER.trusted, KEY.trusted] },
  "a key on P-384, with SHA-384": { key: P384 },
  "what git keeps at the root": {
    folder: (dir) => {
      Deno.mkdirSync(`${dir}/.git/refs`, { recursive: true });
      Deno.writeTextFileSync(`${dir}/.git/refs/main`, "1");
      Deno.writeTextFileSync(`${dir}/.gitignore`, "");
      Deno.writeTextFileSync(`${dir}/.gitattributes`, "");
    },
  },
  "what git keeps at the root, of a signer that names no ignored path": {
    ...withSerialization({ ignore_paths: [] }),
    folder: (dir) => Deno.writeTextFileSync(`${dir}/.gitignore`, ""),
  },
  "a file of git that the signer covers": {
    statement: () => coveringGit(),
    folder: (dir) => {
      Deno.writeTextFileSync(`${dir}/.gitignore`, "*");
      Deno.mkdirSync(`${dir}/.github`);
      Deno.writeTextFileSync(`${dir}/.github/ci.yml`, "on: push");
    },
  },
  "a path that the signer left out, with all that is in it": {
    ...withSerialization({ ignore_paths: ["cache"] }),
    folder: (dir) => {
      Deno.mkdirSync(`${dir}/cache/deep`, { recursive: true });
      Deno.writeTextFileSync(`${dir}/cache/deep/x`, "");
    },
  },
  "an empty folder beside the files": { folder: (dir) => Deno.mkdirSync(`${dir}/nothing`) },
};

for (const [what, tampering] of Object.entries(ACCEPTED)) {
  Deno.test(`a verifier accepts ${what}`, async () => {
    await assert.doesNotReject(verifyTampered(tampering));
  });
}

Deno.test({
  name: `a verifier accepts a key on P-521, with SHA-512${HAS_P521 ? "" : " (this runtime has no P-521)"}`,
  ignore: !HAS_P521,
  fn: () => verifyTampered({ key: testKey("P-521") }),
});

Deno.test("a flipped bit anywhere in a signature is refused, or changes nothing of what was signed", () => {
  const text = JSON.stringify(bundleOf(KEY, JSON.stringify(statementOf(RESOURCES))));
  const bytes = new TextEncoder().encode(text);
  const right = verifyFiles(text, [KEY.trusted], new Date(), "it").resources;
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 7 }), (index, bit) => {
      const flipped = bytes.slice();
      flipped[index] = (flipped[index] ?? 0) ^ (1 << bit);
      try {
        const { resources } = verifyFiles(new TextDecoder().decode(flipped), [KEY.trusted], new Date(), "it");
        assert.deepEqual(resources, right);
      } catch (error) {
        assert.ok(error instanceof RefusedError, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a verifier refuses any content of a signature file with its own error", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      assert.throws(() => verifyFiles(text, [KEY.trusted], new Date(), "it"), RefusedError);
    }),
    { numRuns: 500 },
  );
});

Deno.test("a key is trusted in its period by the verifier's clock, whatever the signature says", () => {
  const text = JSON.stringify(bundleOf(KEY, JSON.stringify(statementOf(RESOURCES))));
  const ranged = {
    ...KEY.trusted,
    notBefore: new Date("2026-01-01T00:00:00Z"),
    notAfter: new Date("2026-12-31T00:00:00Z"),
  };
  const verifyAt = (time: string) => verifyFiles(text, [ranged], new Date(time), "it");
  for (const time of ["2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z", "2026-12-31T00:00:00Z"]) {
    assert.equal(verifyAt(time).key.hint, KEY.trusted.hint);
  }
  assert.throws(() => verifyAt("2025-12-31T23:59:59Z"), {
    code: "SIGNATURE_INVALID",
    message: /test\.pem is only trusted from 2026-01-01T00:00:00Z/,
  });
  assert.throws(() => verifyAt("2026-12-31T00:00:01Z"), {
    code: "SIGNATURE_INVALID",
    message: /test\.pem is no longer trusted since 2026-12-31T00:00:00Z/,
  });
});

Deno.test("a key that cannot verify at all is no reason to accept a signature", () => {
  const text = JSON.stringify(bundleOf(KEY, JSON.stringify(statementOf(RESOURCES))));
  // The runtime throws for this kind of key, which `verify` does not support.
  const unable = { ...KEY.trusted, key: generateKeyPairSync("x25519").publicKey };
  assert.throws(() => verifyFiles(text, [unable], new Date(), "it"), {
    code: "SIGNATURE_INVALID",
    message: /not a signature by test\.pem/,
  });
  assert.equal(verifyFiles(text, [unable, KEY.trusted], new Date(), "it").key, KEY.trusted);
});

Deno.test("the claimed signer is the hint of the key, or says that there is no signature, no hint or no bundle", () => {
  const bundle = bundleOf(KEY, JSON.stringify(statementOf(RESOURCES)));
  assert.equal(claimedSigner(JSON.stringify(bundle)), KEY.trusted.hint);
  const nameless = { ...bundle, verificationMaterial: { publicKey: {} } };
  assert.equal(claimedSigner(JSON.stringify(nameless)), "a key without a hint");
  assert.equal(claimedSigner("garbage"), "unreadable");
  assert.equal(claimedSigner(undefined), null);
});
