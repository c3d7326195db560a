import { UsageError } from "../lib/core/errors.ts";
import type { ModelSync } from "../lib/config/schema.ts";

/** The dotted path of a setting below `model_sync`. */
export type SettingPath<Section = ModelSync> = Section extends readonly unknown[] ? never
  : Section extends object ? string extends keyof Section ? never
    : {
      [Key in keyof Section & string]: Key | `${Key}.${SettingPath<NonNullable<Section[Key]>>}`;
    }[keyof Section & string]
  : never;

/** The headings below which the help lists options. */
export type OptionGroup =
  | "Options"
  | "Git registry"
  | "Hugging Face"
  | "GitHub Actions"
  | "RunPod job"
  | "References"
  | "Training"
  | "Backend"
  | "Safety"
  | "Configuration and output";

/** What a shell completes a value with: paths, or a list of this machine that `_shells/machine_values.ts` prints. */
export type Completion = "file" | "folder" | MachineList;

/**
 * `releases` are digests and sequence numbers of the store's releases, `compared` also the words for some of them,
 * `replacements` those that a rollback may activate, `runs` the ends of the ids of the last runs.
 */
export type MachineList = "releases" | "replacements" | "compared" | "quarantined" | "runs";

interface OptionFacts {
  readonly group: OptionGroup;
  /** The effect of the option, in at most nine words. */
  readonly brief: string;
  /** The setting that the option replaces for this run. */
  readonly setting?: SettingPath;
  /** The default that the help names. */
  readonly standard?: string | number;
  /** A form or condition that the help adds. */
  readonly note?: string;
  /** Accepted for command lines of earlier programs, and left out of the help. */
  readonly hidden?: true;
  /** The letter of its short form: `q` for `-q`. */
  readonly short?: string;
}

/** An option without a value, such as `--dry-run`. */
export interface SwitchOption extends OptionFacts {
  readonly kind: "switch";
}

/** An option with a value, such as `--config FILE`. */
export interface ValueOption<Value> extends OptionFacts {
  readonly kind: "value";
  readonly placeholder: string;
  readonly choices?: readonly string[];
  readonly completion?: Completion;
  /** Throws an error whose message says what is wrong with the value. */
  readonly parse: (text: string) => Value;
  readonly required?: true;
  /** Each use of the option adds a value. */
  readonly repeatable?: true;
  /** Separates the values of one use. */
  readonly separator?: string;
  /** Returns whether a value is a path on this machine. */
  readonly isPath?: (text: string) => boolean;
}

export type Option = SwitchOption | ValueOption<unknown>;

/** Options by their names in camel case. */
export type Options = Readonly<Record<string, Option>>;

/** The operands after the options. */
export interface Operands<Value> {
  /** As the usage line shows it: `RELEASE`, `[ROLE ...]`; empty for none. */
  readonly usage: string;
  readonly brief: string;
  /** They are paths on this machine. */
  readonly arePaths?: true;
  readonly choices?: readonly string[];
  readonly completion?: Completion;
  readonly parse: (words: readonly string[]) => Value;
}

type ValueOf<Declared> = Declared extends { readonly kind: "switch" } ? boolean
  : Declared extends ValueOption<infer Value>
    ? Declared extends { readonly repeatable: true } ? readonly Value[]
    : Value
  : never;

/** The values of options on a command line, by the options' names. */
export type Flags<Declared> =
  & {
    readonly [Name in keyof Declared as Declared[Name] extends { readonly required: true } ? never : Name]?:
      ValueOf<Declared[Name]>;
  }
  & {
    readonly [Name in keyof Declared as Declared[Name] extends { readonly required: true } ? Name : never]:
      ValueOf<Declared[Name]>;
  };

/** An example: its purpose and its command line. */
export type Example = readonly [does: string, line: string];

/** A command's declaration of its command line. */
export interface Declaration {
  readonly summary: string;
  readonly options: Options;
  readonly operands: Omit<Operands<unknown>, "parse">;
  readonly examples: readonly Example[];
}

type SwitchFacts = Omit<SwitchOption, "kind">;
type ValueFacts = Omit<ValueOption<unknown>, "kind" | "parse" | "choices" | "required" | "repeatable">;

/** Returns an option without a value. */
export function switchOption(facts: SwitchFacts) {
  return { ...facts, kind: "switch" } as const;
}

/** Returns an option with any text as its value. */
export function textOption(facts: ValueFacts) {
  return { ...facts, kind: "value", parse: String } as const;
}

/** Returns an option with a file's path as its value. */
export function fileOption(facts: Omit<ValueFacts, "placeholder">) {
  return {
    ...facts,
    kind: "value",
    placeholder: "FILE",
    completion: "file",
    parse: parsePath,
    isPath: () => true,
  } as const;
}

/** Returns an option with a folder's path as its value. */
export function folderOption(facts: Omit<ValueFacts, "placeholder">) {
  return {
    ...textOption({ ...facts, placeholder: "DIR" }),
    completion: "folder",
    isPath: () => true,
  } as const;
}

function parsePath(text: string): string {
  if (text === "") throw new RangeError("its value must not be empty");
  return text;
}

/** Returns an option with a file's path that has to be given. */
export function requiredFile(facts: Omit<ValueFacts, "placeholder">) {
  return { ...fileOption(facts), required: true } as const;
}

/** Returns an option that may be repeated, for several values. */
export function repeatableOption(facts: ValueFacts) {
  return { ...facts, kind: "value", parse: String, repeatable: true } as const;
}

/** Returns an option whose value is a list in one word, separated by commas. */
export function listOption(facts: ValueFacts) {
  const parse = (text: string) => text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  return { ...facts, kind: "value", parse } as const;
}

/** Returns an option whose value is a JSON object. */
export function jsonOption(facts: Omit<ValueFacts, "placeholder">) {
  return { ...facts, kind: "value", placeholder: "JSON", parse: parseJsonObject } as const;
}

/** Returns an option whose value is a whole number of at least `least`. */
export function integerOption(facts: ValueFacts, least: number) {
  const parse = (text: string) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
      throw new RangeError(`its value must be a whole number of at least ${least}`);
    }
    return value;
  };
  return { ...facts, kind: "value", parse } as const;
}

/** Returns an option whose value is one of the choices. */
export function choiceOption<const Choice extends string>(facts: ValueFacts, choices: readonly Choice[]) {
  const parse = (text: string) => parseChoice(text, choices);
  return { ...facts, kind: "value", choices, parse } as const;
}

function parseJsonObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The text may hold a password, which the parser's message would quote.
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new TypeError("its value must be a JSON object");
}

export function parseChoice<Choice extends string>(text: string, choices: readonly Choice[]): Choice {
  const choice = choices.find((choice) => choice === text);
  if (choice !== undefined) return choice;
  throw new UnknownWord(`its value must be one of ${choices.join(", ")}`, text, choices);
}

/**
 * An unknown word of a command line. The suggestion is added when the error is shown: its code
 * is loaded only then, because it would cost every command 18 ms of processor time.
 */
export class UnknownWord extends UsageError {
  readonly typed: string;
  readonly known: readonly string[];

  constructor(
    message: string,
    typed: string,
    known: readonly string[],
    { code = "USAGE", hint }: { readonly code?: string; readonly hint?: string | undefined } = {},
  ) {
    super(message, { code, hint });
    this.typed = typed;
    this.known = known;
  }
}
