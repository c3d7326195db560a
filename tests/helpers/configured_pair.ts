import { join } from "node:path";
import { writeFiles } from "./temp_dir.ts";
import { bareRepository } from "./test_git.ts";

/** The folders of a trainer and a bot that are configured for one registry, in which nothing is published yet. */
export interface ConfiguredPair {
  readonly registry: string;
  readonly trainer: string;
  readonly bot: string;
}

/** Makes a registry, and a folder with a configuration for each of both, below `root`. */
export function configuredPair(root: string): ConfiguredPair {
  const registry = bareRepository(join(root, "registry.git"));
  const [trainer, bot] = [join(root, "trainer"), join(root, "bot")];
  const settings = { repo_url: registry, publisher: { train_before_push: false } };
  for (const cwd of [trainer, bot]) {
    writeFiles(cwd, { "configs/bot.yaml": JSON.stringify({ model_sync: settings }) });
  }
  return { registry, trainer, bot };
}
