import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import type { Publication, Source } from "../../lib/carriers/carrier.ts";
import type { Context } from "../../lib/core/context.ts";
import { ModelSyncError, RefusedError } from "../../lib/core/errors.ts";
import { NO_SIGNATURES, type SignaturePolicy } from "../../lib/pipeline/check_signature.ts";
import { pull } from "../../lib/pipeline/pull.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import type { Carrier, Digest } from "../../lib/release/manifest.ts";
import type { Seal } from "../../lib/signing/seal.ts";
import { RolledBackError } from "../../lib/pipeline/run_report.ts";
import { readQuarantine } from "../../lib/store/quarantine.ts";
import { findSignature } from "../../lib/store/releases.ts";
import { Staging } from "../../lib/store/staging.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { readWithdrawals } from "../../lib/store/withdrawals.ts";
import {
  PYTHON,
  trainedModels,
  trainedModelsSay,
  useModels,
  WITHOUT_PYTHON,
} from "../helpers/scikit_learn.ts";
import { testKey } from "../helpers/signing.ts";
import { memoryDir, noise, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

export type Files = Readonly<Record<string, string | Uint8Array>>;

/** A registry of a carrier, and the actions that only that carrier's test can do to it. */
export interface RegistryUnderTest extends AsyncDisposable {
  /** Makes exactly these files the newest release, as the carrier's other side does. */
  publish(files: Files, seal?: Seal): Promise<unknown>;
  /**
   * Withdraws a release, as the carrier's other side does. Afterwards these files are the newest release, which was
   * published before.
   */
  withdraw(release: Digest, next: Files, seal?: Seal): Promise<unknown>;
  /** Puts another manifest in the place of the newest release's; the signature stays. */
  replaceManifest(text: string): Promise<void>;
  /** Puts another signature in the place of the newest release's. */
  replaceSignature(text: string): Promise<void>;
  /** Puts other bytes in the place of a published file; the manifest stays. */
  tamper(path: string, content: string): Promise<void>;
  /** Makes the registry unreachable until the function that it returns is called. */
  disconnect(): () => void;
  /** A new source on it, for the machine that has this store. */
  open(context: Context, store: Store, runId: string): Source;
}

/** A registry of a carrier that model-sync publishes to. */
export interface PublisherUnderTest extends RegistryUnderTest {
  /** Publishes exactly these files with the carrier's publisher. */
  publish(files: Files, seal?: Seal): Promise<Publication>;
}

/** A carrier under test. */
export interface CarrierUnderTest<Registry extends RegistryUnderTest = RegistryUnderTest> {
  readonly carrier: Carrier;
  /** Files of the store that only spare requests and bytes, and that a look may therefore leave behind. */
  readonly remembers?: RegExp;
  /** Makes an empty registry; everything that it needs goes below the folder. */
  makeRegistry(root: string): Promise<Registry>;
}

const V1 = { "BTC_USDC/metadata.json": '{"v": 1}', "BTC_USDC/rf.onnx": "one", "shared.bin": "same" };
const V2 = { ...V1, "BTC_USDC/rf.onnx": "two", "ETH_USDC/rf.onnx": "three" };

type Claim<Registry extends RegistryUnderTest> = (
  says: string,
  run: (bench: Bench<Registry>) => Promise<void>,
  options?: { readonly ignore: boolean },
) => void;

function claims<Registry extends RegistryUnderTest>(
  { carrier, remembers, makeRegistry }: CarrierUnderTest<Registry>,
): Claim<Registry> {
  return (says, run, { ignore } = { ignore: false }) =>
    Deno.test({ name: `${carrier}: ${says}`, ignore }, async () => {
      using dir = memoryDir();
      await using registry = await makeRegistry(join(dir.path, "registry"));
      const store = openStore(Deno, { modelsDir: join(dir.path, "bot/models") });
      await run(new Bench(registry, store, remembers));
    });
}

/** Tests the contract of publishers for one carrier. */
export function holdsPublisherContract(carrier: CarrierUnderTest<PublisherUnderTest>): void {
  const claim = claims(carrier);
  claim(
    "publishing equal files sends nothing, and a change increases the sequence by one",
    async ({ registry }) => {
      const first = await registry.publish(V1);
      assert.deepEqual([first.outcome, first.sequence, first.changed, first.previous], [
        "published",
        1,
        3,
        undefined,
      ]);
      const again = await registry.publish(V1);
      assert.deepEqual([again.outcome, again.sequence, again.changed, again.previous], [
        "unchanged",
        1,
        0,
        undefined,
      ]);
      const second = await registry.publish(V2);
      assert.deepEqual([second.outcome, second.sequence, second.changed], ["published", 2, 2]);
      assert.match(second.previous ?? "", /^sha256:[0-9a-f]{64}$/);
    },
  );

  claim("publishing equal files leaves the revision unchanged", async (bench) => {
    await bench.registry.publish(V1);
    const first = await bench.resolve();
    await bench.registry.publish(V1);
    assert.deepEqual(await bench.resolve(), first);
  });

  claim(
    "a new key signs the published release; after that, publishing it sends nothing",
    async (bench) => {
      const { registry } = bench;
      await registry.publish(V1);
      const key = testKey();
      const signed = await registry.publish(V1, key.seal());
      assert.deepEqual([signed.outcome, signed.sequence, signed.changed], ["published", 2, 0]);
      const { hint } = key.trusted;
      assert.equal(signed.signer, hint);
      const revision = await bench.resolve();
      const again = await registry.publish(V1, key.seal());
      assert.deepEqual([again.outcome, again.sequence, again.signer], ["unchanged", 2, hint]);
      assert.deepEqual(await bench.resolve(), revision);
      const rotated = await registry.publish(V1, testKey().seal());
      assert.deepEqual([rotated.outcome, rotated.sequence], ["published", 3]);
    },
  );

  claim(
    "without a key, a publish removes the signature of an earlier release",
    async (bench) => {
      const key = testKey();
      await bench.registry.publish(V1, key.seal());
      await bench.registry.publish(V2);
      assert.equal((await bench.inspect()).claim?.signature, undefined);
      await bench.pull(testContext(), key.optional);
      assert.deepEqual(readFiles(bench.store.modelsDir), V2);
    },
  );
}

/** Tests the contract of sources for one carrier. */
export function holdsContract(carrier: CarrierUnderTest): void {
  const claim = claims(carrier);

  claim("published files arrive byte for byte, with any name and size", async (bench) => {
    const files = {
      "empty.bin": "",
      "deep/er/and/deeper/model.onnx": "x",
      "with space & 'quotes' [1].json": "{}",
      "ünïcödé/模型.bin": "unicode",
      "crlf.txt": "a\r\nb\r\n",
      "large.bin": noise(3 * 1024 * 1024 + 1, 1),
      "equal/one.bin": noise(2 * 1024 * 1024, 2),
      "equal/two.bin": noise(2 * 1024 * 1024, 2),
    };
    await bench.registry.publish(files);
    await bench.pull();
    assert.deepEqual(Object.keys(readFiles(bench.store.modelsDir)), Object.keys(files).sort());
    for (const [path, content] of Object.entries(files)) {
      const expected = typeof content === "string" ? new TextEncoder().encode(content) : content;
      assert.ok(Buffer.from(expected).equals(Deno.readFileSync(join(bench.store.modelsDir, path))), path);
    }
  });

  claim(
    `what scikit-learn stored by joblib and pickle loads where it arrives${WITHOUT_PYTHON}`,
    async (bench) => {
      const names = ["features.pkl", "rf.joblib", "scaler.joblib"];
      const files = names.map((name) => [`BTC_USDC/${name}`, Deno.readFileSync(join(trainedModels(), name))]);
      await bench.registry.publish(Object.fromEntries(files));
      await bench.pull();
      assert.equal(useModels(join(bench.store.modelsDir, "BTC_USDC")), trainedModelsSay());
    },
    { ignore: PYTHON === undefined },
  );

  claim(
    "a revision stays the same until something is published, and differs afterwards",
    async (bench) => {
      await bench.registry.publish(V1);
      const [first, same] = [await bench.resolve(), await bench.resolve()];
      assert.deepEqual(first, same);
      await bench.registry.publish(V2);
      const second = await bench.resolve();
      assert.notEqual(second.id, first.id);
      assert.equal(second.source, first.source);
    },
  );

  claim("resolve() and inspect() leave the store unchanged, once the source is closed", async (bench) => {
    await bench.registry.publish(V1);
    await bench.pull();
    await bench.registry.publish(V2);
    const before = bench.storeFiles();
    {
      await using source = bench.open();
      const offer = await source.inspect(await source.resolve());
      assert.deepEqual(offer.files.map((file) => file.path).sort(), Object.keys(V2).sort());
    }
    assert.deepEqual(bench.storeFiles(), before);
  });

  claim("stage() writes what the store does not hold, and links the rest", async (bench) => {
    await bench.registry.publish(V1);
    await bench.pull();
    await bench.registry.publish(V2);
    await using source = bench.open();
    const offer = await source.inspect(await source.resolve());
    await using staging = new Staging(testContext(), bench.store, "run");
    await source.stage(offer, staging);
    assert.deepEqual(
      Object.fromEntries(staging.files.map((file) => [file.path, file.how])),
      {
        "BTC_USDC/metadata.json": "linked",
        "BTC_USDC/rf.onnx": "written",
        "ETH_USDC/rf.onnx": "written",
        "shared.bin": "linked",
      },
    );
    assert.deepEqual(readFiles(staging.dir), V2);
    assert.deepEqual(readFiles(bench.store.modelsDir), V1);
  });

  claim(
    "bytes that differ from the manifest are refused at each pull, until they are fixed",
    async (bench) => {
      await bench.registry.publish(V1);
      await bench.pull();
      await bench.registry.publish(V2);
      await bench.registry.tamper("BTC_USDC/rf.onnx", "twp");
      for (const _attempt of [1, 2]) {
        await assert.rejects(bench.pull(), (error) => {
          assert.ok(error instanceof RefusedError, String(error));
          assert.match(error.message, /BTC_USDC\/rf\.onnx.*[0-9a-f]{64}.*[0-9a-f]{64}/);
          return error.exitCode === 5;
        });
        assert.deepEqual(readFiles(bench.store.modelsDir), V1);
      }
      await bench.registry.tamper("BTC_USDC/rf.onnx", V2["BTC_USDC/rf.onnx"]);
      await bench.pull();
      assert.deepEqual(readFiles(bench.store.modelsDir), V2);
    },
  );

  claim("an interrupted stage() leaves no files that a second one would trust", async (bench) => {
    await bench.registry.publish(V1);
    await bench.pull();
    await bench.registry.publish({ ...V2, "large.bin": noise(5 * 1024 * 1024, 3) });
    const controller = new AbortController();
    const context = testContext({
      signal: controller.signal,
      fs: {
        ...Deno,
        open: (path, options) => {
          if (/large\.bin$|[/\\]partials[/\\]/.test(String(path))) {
            controller.abort(new RefusedError("enough", { code: "TEST" }));
          }
          return Deno.open(path, options);
        },
      },
    });
    await assert.rejects(bench.pull(context), { code: "TEST" });
    assert.deepEqual(readFiles(bench.store.modelsDir), V1);
    await bench.pull();
    assert.equal(Object.keys(readFiles(bench.store.modelsDir)).length, 5);
    assert.ok(
      Buffer.from(noise(5 * 1024 * 1024, 3)).equals(
        Deno.readFileSync(join(bench.store.modelsDir, "large.bin")),
      ),
    );
  });

  claim("a signed release arrives where signatures are required, with its signature", async (bench) => {
    const key = testKey();
    await bench.registry.publish(V1, key.seal(7));
    const pulled = await bench.pull(testContext(), key.required);
    assert.deepEqual([pulled.outcome, pulled.signer], ["activated", key.trusted.hint]);
    assert.deepEqual(readFiles(bench.store.modelsDir), V1);
    const { release } = await bench.pull(testContext(), key.required);
    const claim = (await bench.inspect()).claim;
    assert.equal(findSignature(bench.store, release), claim?.signature);
    assert.match(claim?.manifest.expiresAt ?? "", /Z$/);
  });

  claim(
    "where signatures are required, unsigned releases are refused and not quarantined",
    async (bench) => {
      const { registry, store } = bench;
      const [key, other] = [testKey(), testKey()];
      await registry.publish(V1, key.seal());
      const old = (await bench.inspect()).claim?.signature ?? "";
      await bench.pull(testContext(), key.required);
      const refused = async (code: string) => {
        for (const _attempt of [1, 2]) {
          await assert.rejects(bench.pull(testContext(), key.required), { code, exitCode: 5 });
          assert.deepEqual(readFiles(store.modelsDir), V1);
        }
        assert.deepEqual(readQuarantine(store), []);
        assert.deepEqual(Array.from(Deno.readDirSync(store.staging)), []);
      };
      await registry.publish(V2);
      await refused("SIGNATURE_MISSING");
      await registry.replaceSignature(old);
      await refused("SIGNATURE_MISMATCH");
      await registry.replaceSignature(old.slice(1));
      await refused("SIGNATURE_INVALID");
      await registry.publish({ ...V2, "more.bin": "more" }, other.seal());
      await refused("SIGNATURE_INVALID");
      await registry.publish({ ...V2, "less.bin": "less" }, key.seal());
      await bench.pull(testContext(), key.required);
      assert.equal(Object.keys(readFiles(store.modelsDir)).length, 5);
    },
  );

  claim("files that differ from a signed manifest are refused", async (bench) => {
    const key = testKey();
    await bench.registry.publish(V1, key.seal());
    await bench.registry.tamper("BTC_USDC/rf.onnx", "0ne");
    await assert.rejects(bench.pull(testContext(), key.required), { code: "DIGEST_MISMATCH", exitCode: 5 });
  });

  claim(
    "where keys are trusted and signatures not required, a wrong signature is refused, and a missing one is logged",
    async (bench) => {
      const key = testKey();
      await bench.registry.publish(V1);
      const context = testContext();
      await bench.pull(context, key.optional);
      assert.deepEqual(readFiles(bench.store.modelsDir), V1);
      assert.match(context.log.lines.join("\n"), /warn .* has no model\.sig; it is accepted/);
      await bench.registry.publish(V2, testKey().seal());
      await assert.rejects(bench.pull(testContext(), key.optional), {
        code: "SIGNATURE_INVALID",
        exitCode: 5,
      });
      assert.deepEqual(readFiles(bench.store.modelsDir), V1);
      await bench.pull();
      assert.deepEqual(readFiles(bench.store.modelsDir), V2);
    },
  );

  claim(
    "a withdrawn release is rolled back by the next pull, with exit code 8, and the pull after it has nothing to do",
    async (bench) => {
      const { registry, store } = bench;
      await registry.publish(V1);
      const { release: before } = await bench.pull();
      await registry.publish(V2);
      const { release } = await bench.pull();
      await registry.withdraw(release, V1);
      await assert.rejects(bench.pull(), (error) => {
        assert.ok(error instanceof RolledBackError, String(error));
        assert.deepEqual([error.code, error.exitCode, error.report.release], ["WITHDRAWN", 8, before]);
        return true;
      });
      assert.deepEqual(readFiles(store.modelsDir), V1);
      assert.equal((await bench.pull()).outcome, "unchanged");
      await registry.publish({ ...V2, "more.bin": "more" });
      assert.equal((await bench.pull()).outcome, "activated");
    },
  );

  claim(
    "where signatures are required, only a trusted key withdraws a release",
    async (bench) => {
      const { registry, store } = bench;
      const key = testKey();
      await registry.publish(V1, key.seal());
      await bench.pull(testContext(), key.required);
      await registry.publish(V2, key.seal());
      const { release } = await bench.pull(testContext(), key.required);
      const { manifest, text } = (await bench.inspect()).claim ?? {};
      assert.ok(manifest !== undefined && text !== undefined);
      const withdrawals = [{ digest: release, state: "withdrawn", at: "2026-11-21T00:00:00Z" }];
      await registry.replaceManifest(formatManifest({ ...manifest, withdrawals }));
      await assert.rejects(bench.pull(testContext(), key.required), {
        code: "SIGNATURE_MISMATCH",
        exitCode: 5,
      });
      await registry.replaceManifest(text);
      assert.deepEqual([readFiles(store.modelsDir), readWithdrawals(store)], [V2, []]);
      await registry.withdraw(release, V1, key.seal());
      await assert.rejects(bench.pull(testContext(), key.required), { code: "WITHDRAWN", exitCode: 8 });
      assert.deepEqual(readFiles(store.modelsDir), V1);
    },
  );

  claim("an unreachable registry is exit code 4, and the error names the request", async (bench) => {
    await bench.registry.publish(V1);
    await bench.pull();
    const reconnect = bench.registry.disconnect();
    await assert.rejects(bench.pull(), (error) => {
      assert.ok(error instanceof ModelSyncError, String(error));
      assert.ok(error.retryable && error.hint !== undefined);
      return error.exitCode === 4;
    });
    assert.deepEqual(readFiles(bench.store.modelsDir), V1);
    reconnect();
    assert.equal((await bench.pull()).outcome, "unchanged");
  });

  claim("a source that is disposed early leaves no files in the store", async (bench) => {
    await bench.registry.publish(V1);
    await bench.pull();
    const before = bench.storeFiles();
    {
      await using _source = bench.open();
    }
    {
      await using source = bench.open();
      await source.resolve();
    }
    assert.deepEqual(bench.storeFiles(), before);
  });
}

/** A registry and one machine that pulls from it. */
class Bench<Registry extends RegistryUnderTest> {
  readonly registry: Registry;
  readonly store: Store;
  readonly #remembers: RegExp | undefined;
  #runs = 0;

  constructor(registry: Registry, store: Store, remembers: RegExp | undefined) {
    this.registry = registry;
    this.store = store;
    this.#remembers = remembers;
  }

  open(context: Context = testContext()): Source {
    return this.registry.open(context, this.store, `contract-${++this.#runs}`);
  }

  async resolve() {
    await using source = this.open();
    return await source.resolve();
  }

  async inspect() {
    await using source = this.open();
    return await source.inspect(await source.resolve());
  }

  async pull(context: Context = testContext(), signatures: SignaturePolicy = NO_SIGNATURES) {
    const store = openStore(context.fs, { modelsDir: this.store.modelsDir });
    return await recordedRun(context, store, { command: "pull", lock: "store", sinks: [] }, async (run) => {
      await using source = this.registry.open(context, store, run.runId);
      return await pull(context, store, source, run, {
        allowDowngrade: false,
        force: false,
        activation: "auto",
        keep: 5,
        signatures,
      });
    });
  }

  /** Every file of the store with its content, but for what only spares requests and bytes. */
  storeFiles(): Record<string, string> {
    const files = Object.entries(readFiles(this.store.root));
    return Object.fromEntries(files.filter(([path]) => this.#remembers?.test(path) !== true));
  }
}

/** Makes a model folder hold exactly these files. */
export function fillModels(modelsDir: string, files: Files): void {
  try {
    Deno.removeSync(modelsDir, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  writeFiles(modelsDir, files);
}
