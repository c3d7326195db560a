/** The stage of the demo: folders that play machines, real commands that are shown, and a narrator. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeAllSync, writeLine } from "../../lib/core/files.ts";

export const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

/** The user's command for Deno; without an installation, npx. */
export const DENO = isInstalled("deno") ? "deno" : `npx -y deno@${Deno.version.deno}`;

/** A folder that plays a machine. */
export interface Machine {
  readonly name: string;
  readonly dir: string;
}

export class DemoError extends Error {}

export function say(text: string): void {
  writeLine(Deno.stdout, text);
}

export function styled(code: number, text: string): string {
  return Deno.stdout.isTerminal() && !Deno.noColor ? `\x1b[${code}m${text}\x1b[0m` : text;
}

let chapters = 0;
export function chapter(title: string): void {
  say(`\n${styled(1, `${++chapters}. ${title}`)}\n`);
}

function showCommand(machine: Machine, command: string): void {
  say(styled(36, `${machine.name}$ ${command}`));
}

/** Runs a command of model-sync on a machine and shows its output. Stops the demo at an unexpected exit code. */
export async function modelSync(
  machine: Machine,
  args: readonly string[],
  expectedCode = 0,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  showCommand(machine, `model-sync ${args.map(quoted).join(" ")}`);
  await run(machine, Deno.execPath(), programArgs(args), expectedCode, env);
}

/**
 * Starts a command of model-sync that runs until it is disposed of. Its output goes to a file of the machine, because
 * it would appear among that of the commands that follow.
 */
export function startModelSync(
  machine: Machine,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  logName: string,
): AsyncDisposable {
  showCommand(machine, `model-sync ${args.join(" ")} > ${logName} 2>&1 &`);
  const child = new Deno.Command(Deno.execPath(), {
    args: programArgs(args),
    cwd: machine.dir,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { ...env },
  }).spawn();
  const logged = [child.stdout, child.stderr].map(async (output) => {
    using file = Deno.openSync(join(machine.dir, logName), { append: true, create: true });
    for await (const piece of output) writeAllSync(file, piece);
  });
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await Promise.all([child.status, ...logged]);
    },
  };
}

/** Returns the arguments that run a command from source, under its own permission set. */
function programArgs([command = "", ...flags]: readonly string[]): string[] {
  const script = join(PROJECT, "cli", `${command.replaceAll("-", "_")}.ts`);
  return [
    "run",
    "-q",
    "--no-prompt",
    "--config",
    join(PROJECT, "deno.json"),
    `-P=${command}`,
    script,
    ...flags,
  ];
}

function quoted(arg: string): string {
  return /[^\w./:=-]/.test(arg) ? `'${arg}'` : arg;
}

export async function git(machine: Machine, ...args: string[]): Promise<void> {
  showCommand(machine, `git ${args.join(" ")}`);
  const identity = ["-c", "user.name=Mallory", "-c", "user.email=mallory@example.org"];
  await run(machine, "git", [...identity, ...args]);
}

export async function run(
  machine: Machine,
  command: string,
  args: readonly string[],
  expectedCode = 0,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const child = new Deno.Command(command, {
    args: [...args],
    cwd: machine.dir,
    stdin: "null",
    env: { ...env },
  })
    .spawn();
  const { code } = await child.status;
  if (code === expectedCode) return;
  throw new DemoError(`${command} ended with exit code ${code}, expected ${expectedCode}`);
}

/** Creates a machine with a `configs/bot.yaml`. Without a training command in the settings, it uses the demo's. */
export function makeMachine(
  root: string,
  name: string,
  settings: Readonly<Record<string, unknown>>,
): Machine {
  const machine = { name, dir: join(root, name) };
  Deno.mkdirSync(join(machine.dir, "configs"), { recursive: true });
  configure(machine, settings);
  return machine;
}

/** Replaces a machine's `configs/bot.yaml`. */
export function configure({ dir }: Machine, settings: Readonly<Record<string, unknown>>): void {
  const train = ["run", "-q", "--no-prompt", "--allow-read", "--allow-write=models"];
  const trainer = join(PROJECT, "configs/demo/train.ts");
  const command = [Deno.execPath(), ...train, "--allow-env=MODEL_SYNC_MODELS_DIR", trainer];
  const lines = Object.entries({ publisher: { train_command: command }, ...settings }).map(([key, value]) =>
    `  ${key}: ${JSON.stringify(value)}\n`
  );
  Deno.writeTextFileSync(join(dir, "configs/bot.yaml"), `model_sync:\n${lines.join("")}`);
}

/** Creates the folder of the demo. */
export function makeRoot(): string {
  return Deno.realPathSync(Deno.makeTempDirSync({ prefix: "model-sync-demo-" }));
}

/** Lists a folder as a consumer sees it, with links followed. */
export function showTree(machine: Machine, folder: string): void {
  const path = join(machine.dir, folder);
  const link = Deno.lstatSync(path).isSymlink ? ` -> ${Deno.readLinkSync(path)}` : "";
  say(`${folder}${link}`);
  const visit = (dir: string, indent: string) => {
    const entries = Array.from(Deno.readDirSync(dir)).sort((a, b) => a.name < b.name ? -1 : 1);
    for (const entry of entries) {
      const inner = join(dir, entry.name);
      if (entry.isDirectory) {
        say(`${indent}${entry.name}/`);
        visit(inner, `${indent}  `);
      } else {
        say(`${indent}${entry.name.padEnd(18)} ${String(Deno.statSync(inner).size).padStart(5)} bytes`);
      }
    }
  };
  visit(path, "  ");
}

/** Flips one bit in the middle of a file. */
export function flipBit(path: string): void {
  const bytes = Deno.readFileSync(path);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  Deno.writeFileSync(path, bytes);
}

function isInstalled(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}
