import { join } from "node:path";
import { GitSource } from "../../lib/carriers/git_source.ts";
import { machine, publishFrom, withdrawFrom } from "../helpers/machines.ts";
import { writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository, clone, commitAll, git } from "../helpers/test_git.ts";
import {
  type CarrierUnderTest,
  fillModels,
  holdsContract,
  holdsPublisherContract,
  type PublisherUnderTest,
} from "./carrier_contract.ts";

const GIT: CarrierUnderTest<PublisherUnderTest> = {
  carrier: "git",
  makeRegistry: (root) => {
    const bare = bareRepository(join(root, "registry.git"));
    const trainer = machine(root, "trainer", bare);
    const hand = clone(bare, join(root, "hand"));
    const replace = (name: string, text: string) => {
      git(hand, "pull", "--quiet", "origin", "main");
      writeFiles(hand, { [name]: text });
      commitAll(hand);
      return Promise.resolve();
    };
    return Promise.resolve({
      publish: async (files, seal) => {
        fillModels(trainer.modelsDir, files);
        return (await publishFrom(testContext(), trainer, { allowShrink: true, seal })).publication;
      },
      withdraw: async (release, _next, seal) => await withdrawFrom(testContext(), trainer, release, { seal }),
      replaceManifest: (text) => replace("model-sync.json", text),
      replaceSignature: (text) => replace("model.sig", text),
      tamper: (path, content) => {
        git(hand, "pull", "--quiet", "origin", "main");
        writeFiles(join(hand, "models"), { [path]: content });
        commitAll(hand);
        return Promise.resolve();
      },
      disconnect: () => {
        Deno.renameSync(bare, `${bare}.gone`);
        return () => Deno.renameSync(`${bare}.gone`, bare);
      },
      open: (context, store, runId) =>
        new GitSource(context, {
          registry: machine(root, "bot", bare).registry,
          subdir: "models",
          allowDirtyWorktree: false,
          allowDowngrade: false,
          resetToRemote: false,
          owner: { runId, command: "pull", host: context.host },
          scratch: join(store.staging, `${runId}-objects`),
        }, store),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
};

holdsContract(GIT);
holdsPublisherContract(GIT);
