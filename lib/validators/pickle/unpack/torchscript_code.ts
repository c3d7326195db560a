import { NATIVE_CLASS } from "../rules/torch_rules.ts";

/** TorchScript writes strings in double quotes; its reader takes single and triple ones as well. */
const STRING = String
  .raw`"""(?:\\[^]|(?!""")[^\\])*"""|'''(?:\\[^]|(?!''')[^\\])*'''|"(?:\\[^]|[^"\\\n])*"|'(?:\\[^]|[^'\\\n])*'`;

/** What separates tokens: a line that ends with a backslash goes on in the next. */
const SPACE = String.raw`[ \t\r\n]+|\\\r?\n|#[^\n]*`;

const TOKEN = new RegExp(`(${SPACE})|(${STRING})|[A-Za-z_]\\w*|[^\\\\"'#]`, "y");

/** Operators that read or write files: of torch itself, and of libraries that register their own with it. */
const FILE_ACCESS = /(^|_)(save|load|read|write|file)(_|$)/;

/** Another name of `torch`. */
const SYNONYM = "autograd";

/** Where classes of C++ are, and as many tokens as the name of one has. */
const NATIVE = "__torch__.torch.classes.";
const NATIVE_TOKENS = 9;

/** Names of attributes, which are declared, and of arguments. */
const GIVES_NAME = new Set([":", "="]);

/**
 * Why code of TorchScript is refused; `undefined` when it only computes. torch's operators are found in `torch` and in
 * `ops`, so both may only be used to name an operator: by a variable for one of them, or by `getattr`, code calls
 * operators without naming them. So are classes of C++ that are neither a layer's nor allowed. Completes "the entry … in it". Source: `SourceImporterImpl` in `torch/csrc/jit/serialization/import_source.cpp`.
 */
export function findCodeProblem(code: string, allowed: readonly string[]): string | undefined {
  const tokens = split(code);
  if (tokens === undefined) return "is not code as TorchScript writes it";
  for (let at = 0; at < tokens.length; at++) {
    const [before, name = "", ...names] = [tokens[at - 1], ...tokens.slice(at, at + 5)];
    if (name === "__torch__") {
      const named = tokens.slice(at, at + NATIVE_TOKENS).join("");
      if (named.startsWith(NATIVE) && !NATIVE_CLASS.test(named) && !allowed.includes(named)) {
        return `uses the class ${named}, which no layer of a model needs`;
      }
    }
    if ((name !== "torch" && name !== "ops") || before === ".") continue;
    if (GIVES_NAME.has(names[0] ?? "")) continue;
    const operator = name === "torch" ? names.slice(0, 2) : names.slice(0, 4);
    const last = operator.at(-1) ?? "";
    const isNamed = operator.every((part, index) => index % 2 === 0 ? part === "." : /^\w+$/.test(part));
    if (!isNamed || operator.includes(SYNONYM)) {
      return `uses ${name} as a value, by which it calls any operator`;
    }
    if (FILE_ACCESS.test(last)) return accesses([name, ...operator].join(""));
  }
  return undefined;
}

/** Operators in bytecode stand before opcodes, which may be letters. */
const FILE_OPERATOR = /\w+::(\w*_)?(save|load|read|write|(from_)?file)/;

/** The same of bytecode for phones, which names each operator by a text: `aten::save`. */
export function findBytecodeProblem(bytecode: string): string | undefined {
  const operator = FILE_OPERATOR.exec(bytecode)?.[0];
  return operator && accesses(operator);
}

function accesses(operator: string): string {
  return `reads or writes files by ${operator}, which no model needs`;
}

/** Words and signs, without texts and comments. */
function split(code: string): readonly string[] | undefined {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < code.length) {
    const found = TOKEN.exec(code);
    if (found === null) return undefined;
    const [token, space, text] = found;
    if (space === undefined) tokens.push(text === undefined ? token : TEXT);
  }
  return tokens;
}

/** Stands for a text, which is no name. */
const TEXT = '""';
