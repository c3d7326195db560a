import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { ORT_PACKAGE } from "../../lib/validators/onnx/ort_package.ts";

/** A model that returns a probability, and its features. */
const Question = z.object({ model: z.array(z.number()), features: z.array(z.number()) });
type Question = z.infer<typeof Question>;

/** ONNX Runtime has a configuration and a lock file of its own, and therefore needs a process of its own. */
const CONFIG = fileURLToPath(new URL("../../lib/validators/onnx/deno.json", import.meta.url));

/** Computes models with ONNX Runtime. @returns the probability of each */
export async function infer(questions: readonly Question[]): Promise<number[]> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-prompt", "--allow-read", "--config", CONFIG, fileURLToPath(import.meta.url)],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [{ code, stdout, stderr }] = await Promise.all([
    process.output(),
    new Blob([JSON.stringify(questions)]).stream().pipeTo(process.stdin),
  ]);
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return z.array(z.number()).length(questions.length).parse(JSON.parse(new TextDecoder().decode(stdout)));
}

/** The process: reads the questions from standard input, and prints the probabilities. */
async function answer(): Promise<void> {
  const { InferenceSession, Tensor }: typeof import("onnxruntime-common") = await import(ORT_PACKAGE);
  const probabilities: number[] = [];
  for (const { model, features } of z.array(Question).parse(await new Response(Deno.stdin.readable).json())) {
    const session = await InferenceSession.create(Uint8Array.from(model));
    const tensor = new Tensor("float32", Float32Array.from(features), [1, features.length]);
    const { probability_up } = await session.run({ features: tensor });
    probabilities.push(Number(probability_up?.data[0]));
    await session.release();
  }
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(probabilities)));
}

if (import.meta.main) {
  await answer();
  Deno.exit(0);
}
