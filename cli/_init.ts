import { dirname, join } from "node:path";
import { APPSETTINGS_FILE } from "../lib/config/appsettings.ts";
import { jsonSchema } from "../lib/config/keys.ts";
import { type Answers, LIFE_NAMES, type LifeName, lifeSettings, LIVES } from "../lib/config/lives.ts";
import { renderShort, SCHEMA_FILE } from "../lib/config/starter.ts";
import { diskError, UsageError } from "../lib/core/errors.ts";
import { type FileSystem, findEntry } from "../lib/core/files.ts";
import { replaceFile } from "../lib/core/replace_file.ts";
import { isGitPath } from "../lib/core/local_path.ts";
import { systemFault } from "../lib/core/system_fault.ts";
import type { CommandFlags } from "./_command.ts";
import { choiceOperand } from "./_arguments.ts";
import { choiceOption, type Operands, type Options, switchOption, textOption } from "./_declaration.ts";
import { chooseLife, interview } from "./_interview.ts";
import { DEFAULT_CONFIG_FILE } from "./_options.ts";
import { projectOf } from "./_project.ts";
import type { PlainSession } from "./_session.ts";

/** The options that answer questions, by the questions' names. */
const ANSWER_OPTIONS = {
  repoUrl: {
    ...textOption({ group: "Git registry", placeholder: "URL", brief: "Address of the registry" }),
    isPath: isGitPath,
  },
  tokenEnv: textOption({
    group: "Git registry",
    placeholder: "VARIABLE",
    brief: "Variable that holds the registry's token",
    note: "none: use the machine's credentials",
  }),
  trainCommand: textOption({
    group: "Training",
    placeholder: "COMMAND",
    brief: "Command that trains",
    note: "none: another program trains",
  }),
  endpoint: textOption({
    group: "RunPod job",
    placeholder: "ENDPOINT",
    brief: "Endpoint's id, or the address that starts a job",
  }),
  repository: textOption({
    group: "GitHub Actions",
    placeholder: "OWNER/NAME",
    brief: "Repository whose workflow trains",
  }),
  workflow: textOption({
    group: "GitHub Actions",
    placeholder: "WORKFLOW",
    brief: "The workflow's file name",
    standard: "any",
  }),
  repoId: textOption({
    group: "Hugging Face",
    placeholder: "OWNER/NAME",
    brief: "Model repository on the hub",
  }),
  primaryUrl: textOption({
    group: "References",
    placeholder: "URL",
    brief: "Address of the PRIMARY server, with or without /api",
  }),
  referenceOwner: textOption({
    group: "References",
    placeholder: "NAME",
    brief: "Owner of the reference repositories, such as your forks",
    standard: "Haidra-Org",
  }),
} satisfies Options;

/** Options of the commands that create a configuration file. */
export const INIT_OPTIONS = {
  life: choiceOption({ group: "Options", placeholder: "KIND", brief: "What this machine does" }, LIFE_NAMES),
  yes: switchOption({ group: "Options", brief: "Ask nothing, and use defaults" }),
  dryRun: switchOption({ group: "Options", brief: "Print the file, and change nothing" }),
  force: switchOption({ group: "Options", brief: "Replace files that exist" }),
  ...ANSWER_OPTIONS,
} satisfies Options;

export type InitFlags = CommandFlags<typeof INIT_OPTIONS>;

const ONE_LIFE = choiceOperand("KIND", `What this machine does: ${LIFE_NAMES.join(", ")}`, LIFE_NAMES);

/** The life as an operand. */
export const LIFE_OPERAND: Operands<LifeName | undefined> = {
  ...ONE_LIFE,
  usage: `[${ONE_LIFE.usage}]`,
  parse: (words) => words.length === 0 ? undefined : ONE_LIFE.parse(words),
};

/** A configuration file that is to be written. */
export interface PlannedFile {
  readonly file: string;
  readonly text: string;
}

/** The file of a life. */
export interface PlannedLife extends PlannedFile {
  readonly name: LifeName;
  readonly answers: Answers;
}

