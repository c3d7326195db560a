import { join } from "node:path";
import { expandHome } from "../lib/core/home_folder.ts";
import { absolutePath } from "../lib/core/files.ts";
import { settleAll } from "../lib/core/concurrency.ts";
import { formatAddress, parseListenAddress } from "../lib/daemon/listen_address.ts";
import { stateDirOf } from "../lib/store/store.ts";
import {
  HASH_VARIABLE,
  mayListen,
  PASSWORD_VARIABLE,
  passwordOfEnvironment,
} from "../web/access/password_source.ts";
import { hashPassword, PASSWORD_CHARS_MAX } from "../web/access/password_hash.ts";
import { isLoopbackName } from "../web/access/request_host.ts";
import { localFeed } from "../web/local/local_feed.ts";
import { openDashboard } from "../web/open_dashboard.ts";
import { runJobs } from "../web/jobs.ts";
import { serveDashboard } from "../web/serve.ts";
import { kvFileOf, openKv } from "../web/store/open_kv.ts";
import { changeSettings } from "../web/store/settings_row.ts";
import { watchKvFile } from "../web/store/watch_kv_file.ts";
import { SUMMARIES } from "./_help.ts";
import { type Options, switchOption, textOption } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";
import { type CommandFlags, main, plainCommand, type Program } from "./_command.ts";
import { followSettings, openSession, type PlainSession, type Session } from "./_session.ts";

const LISTEN = "127.0.0.1:8080";

const OPTIONS = {
  listen: textOption({
    group: "Options",
    placeholder: "HOST:PORT",
    brief: "Address to serve on",
    standard: LISTEN,
  }),
  kv: {
    ...textOption({
      group: "Options",
      placeholder: "DATABASE",
      brief: "Database: a file, or a denokv server's URL",
      standard: "dashboard/kv.sqlite3 in the store",
    }),
    isPath: isDatabaseFile,
  },
  setPassword: switchOption({
    group: "Options",
    brief: "Store a password read from standard input, and exit",
  }),
  hashPassword: switchOption({
    group: "Options",
    brief: "Print the hash of a password from standard input",
    note: `for ${HASH_VARIABLE}`,
  }),
} satisfies Options;

type DashboardFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "dashboard",
  command: plainCommand({
    summary: SUMMARIES.dashboard,
    options: OPTIONS,
    operands: NO_OPERANDS,
    keepsVariables: true,
    examples: [
      ["Serve this machine's dashboard to this machine only", "model-sync dashboard"],
      ["Set the password that other machines need", "model-sync dashboard --set-password < password.txt"],
      ["Serve it to the network", "model-sync dashboard --listen 0.0.0.0:8080"],
    ],
    run,
  }),
};

async function run(plain: PlainSession, flags: DashboardFlags): Promise<void> {
  const session = await openSession(plain);
  plain.permissions.giveUp("run");
  const { context } = session;
  if (flags.hashPassword === true) return await printHash(session);
  const listen = parseListenAddress(flags.listen ?? LISTEN, "--listen");
  const place = databaseOf(session, flags);
  using kv = await openKv(place, context.env);
  // Opening a database on a server needs the permission: Deno reads DENO_KV_ACCESS_TOKEN itself.
  plain.permissions.giveUp("env");
  const web = { kv, clock: context.clock, log: context.log };
  if (flags.setPassword === true) return await setPassword(session, kv);
  const setup = { env: context.env, isLoopback: isLoopbackName(listen.hostname), isDeploy: false };
  const followed = followSettings(plain, flags.config, session.settings);
  const readSettings = () => followed.read();
  const readAlerting = async () => ({ context, settings: (await readSettings()).alerts });
  const { app, access, live, dashboard } = openDashboard(web, setup, readAlerting);
  mayListen(listen.hostname, await access.password());
  const server = serveDashboard({
    address: listen,
    serve: (options, handler) => Deno.serve(options, handler),
    log: context.log,
    handler: (request, info) => app.fetch(request, info),
  });
  const url = `http://${formatAddress(server.address)}`;
  session.output.result({ url }, () => [`dashboard: ${url}`]);
  context.log.info("stop it with Ctrl-C or SIGTERM");
  try {
    await untilOneFails(context.signal, [
      (signal) =>
        localFeed(
          { ...context, signal },
          web,
          { location: session.location, readSettings },
          { intake: dashboard.intake, onChange: () => live.poke() },
        ),
      (signal) => runJobs(dashboard, signal),
      (signal) => watchKvFile({ ...context, signal }, kvFileOf(place)),
    ]);
  } finally {
    live.close();
    await server.close();
  }
  context.log.info("dashboard stopped");
}

/** Runs parts until all have ended. If one fails, the signal of the others is aborted. */
async function untilOneFails(
  stop: AbortSignal,
  parts: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failing = new AbortController();
  const signal = AbortSignal.any([stop, failing.signal]);
  await settleAll(parts.map(async (part) => {
    try {
      await part(signal);
    } catch (error) {
      failing.abort(error);
      throw error;
    }
  }));
}

/** Longer input is not a password and is not read. */
const PASSWORD_BYTES_MAX = 4 * PASSWORD_CHARS_MAX + 2;

async function printHash({ output }: Session): Promise<void> {
  const hash = await hashPassword(await readLine(Deno.stdin.readable, PASSWORD_BYTES_MAX));
  output.answer({ hash }, () => [hash]);
}

/** Stores the hash of a password from standard input, which ends the sessions of the previous password. */
async function setPassword({ context, output }: Session, kv: Deno.Kv): Promise<void> {
  const password = await readLine(Deno.stdin.readable, PASSWORD_BYTES_MAX);
  await changeSettings(kv, { passwordHash: await hashPassword(password) });
  context.log.debug("the hash of the password is stored");
  const source = passwordOfEnvironment(context.env);
  if (source !== undefined) {
    context.log.warn(
      "the password of the environment takes precedence over the stored one: " +
        `remove ${HASH_VARIABLE} and ${PASSWORD_VARIABLE} to use the new password`,
    );
  }
  output.result({ changed: true }, () => ["The password is set. Sign in with it at the dashboard."]);
}

/** Returns the first line, without its line end. */
async function readLine(stream: ReadableStream<Uint8Array>, bytesMax: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of stream) {
    text += decoder.decode(piece, { stream: true });
    if (text.includes("\n") || text.length > bytesMax) break;
  }
  return text.split(/\r?\n/, 1)[0] ?? "";
}

/** Returns the file or the address of the database. The default file has a folder of its own: SQLite keeps three files. */
function databaseOf({ context, location }: Session, { kv }: DashboardFlags): string {
  if (kv === undefined) return join(stateDirOf(context.fs, location), "dashboard", "kv.sqlite3");
  return isDatabaseFile(kv) ? absolutePath(context.fs, expandHome(kv, context.env)) : kv;
}

function isDatabaseFile(kv: string): boolean {
  return kv !== ":memory:" && !/^[a-z]+:\/\//i.test(kv);
}

if (import.meta.main) await main(program);
