import { messageOf, UsageError } from "../lib/core/errors.ts";
import { pathFrom } from "../lib/core/local_path.ts";
import { optionName } from "./_help.ts";
import {
  type Completion,
  type Flags,
  type Operands,
  type Option,
  type Options,
  UnknownWord,
  type ValueOption,
} from "./_declaration.ts";

/** A parsed command line. */
export interface Arguments<Declared, Operand> {
  readonly flags: Flags<Declared>;
  readonly operand: Operand;
}

/** The operands of a command that takes none. */
export const NO_OPERANDS: Operands<undefined> = {
  usage: "",
  brief: "",
  parse: ([word]) => {
    if (word === undefined) return undefined;
    throw usageError(`Cannot use the argument ${shown(word)}: the command takes options only`);
  },
};

/** Returns the declaration of one folder that has to be given. */
export function oneFolder(placeholder: string, brief: string): Operands<string> {
  return { ...oneOperand(placeholder, brief, { completion: "folder" }), arePaths: true };
}

/** Returns the declaration of one operand that has to be given. */
export function oneOperand(
  placeholder: string,
  brief: string,
  { completion, choices }: Pick<Operands<string>, "completion" | "choices"> = {},
): Operands<string> {
  return {
    usage: placeholder,
    brief,
    ...(completion === undefined ? {} : { completion }),
    ...(choices === undefined ? {} : { choices }),
    parse: ([word, excess]) => {
      if (word === undefined) throw missing(placeholder, choices);
      if (excess === undefined) return word;
      throw usageError(`Cannot use the argument ${shown(excess)}: the command takes one ${placeholder}`);
    },
  };
}

/** Returns the declaration of one operand that is one of the choices. */
export function choiceOperand<const Choice extends string>(
  placeholder: string,
  brief: string,
  choices: readonly Choice[],
): Operands<Choice> {
  const { parse, ...one } = oneOperand(placeholder, brief, { choices });
  return {
    ...one,
    parse: (words) => {
      const text = parse(words);
      const choice = choices.find((choice) => choice === text);
      if (choice !== undefined) return choice;
      const message = `Cannot use the ${placeholder} ${shown(text)}: it must be one of ${choices.join(", ")}`;
      throw new UnknownWord(message, text, choices);
    },
  };
}

/** Returns the declaration of one operand that may be left out. */
export function optionalOperand(
  placeholder: string,
  brief: string,
  completion: Completion,
): Operands<string | undefined> {
  return {
    usage: `[${placeholder}]`,
    brief,
    completion,
    parse: ([word, excess]) => {
      if (excess === undefined) return word;
      throw usageError(`Cannot use the argument ${shown(excess)}: the command takes one ${placeholder}`);
    },
  };
}

/**
 * Returns what a command line says, checked against the declared options. Both `--name VALUE` and `--name=VALUE` are
 * understood, `-qv` for `-q -v`, camel case as in `--dryRun`, and `--` before operands that begin with a dash.
 *
 * @param startedIn the folder in which relative paths start, if that is not the working directory
 * @throws {UsageError} code `USAGE` for the first mistake
 */
export function parseArguments<Declared extends Options, Operand>(
  { options, operands }: { readonly options: Declared; readonly operands: Operands<Operand> },
  args: readonly string[],
  startedIn?: string,
): Arguments<Declared, Operand> {
  const at: Placed = (text) => startedIn === undefined ? text : pathFrom(startedIn, text);
  const scanned = scan(options, args);
  const flags: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(options)) {
    const uses = scanned.uses.get(name);
    if (uses !== undefined) flags[name] = valueOf(name, option, uses, at);
  }
  const operand = operands.parse(operands.arePaths ? scanned.words.map(at) : scanned.words);
  if (hasRequired(options, flags)) return { flags, operand };
  const [name, option] = Object.entries(options).find(([name, option]) => isMissing(option, flags[name])) ??
    ["", undefined];
  throw missing(`${optionName(name)}${placeholderOf(option)}`, choicesOf(option));
}

/** Returns a path as the command uses it. */
type Placed = (path: string) => string;

/** A use of an option: `undefined` is the value of one that has none. */
type Use = string | undefined;

interface Scanned {
  readonly uses: ReadonlyMap<string, readonly Use[]>;
  readonly words: readonly string[];
}

/** Splits a command line into uses of options and other words. */
function scan(options: Options, args: readonly string[]): Scanned {
  const scanned = new Scanner(options);
  const waiting = args[Symbol.iterator]();
  const next = () => {
    const { done, value } = waiting.next();
    return done === true ? undefined : value;
  };
  for (let word = next(); word !== undefined; word = next()) {
    if (word === "--") scanned.words.push(...waiting);
    else if (word.startsWith("--")) scanned.long(word, next);
    else if (word.startsWith("-") && word !== "-") scanned.short(word, next);
    else scanned.words.push(word);
  }
  return scanned;
}

class Scanner implements Scanned {
  readonly uses = new Map<string, Use[]>();
  readonly words: string[] = [];
  readonly #options: Options;
  readonly #names: ReadonlyMap<string, string>;

  constructor(options: Options) {
    this.#options = options;
    const forms = ([name, { short }]: [string, Option]): [string, string][] => [
      [`--${name}`, name],
      [optionName(name), name],
      ...(short === undefined ? [] : [[`-${short}`, name] as [string, string]]),
    ];
    this.#names = new Map(Object.entries(options).flatMap(forms));
  }

