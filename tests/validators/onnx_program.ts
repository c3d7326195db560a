/**
 * A program that inspects the ONNX files that are named on its command line: the part of the executable that has to
 * find ONNX Runtime in itself, and to start itself as the process that loads models.
 */
import { TRY_ONNX } from "../../lib/validators/onnx/onnx_process.ts";

if (Deno.args[0] === TRY_ONNX) {
  const { tryOnnx } = await import("../../cli/_try_onnx.ts");
  await tryOnnx();
} else {
  const { inspectOnnx } = await import("../../lib/validators/onnx/inspect_onnx.ts");
  const { testContext } = await import("../helpers/test_context.ts");
  for (const location of Deno.args) {
    const { size } = Deno.statSync(location);
    const context = testContext();
    const file = { path: "m.onnx", location, size, sha256: "" };
    const settings = {
      sanity_vectors: 20,
      max_total_variation: 0.2,
      max_kl_divergence: 0.25,
      timeout_seconds: 5,
      expect: [],
    };
    try {
      await inspectOnnx(context, file, { folder: { files: [file] }, active: undefined, settings });
      print(context.log.lines.join("\n"));
    } catch (error) {
      print(String(error));
    }
  }
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

Deno.exit(0);
