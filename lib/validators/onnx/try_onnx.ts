/**
 * The process that tries one ONNX model, an entry of its own: from source, Deno runs this file; the executable starts
 * itself with {@link TRY_ONNX}, and `cli/main.ts` calls {@link tryOnnx}. `onnx_process.ts` is the side that starts it.
 */

/** The hidden command with which the executable starts itself. */
export const TRY_ONNX = "_try-onnx";

/** Everything but reading, which the models and the runtime's package need. */
const REVOKED = ["net", "run", "write", "env", "sys", "ffi"] as const;

/**
 * Answers one request: reads it from standard input and writes {@link STARTED} and the answer to standard output, a line
 * each (`try_protocol.ts`). The parent kills the process after the time limit.
 */
export async function tryOnnx(): Promise<void> {
  // Loaded only here: cli/main.ts and onnx_process.ts import this file for the name of the command.
  const [{ tryModels }, { STARTED, TryRequest }] = await Promise.all([
    import("./try_models.ts"),
    import("./try_protocol.ts"),
  ]);
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