  /** Reads `--name`, `--name=VALUE`, or `--name` with its value in the next word. */
  long(word: string, next: () => string | undefined): void {
    const [typed = ""] = /^--[^=]+/.exec(word) ?? [word];
    const inline = typed === word ? undefined : word.slice(typed.length + 1);
    this.#use(typed, inline, next);
  }

  /** Reads `-q`, `-n VALUE`, `-nVALUE`, or several switches as in `-qv`. */
  short(word: string, next: () => string | undefined): void {
    for (let index = 1; index < word.length; index++) {
      const typed = `-${word[index]}`;
      const rest = word.slice(index + 1);
      if (!this.#takesValue(typed) || rest === "") this.#use(typed, undefined, next);
      else return this.#use(typed, rest, next);
    }
  }

  #use(typed: string, inline: string | undefined, next: () => string | undefined): void {
    const name = this.#names.get(typed);
    if (name === undefined) throw unknownOption(typed, this.#options);
    const value = inline ?? (this.#takesValue(typed) ? next() : undefined);
    if (inline === undefined) refuseOption(name, this.#options[name], value);
    this.uses.set(name, [...this.uses.get(name) ?? [], value]);
  }

  #takesValue(typed: string): boolean {
    return this.#options[this.#names.get(typed) ?? ""]?.kind === "value";
  }
}

/** An option where a value is expected: the value was forgotten. A text such as `--no more warmup` is a value. */
const OPTION_LIKE = /^(?:--[a-z][\w.-]*(?:=.*)?|--|-[a-z]+)$/is;

function refuseOption(name: string, option: Option | undefined, value: string | undefined): void {
  if (value === undefined || !OPTION_LIKE.test(value)) return;
  const typed = optionName(name);
  throw usageError(
    `Cannot use ${typed}: its value${placeholderOf(option)} is missing, ${shown(value)} follows`,
    `write a value that begins with a dash as ${typed}=VALUE`,
  );
}

function valueOf(name: string, option: Option, uses: readonly Use[], at: Placed): unknown {
  const typed = optionName(name);
  if (uses.length > 1 && !(option.kind === "value" && option.repeatable)) {
    throw usageError(`Cannot use ${typed} twice: it may be given only once`);
  }
  if (option.kind === "switch") return switchValue(typed, uses[0]);
  const values = uses.flatMap((use) => {
    if (use === undefined) {
      const among = amongChoices(option.choices);
      throw usageError(`Cannot use ${typed}: its value ${option.placeholder} is missing${among}`);
    }
    return option.separator === undefined ? [use] : use.split(option.separator);
  }).map((text) => parseValue(typed, option, option.isPath?.(text) ? at(text) : text));
  return option.repeatable ? values : values[0];
}

function parseValue(typed: string, option: ValueOption<unknown>, text: string): unknown {
  try {
    return option.parse(text);
  } catch (cause) {
    const message = `Cannot use ${typed}: ${messageOf(cause)}`;
    throw cause instanceof UnknownWord
      ? new UnknownWord(message, cause.typed, cause.known)
      : usageError(message);
  }
}

/** Scripts may say `--json=true`. */
function switchValue(typed: string, value: Use): boolean {
  if (value === undefined || /^(?:true|t|yes|y|on|1)$/i.test(value)) return true;
  if (/^(?:false|f|no|n|off|0)$/i.test(value)) return false;
  throw usageError(`Cannot use ${typed}=${shown(value)}: the option takes no value`);
}

/** The options that earlier versions had: a script that uses one was not mistyped. */
const REMOVED_OPTIONS: ReadonlySet<string> = new Set(["--xet"]);

function unknownOption(typed: string, options: Options): UsageError {
  if (REMOVED_OPTIONS.has(typed)) return usageError(`Cannot use ${typed}: the option was removed`);
  const known = Object.entries(options).flatMap(([name, { hidden }]) => hidden ? [] : [optionName(name)]);
  const text = typed.length > SHOWN_MAX ? `${typed.slice(0, SHOWN_MAX)}…` : typed;
  const message = `Cannot use ${text}: there is no such option`;
  return typed.startsWith("--")
    ? new UnknownWord(message, optionName(typed.slice(2)), known)
    : usageError(message);
}

/** Whether every required option has a value: then the values, which the options' own parsers made, are complete. */
function hasRequired<Declared extends Options>(
  options: Declared,
  flags: object & Readonly<Record<string, unknown>>,
): flags is Flags<Declared> & Readonly<Record<string, unknown>> {
  return Object.entries(options).every(([name, option]) => !isMissing(option, flags[name]));
}

function isMissing(option: Option, value: unknown): boolean {
  return option.kind === "value" && option.required === true && value === undefined;
}

function placeholderOf(option: Option | undefined): string {
  return option?.kind === "value" ? ` ${option.placeholder}` : "";
}

function choicesOf(option: Option | undefined): readonly string[] | undefined {
  return option?.kind === "value" ? option.choices : undefined;
}

/** Returns the error for an operand or an option that has to be given. */
export function missing(name: string, choices?: readonly string[]): UsageError {
  return usageError(`Cannot run the command: ${name} is missing${amongChoices(choices)}`);
}

function amongChoices(choices: readonly string[] | undefined): string {
  return choices === undefined ? "" : `: it must be one of ${choices.join(", ")}`;
}

const SHOWN_MAX = 60;

function shown(text: string): string {
  return JSON.stringify(text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text);
}

function usageError(message: string, hint?: string): UsageError {
  return new UsageError(message, { code: "USAGE", ...(hint === undefined ? {} : { hint }) });
}
