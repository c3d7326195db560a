import { countingFs, countingSpawn } from "../helpers/counting_fs.ts";
import { fixedKey } from "../helpers/signing.ts";
import { machine, publishFrom, pullTo, rollBack, storeOf } from "../helpers/machines.ts";
import { testContext } from "../helpers/test_context.ts";
import { planPrune, pruneReleases } from "../../lib/pipeline/prune.ts";
import { RolledBackError } from "../../lib/pipeline/rolled_back_error.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";

/**
 * Runs one command on a machine and kills itself before its n-th step that changes the disk or starts a program.
 * Arguments: command, n, root folder, registry. Prints the number of steps when it survives.
 */
const [command, killAt, root = "", registryUrl = ""] = Deno.args;

let steps = 0;
const onStep = () => {
  steps++;
  if (steps === Number(killAt)) Deno.kill(Deno.pid, "SIGKILL");
};

const context = testContext({ fs: countingFs(onStep), spawn: countingSpawn(onStep) });
const trainer = machine(root, "trainer", registryUrl);
const bot = machine(root, "bot", registryUrl);

switch (command) {
  case "publish-signed":
    await publishFrom(context, trainer, { seal: fixedKey().seal() });
    break;
  case "pull-signed":
    await pullTo(context, bot, { signatures: fixedKey().required });
    break;
  case "publish":
    await publishFrom(context, trainer);
    break;
  case "pull":
    await pullTo(context, bot);
    break;
  case "pull-mirror":
    await pullTo(context, bot, { activation: "mirror" });
    break;
  case "pull-guarded":
    await pullTo(context, bot, { safeguards: (await import("./guards.ts")).guards(root) }).catch((error) => {
      // It may be meant to go back.
      if (!(error instanceof RolledBackError)) throw error;
    });
    break;
  case "rollback":
    await rollBack(context, bot);
    break;
  case "prune": {
    const store = storeOf(context, bot);
    await recordedRun(context, store, "prune", async () => {
      await pruneReleases(context, store, planPrune(store, 1));
      return { outcome: "pruned" };
    });
    break;
  }
  default:
    throw new TypeError(`unknown command ${command}`);
}
await new Blob([`${steps}\n`]).stream().pipeTo(Deno.stdout.writable);