/** Returns the file for the answers of the command line and of the person at the terminal. Nothing is written. */
export async function planLife(
  plain: PlainSession,
  flags: InitFlags,
  operand: LifeName | undefined,
): Promise<PlannedLife> {
  const { context, output } = plain;
  refuseOtherProject(context.fs, flags);
  const file = await newFile(plain, flags);
  const asking = { output, signal: context.signal, asks: output.canAsk && flags.yes !== true };
  const name = lifeOf(flags, operand) ?? await chooseLife(asking);
  const answers = await interview(asking, name, givenAnswers(flags));
  const { modelsDir, stateDir } = flags;
  const settings = {
    ...(modelsDir === undefined ? {} : { models_dir: modelsDir }),
    ...(stateDir === undefined ? {} : { state_dir: stateDir }),
    ...lifeSettings(LIVES[name], answers),
  };
  return { name, answers, file, text: renderShort(settings) };
}

/** The file holds the answers as they were typed, so relative paths in them have to start at its project. */
function refuseOtherProject(fs: FileSystem, { config }: InitFlags): void {
  if (config === undefined) return;
  const project = projectOf(fs.cwd(), config);
  if (project === fs.cwd()) return;
  throw new UsageError(`Cannot create ${config} from here: its project is ${project}`, {
    code: "OTHER_PROJECT",
    hint: findEntry(fs, project) === undefined
      ? `create the folder ${project} and run the command in it`
      : `run the command in ${project}`,
  });
}

function lifeOf({ life }: InitFlags, operand: LifeName | undefined): LifeName | undefined {
  if (life === undefined || operand === undefined || life === operand) return life ?? operand;
  throw new UsageError(`Cannot use --life ${life} with ${operand}: a file is for one life`, {
    code: "USAGE",
  });
}

function givenAnswers(flags: InitFlags): Answers {
  const given = new Map<string, unknown>(Object.entries(flags));
  const names = Object.keys(ANSWER_OPTIONS).filter((name) => given.get(name) !== undefined);
  return Object.fromEntries(names.map((name) => [name, String(given.get(name))]));
}

/**
 * Returns the path of the configuration file that a command may create.
 *
 * @throws {UsageError} code `FILE_EXISTS`
 */
export async function newFile(
  { context: { fs }, load }: PlainSession,
  flags: Pick<InitFlags, "config" | "force" | "dryRun">,
): Promise<string> {
  const file = flags.config ?? DEFAULT_CONFIG_FILE;
  if (flags.force === true || flags.dryRun === true) return file;
  if (findEntry(fs, file) !== undefined) {
    throw new UsageError(`Cannot create ${file}: it exists`, {
      code: "FILE_EXISTS",
      hint:
        "add the lines that --dry-run prints to it, name another file with --config, or replace it with --force",
    });
  }
  await refuseHidingAppsettings(file, flags, load);
  return file;
}

/** A bot's `appsettings.json` is read only while the default file is missing. */
async function refuseHidingAppsettings(
  file: string,
  flags: Pick<InitFlags, "config">,
  load: PlainSession["load"],
): Promise<void> {
  if (flags.config !== undefined) return;
  const { file: read, origins, githubToken } = await load();
  const ofFile = [...origins.values(), ...githubToken === undefined ? [] : [githubToken.origin]];
  if (read === undefined || !ofFile.some(({ kind }) => kind === "file")) return;
  throw new UsageError(
    `Cannot create ${file}: ${APPSETTINGS_FILE} holds settings, and would no longer be read`,
    {
      code: "FILE_EXISTS",
      hint: `${APPSETTINGS_FILE} is enough: model-sync doctor checks it; to create the file, use --force`,
    },
  );
}

/**
 * Writes a configuration file and, if it is missing, the schema beside it.
 *
 * @returns the paths of what was written
 * @throws {DiskError} naming the configuration file
 */
export function writeConfig(fs: FileSystem, { file, text }: PlannedFile, force: boolean): string[] {
  const schema = join(dirname(file), SCHEMA_FILE);
  try {
    fs.mkdirSync(dirname(file), { recursive: true });
    const writesSchema = force || findEntry(fs, schema) === undefined;
    if (writesSchema) replaceFile(fs, schema, `${JSON.stringify(jsonSchema(), undefined, 2)}\n`);
    // Last: a command that is killed before can be run again.
    replaceFile(fs, file, text);
    return writesSchema ? [file, schema] : [file];
  } catch (error) {
    const action = `write ${file}`;
    throw systemFault(diskError(error, action), action);
  }
}
