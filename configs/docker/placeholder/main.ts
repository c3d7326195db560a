/**
 * The placeholder of docker-compose.yml for a bot, and for its API. Replace it by your own program, which does the same
 * three things: it loads the models, reloads them on a signed notification, and says which release it serves.
 *
 *     MODEL_SYNC_RELOAD_SECRET=... deno run --allow-read --allow-net --allow-env configs/docker/placeholder/main.ts \
 *       --models-dir models --listen 127.0.0.1:8000
 */
import { parseArgs } from "node:util";
import { EXIT, messageAndHint, messageOf, ModelSyncError, UsageError } from "../../../lib/core/errors.ts";
import { formatAddress, parseListenAddress } from "../../../lib/daemon/listen_address.ts";
import { Consumer } from "./consumer.ts";

const SECRET_VARIABLE = "MODEL_SYNC_RELOAD_SECRET";

function log(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${new Date().toISOString()} ${line}\n`));
}

function readOptions() {
  try {
    return parseArgs({
      options: {
        name: { type: "string", default: "placeholder" },
        "models-dir": { type: "string", default: "models" },
        listen: { type: "string", default: "127.0.0.1:8000" },
      },
    }).values;
  } catch (error) {
    const hint = "the options are --name, --models-dir and --listen";
    throw new UsageError(messageOf(error), { code: "OPTION_UNKNOWN", hint });
  }
}

async function main(): Promise<number> {
  const { name, "models-dir": modelsDir, listen } = readOptions();
  const secret = Deno.env.get(SECRET_VARIABLE)?.trim() ?? "";
  if (secret === "") {
    log(
      `error: ${SECRET_VARIABLE} is not set. Set it to the same value for this program and for model-sync, in .env`,
    );
    return EXIT.usage;
  }
  const address = parseListenAddress(listen, "--listen");
  const consumer = new Consumer({ name, modelsDir, secret, now: Date.now, log });
  await consumer.start();
  const server = Deno.serve({
    ...address,
    onListen: (bound) =>
      log(`${name} listens on http://${formatAddress(bound)}: /version, /healthz, POST /reload`),
    onError: (error) => {
      log(`cannot answer: ${String(error)}`);
      return new Response("internal error\n", { status: 500 });
    },
  }, (request) => consumer.answer(request));
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => {
      log(`stopping on ${signal}`);
      // A second signal finds the server closed already.
      void server.shutdown();
    });
  }
  await server.finished;
  return EXIT.done;
}

try {
  Deno.exit(await main());
} catch (error) {
  log(`error: ${messageAndHint(error)}`);
  Deno.exit(error instanceof ModelSyncError ? error.exitCode : EXIT.failed);
}
