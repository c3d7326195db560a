/**
 * The main job in a temporary directory, narrated: train and publish, pull on another machine, publish again, refuse
 * what arrives broken, roll back. Each command is the real one, run as a user would.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

/** How the user runs Deno: without an installation it comes through npx. */
const DENO = isInstalled("deno") ? "deno" : `npx -y deno@${Deno.version.deno}`;

/** A folder that plays a server of its own. */
interface Machine {
  readonly name: string;
  readonly dir: string;
}

class DemoError extends Error {}

function say(text: string): void {
  const bytes = new TextEncoder().encode(`${text}\n`);
  let offset = 0;
  while (offset < bytes.length) offset += Deno.stdout.writeSync(bytes.subarray(offset));
}

function styled(code: number, text: string): string {
  return Deno.stdout.isTerminal() && !Deno.noColor ? `\x1b[${code}m${text}\x1b[0m` : text;
}

let chapters = 0;
function chapter(title: string): void {
  say(`\n${styled(1, `${++chapters}. ${title}`)}\n`);
}

function showCommand(machine: Machine, command: string): void {
  say(styled(36, `${machine.name}$ ${command}`));
}

/** Runs a command of model-sync on a machine, with its output; stops the demo if it ends otherwise than expected. */
async function modelSync(machine: Machine, args: readonly string[], expectedCode = 0): Promise<void> {
  showCommand(machine, `model-sync ${args.join(" ")}`);
  const [command = "", ...flags] = args;
  const script = join(PROJECT, "cli", `${command}.ts`);
  await run(
    machine,
    Deno.execPath(),
    ["run", "-q", "--no-prompt", "--config", join(PROJECT, "deno.json"), `-P=${command}`, script, ...flags],
    expectedCode,
  );
}

async function git(machine: Machine, ...args: string[]): Promise<void> {
  showCommand(machine, `git ${args.join(" ")}`);
  const identity = ["-c", "user.name=Mallory", "-c", "user.email=mallory@example.org"];
  await run(machine, "git", [...identity, ...args]);
}

async function run(
  machine: Machine,
  command: string,
  args: readonly string[],
  expectedCode = 0,
): Promise<void> {
  const child = new Deno.Command(command, { args: [...args], cwd: machine.dir, stdin: "null" }).spawn();
  const { code } = await child.status;
  if (code === expectedCode) return;
  throw new DemoError(`${command} ended with exit code ${code}, expected was ${expectedCode}`);
}

function makeMachine(root: string, name: string, registry: string): Machine {
  const dir = join(root, name);
  Deno.mkdirSync(join(dir, "configs"), { recursive: true });
  const train = ["run", "-q", "--no-prompt", "--allow-read", "--allow-write=models"];
  const trainer = join(PROJECT, "configs/demo/train.ts");
  const command = [Deno.execPath(), ...train, "--allow-env=MODEL_SYNC_MODELS_DIR", trainer];
  Deno.writeTextFileSync(
    join(dir, "configs/bot.yaml"),
    `model_sync:
  repo_url: ${JSON.stringify(registry)}
  publisher:
    train_command: ${JSON.stringify(command)}
`,
  );
  return { name, dir };
}

/** Lists a folder as a consumer sees it, links followed. */
function showTree(machine: Machine, folder: string): void {
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

/** Changes one bit in the middle of a file, as a bad disk or a bad hand would. */
function flipBit(path: string): void {
  const bytes = Deno.readFileSync(path);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  Deno.writeFileSync(path, bytes);
}

async function demo(): Promise<void> {
  const startedMs = performance.now();
  const root = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "model-sync-demo-" }));
  say(`Everything happens in ${styled(1, root)}: two machines, and the git repository between them.`);
  const registry = join(root, "registry.git");
  const trainer = makeMachine(root, "trainer", registry);
  const bot = makeMachine(root, "bot", registry);

  chapter("The training server trains three models and publishes them");
  await run(trainer, "git", ["init", "--quiet", "--bare", "--initial-branch=main", registry]);
  await modelSync(trainer, ["publish"]);

  chapter("The bot pulls them");
  await modelSync(bot, ["pull"]);
  say("");
  showTree(bot, "models");
  say("");
  await modelSync(bot, ["status"]);

  chapter("One model is trained again; only what changed travels, the rest is linked");
  await modelSync(trainer, ["publish", "--symbol", "BTC/USDC"]);
  say("");
  await modelSync(bot, ["pull"]);

  chapter("Somebody breaks a model in the registry by one bit; the bot refuses it and keeps what it has");
  const hand: Machine = { name: "mallory", dir: join(root, "mallory") };
  Deno.mkdirSync(hand.dir);
  await git(hand, "clone", "--quiet", registry, ".");
  say(styled(36, "mallory$ # flip one bit of models/ETH_USDC/direction.onnx"));
  flipBit(join(hand.dir, "models/ETH_USDC/direction.onnx"));
  await git(hand, "commit", "--quiet", "--all", "--message", "an improvement");
  await git(hand, "push", "--quiet");
  say("");
  await modelSync(bot, ["pull"], 5);
  say("");
  await modelSync(bot, ["verify", "--deep"]);

  chapter("The new model trades badly; going back takes one command");
  await modelSync(bot, ["rollback"]);
  say("");
  await modelSync(bot, ["status"]);

  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  say(`
${styled(1, `Done in ${seconds} s. What to type next`)}

  Look around:      ls -l ${bot.dir}
  Your own models:  edit configs/bot.yaml: set repo_url, and look at the other settings
                    ${DENO} task doctor              # what is missing, and how to mend it
                    ${DENO} task publish --dry-run   # what would be published
  For every day:    ${DENO} task compile             # builds dist/model-sync, one file to install
  Clean up:         rm -rf ${root}`);
}

function isInstalled(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

if (import.meta.main) {
  try {
    await demo();
  } catch (error) {
    if (!(error instanceof DemoError || error instanceof Deno.errors.NotFound)) throw error;
    say(`\nThe demo stopped: ${error.message}`);
    Deno.exit(1);
  }
}
