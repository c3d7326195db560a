import { inspectOnnx } from "../../../lib/validators/onnx/inspect_onnx.ts";
import { TrialMemory } from "../../../lib/validators/onnx/trial_memory.ts";
import { testContext } from "../../helpers/test_context.ts";

/** Inspects the ONNX files on its command line, under the permissions of its process. */
for (const location of Deno.args) {
  const { size } = Deno.statSync(location);
  const context = testContext();
  const file = { path: "m.onnx", location, size, sha256: "" };
  const settings = {
    sanity_vectors: 20,
    max_total_variation: 0.2,
    max_kl_divergence: 0.25,
    timeout_seconds: 12,
    structure_only: [],
    expect: [],
  };
  try {
    await inspectOnnx(context, file, {
      folder: { files: [file] },
      active: undefined,
      settings,
      memory: new TrialMemory(2),
    });
    print(context.log.lines.join("\n"));
  } catch (error) {
    print(String(error));
  }
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
