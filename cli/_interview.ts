import {
  answerProblem,
  type Answers,
  type Life,
  LIFE_NAMES,
  type LifeName,
  LIVES,
  type Question,
  type QuestionName,
} from "../lib/config/lives.ts";
import { InterruptedError, UsageError } from "../lib/core/errors.ts";
import { optionName } from "./_help.ts";
import type { Output } from "./_output.ts";

/** After so many answers that cannot be used, a person needs the help and not the question again. */
const TRIES_MAX = 5;

/** How questions get their answers: from a person, or not at all. */
export interface Interview {
  readonly output: Output;
  readonly signal: AbortSignal;
  /** Whether questions may be asked. */
  readonly asks: boolean;
}

/** Returns the life that a person chooses. @throws {UsageError} code `LIFE_MISSING` without a terminal */
export async function chooseLife({ output, signal, asks }: Interview): Promise<LifeName> {
  if (!asks) {
    throw new UsageError("Cannot create a configuration: the kind of machine is missing", {
      code: "LIFE_MISSING",
      hint: `name what this machine does: model-sync init ${LIFE_NAMES.join("|")}`,
    });
  }
  output.note([
    "What does this machine do?",
    ...LIFE_NAMES.map((name, index) => `  ${index + 1}  ${name.padEnd(WIDTH)}  ${LIVES[name].title}`),
  ]);
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const answer = await listen(output, signal, `Number or name: `);
    const chosen = LIFE_NAMES.find((name, index) => [name, String(index + 1)].includes(answer.toLowerCase()));
    if (chosen !== undefined) return chosen;
    output.note([`  must be a number from 1 to ${LIFE_NAMES.length}, or a name`]);
  }
  throw tooOften();
}

const WIDTH = Math.max(...LIFE_NAMES.map((name) => name.length));

/**
 * Returns the answer to every open question of a life: that of its option, of the person, or the default.
 *
 * @param given the options of the command line
 * @throws {UsageError} code `ANSWER_INVALID` for an option with a wrong value, `ANSWERS_MISSING` without a terminal
 */
export async function interview(
  { output, signal, asks }: Interview,
  name: LifeName,
  given: Answers,
): Promise<Answers> {
  const life = LIVES[name];
  refuseForeign(name, life, given);
  const answers: Partial<Record<QuestionName, string>> = {};
  const missing: QuestionName[] = [];
  for (const question of life.questions) {
    const option = given[question.name];
    if (option !== undefined) answers[question.name] = usable(question, option);
    if (option !== undefined || question.isOpen?.(answers) === false) continue;
    const standard = question.standard(answers);
    const answer = asks ? await askFor(output, signal, question, standard) : standard;
    if (answer === undefined) missing.push(question.name);
    else answers[question.name] = answer;
  }
  if (missing.length === 0) return answers;
  const options = missing.map((name) => optionName(name));
  throw new UsageError(`Cannot create a configuration: ${options.join(" and ")} is missing`, {
    code: "ANSWERS_MISSING",
    hint: `add ${
      options.map((option) => `${option} VALUE`).join(" ")
    }, or run the command at a terminal to be asked`,
  });
}

/** Every option answers one question, and not every life has that question. */
function refuseForeign(name: LifeName, { questions }: Life, given: Answers): void {
  const foreign = Object.keys(given).find((option) =>
    questions.every((question) => question.name !== option)
  );
  if (foreign === undefined) return;
  throw new UsageError(`Cannot use ${optionName(foreign)} with ${name}`, {
    code: "USAGE",
    hint: `${name} takes ${questions.map(({ name }) => optionName(name)).join(", ")}`,
  });
}

function usable(question: Question, answer: string): string {
  const problem = answerProblem(question, answer);
  if (problem === undefined) return answer;
  throw new UsageError(`Cannot use ${optionName(question.name)}: ${problem}`, { code: "ANSWER_INVALID" });
}

async function askFor(
  output: Output,
  signal: AbortSignal,
  question: Question,
  standard: string | undefined,
): Promise<string> {
  const { text, example } = question;
  const shown = standard ?? (example === undefined ? undefined : `such as ${example}`);
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const typed = await listen(output, signal, `${text}${shown === undefined ? "" : ` [${shown}]`}: `);
    const answer = typed === "" ? standard : typed;
    if (answer === undefined) continue;
    const problem = answerProblem(question, answer);
    if (problem === undefined) return answer;
    output.note([`  ${problem}`]);
  }
  throw tooOften();
}

async function listen(output: Output, signal: AbortSignal, question: string): Promise<string> {
  const answer = await output.prompt(question, signal);
  if (answer !== undefined) return answer;
  throw new InterruptedError("Cannot continue: the input ended before every question was answered", {
    code: "INPUT_ENDED",
    hint: "nothing was written; run the command again, or answer with options: model-sync init --help",
  });
}

function tooOften(): UsageError {
  return new UsageError(`Cannot continue: no usable answer in ${TRIES_MAX} tries; nothing was written`, {
    code: "ANSWER_INVALID",
    hint: "answer with options: model-sync init --help",
  });
}
