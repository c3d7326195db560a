import assert from "node:assert/strict";
import { join } from "node:path";
import type { SignaturePolicy } from "../../lib/pipeline/check_signature.ts";
import type { RemoteRelease } from "../../lib/pipeline/read_remote.ts";
import { remoteWithdrawals } from "../../lib/pipeline/remote_withdrawals.ts";
import { RolledBackError } from "../../lib/pipeline/run_report.ts";
import { type Machine, machine, publishFrom, type PublishSettings, storeOf } from "./machines.ts";
import { MemorySource, pullFrom } from "./memory_source.ts";
import { memoryDir, readFiles, writeFiles } from "./temp_dir.ts";
import { testContext } from "./test_context.ts";
import { bareRepository } from "./test_git.ts";

/** A registry, its trainer and a bot. */
export interface World extends Disposable {
  readonly root: string;
  readonly bare: string;
  readonly trainer: Machine;
  readonly bot: Machine;
}

export function makeWorld(): World {
  const dir = memoryDir();
  const bare = bareRepository(join(dir.path, "registry.git"));
  return {
    root: dir.path,
    bare,
    trainer: machine(dir.path, "trainer", bare),
    bot: machine(dir.path, "bot", bare),
    [Symbol.dispose]: () => dir[Symbol.dispose](),
  };
}

/** Publishes a release with one changed file, and one that no release changes. */
export async function publishVersion(
  { trainer }: Pick<World, "trainer">,
  version: string,
  settings: PublishSettings = {},
): Promise<string> {
  writeFiles(trainer.modelsDir, { "rf.bin": version, "same.bin": "same" });
  return (await publishFrom(testContext(), trainer, settings)).release;
}

export async function withdrawn(work: Promise<unknown>): Promise<RolledBackError> {
  const error = await work.then(() => undefined, (error: unknown) => error);
  assert.ok(error instanceof RolledBackError, String(error));
  assert.deepEqual([error.code, error.exitCode], ["WITHDRAWN", 8]);
  return error;
}

export function versionOf({ modelsDir }: Machine): string | undefined {
  return readFiles(modelsDir)["rf.bin"];
}

/** A machine that pulled a good release and a bad one, and the list that withdraws the latter. */
export async function pulledBad(world: World) {
  const store = storeOf(testContext(), world.bot);
  const [good, bad] = [
    await MemorySource.offering({ "rf.bin": "good" }, 1),
    await MemorySource.offering({ "rf.bin": "bad" }, 2),
  ];
  for (const source of [good, bad]) await pullFrom(testContext(), store, source);
  const at = "2026-11-21T00:00:00Z";
  return { store, good, bad, list: [{ digest: bad.digest, state: "withdrawn", at }] } as const;
}

/** A source about which nothing is known. */
export const NO_REMOTE: RemoteRelease = {
  carrier: "git",
  revision: "",
  digest: null,
  sequence: null,
  createdAt: null,
  files: null,
  signer: null,
  withdrawals: [],
};

/** Returns what `releases --remote` says. */
export async function forecastOf(
  bot: Machine,
  newest: Pick<RemoteRelease, "digest" | "withdrawals">,
  policy: SignaturePolicy,
) {
  const context = testContext();
  const remote = { ...NO_REMOTE, ...newest };
  return await remoteWithdrawals(context, storeOf(context, bot), remote, () => Promise.resolve(policy));
}

export function digestOf(digit: string) {
  return `sha256:${digit.repeat(64)}` as const;
}
