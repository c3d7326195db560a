import { tryModels } from "../lib/validators/onnx/try_models.ts";
import { STARTED, TryRequest } from "../lib/validators/onnx/try_protocol.ts";

/** The models are to be read, and nothing else in the world is there for them. */
const REVOKED = ["net", "run", "write", "env", "sys", "ffi"] as const;

/**
 * The process that tries one model: a request on standard input, an answer on standard output
 * ([`try_protocol.ts`](../lib/validators/onnx/try_protocol.ts)). It is ended from outside when it takes too long.
 */
export async function tryOnnx(): Promise<void> {
  for (const permission of REVOKED) Deno.permissions.revokeSync({ name: permission });
  print(STARTED);
  const request = TryRequest.parse(await new Response(Deno.stdin.readable).json());
  print(JSON.stringify(await tryModels(request)));
}

function print(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  for (let offset = 0; offset < bytes.length;) offset += Deno.stdout.writeSync(bytes.subarray(offset));
}

if (import.meta.main) {
  await tryOnnx();
  Deno.exit(0);
}
