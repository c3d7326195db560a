import assert from "node:assert/strict";
import { join } from "node:path";
import { type Machine, machine, publishFrom, type PublishSettings } from "./machines.ts";
import { writeFiles } from "./temp_dir.ts";
import { testContext } from "./test_context.ts";
import { bareRepository, git } from "./test_git.ts";

export const MODELS = { "BTC/rf.joblib": "one", "BTC/metadata.json": "{}", "ETH/rf.joblib": "eth" };

export function newTrainer(
  root: string,
  files: Readonly<Record<string, string | Uint8Array>> = MODELS,
): Machine {
  const trainer = machine(root, "trainer", bareRepository(join(root, "registry.git")));
  writeFiles(trainer.modelsDir, files);
  return trainer;
}

export function registryOf(trainer: Machine): string {
  return trainer.registry.repoUrl ?? "";
}

export async function assertRefused(
  trainer: Machine,
  code: string,
  exitCode: number,
  settings: PublishSettings = {},
): Promise<void> {
  const before = git(registryOf(trainer), "rev-parse", "--all");
  await assert.rejects(publishFrom(testContext(), trainer, settings), { code, exitCode });
  assert.equal(git(registryOf(trainer), "rev-parse", "--all"), before);
}
