import { LIVES, type TokenNeed } from "../lib/config/lives.ts";
import type { Context } from "../lib/core/context.ts";
import { messageOf } from "../lib/core/errors.ts";
import { UnusableFileError } from "../lib/core/files.ts";
import type { Check } from "../lib/doctor/check.ts";
import { diagnose } from "../lib/doctor/diagnose.ts";
import { UNUSED, useFor } from "../lib/status/machine_use.ts";
import { ignoreNames, namesNotIgnored } from "../lib/git/ignore_names.ts";
import { STATE_DIR_NAME } from "../lib/store/state_entries.ts";
import { main, plainCommand, type Program } from "./_command.ts";
import { SUMMARIES } from "./_help.ts";
import {
  INIT_OPTIONS,
  type InitFlags,
  LIFE_OPERAND,
  planLife,
  type PlannedLife,
  writeConfig,
} from "./_init.ts";
import { openSession, type PlainSession } from "./_session.ts";
import { checkLines } from "./doctor.ts";

export const program: Program = {
  name: "init",
  command: plainCommand({
    summary: SUMMARIES.init,
    options: INIT_OPTIONS,
    operands: LIFE_OPERAND,
    examples: [
      ["Answer a few questions at the terminal", "model-sync init"],
      ["Set up a bot that pulls", "model-sync init git-client --repo-url git@github.com:you/models.git"],
      [
        "Set up a training server",
        "model-sync init git-trainer --repo-url git@github.com:you/models.git --train-command 'python3 train.py'",
      ],
      ["Print the file for a backend", "model-sync init huggingface --repo-id you/models --dry-run"],
    ],
    run: async (plain, flags, operand) => {
      const planned = await planLife(plain, flags, operand);
      if (flags.dryRun === true) await preview(plain, planned);
      else await create(plain, flags, planned);
    },
  }),
};

async function preview({ context, output }: PlainSession, { name, file, text }: PlannedLife): Promise<void> {
  const ignored = await namesNotIgnored(context, SECRET_NAMES);
  output.answer({ dryRun: true, life: name, file, text, ignored }, () => [text.trimEnd()]);
}

async function create(plain: PlainSession, flags: InitFlags, planned: PlannedLife): Promise<void> {
  const { context, output } = plain;
  const { name, answers, file } = planned;
  const ignored = await ignoreSecrets(context);
  const written = writeConfig(context.fs, planned, flags.force === true);
  const life = LIVES[name];
  const session = await openSession(plain);
  const roles = life.role === undefined ? undefined : [life.role];
  const checks = await diagnose({
    ...session,
    isFileNamed: flags.config !== undefined,
    roles,
    use: roles === undefined ? UNUSED : useFor(roles),
  });
  const ok = checks.every(({ status }) => status !== "fail");
  const token = missingToken(context, life.token(answers));
  const options = flags.config === undefined ? "" : ` --config ${flags.config}`;
  const next = nextStep(`${life.next}${options}`, `model-sync doctor${options}`, checks, token);
  const json = {
    life: name,
    file,
    written,
    ignored,
    tokenVariable: token?.variable ?? null,
    doctor: { ok, checks },
    next,
  };
  const mark = output.paint("green", "✓");
  output.result(json, () => [
    ...written.map((path) =>
      `${mark} wrote ${path}${path === file ? "" : ", with which editors check the file"}`
    ),
    ...(ignored.length === 0 ? [] : [`${mark} added ${ignored.join(" and ")} to .gitignore`]),
    ...checkLines(output, checks),
    ...(token === undefined ? [] : [
      `${token.when === undefined ? "" : `${token.when}, `}put ${token.what} into ${token.variable}: ` +
      "in the environment, or in .env",
    ]),
    ...(life.note === undefined ? [] : [life.note(options)]),
    `next: ${next}`,
  ]);
}

/** What a repository must not hold: tokens, and the store. */
const SECRET_NAMES = [".env", `${STATE_DIR_NAME}/`];

/** Makes git ignore them, if the project is in a work tree. @returns the names that were added */
async function ignoreSecrets(context: Context): Promise<string[]> {
  const names = await namesNotIgnored(context, SECRET_NAMES);
  if (names.length === 0) return [];
  try {
    ignoreNames(context.fs, names);
    return names;
  } catch (error) {
    const isRefused = error instanceof UnusableFileError || error instanceof Deno.errors.PermissionDenied;
    if (!isRefused) throw error;
    context.log.warn(`Add ${names.join(" and ")} to .gitignore yourself: ${messageOf(error)}`);
    return [];
  }
}

function missingToken({ env }: Context, token: TokenNeed | undefined): TokenNeed | undefined {
  return token === undefined || (env.get(token.variable) ?? "").trim() !== "" ? undefined : token;
}

/** Returns the next command, after the check where something is missing. */
function nextStep(
  command: string,
  check: string,
  checks: readonly Check[],
  token: TokenNeed | undefined,
): string {
  const isTokenMissing = token !== undefined && token.when === undefined;
  const isSetUp = !isTokenMissing && checks.every(({ status }) => status !== "fail");
  return isSetUp ? command : `${check}, and then ${command}`;
}

if (import.meta.main) await main(program);
