import { NATIVE_CLASS } from "../rules/torch_rules.ts";

/** TorchScript writes strings in double quotes; its reader accepts single and triple quotes, too. */
const STRING = String
  .raw`"""(?:\\[^]|(?!""")[^\\])*"""|'''(?:\\[^]|(?!''')[^\\])*'''|"(?:\\[^]|[^"\\\n])*"|'(?:\\[^]|[^'\\\n])*'`;

/** Separates tokens. A line that ends with a backslash continues in the next. */
const SPACE = String.raw`[ \t\r\n]+|\\\r?\n|#[^\n]*`;

const TOKEN = new RegExp(`(${SPACE})|(${STRING})|[A-Za-z_]\\w*|[^\\\\"'#]`, "y");

/** Operators that read or write files, in torch itself and in libraries that register operators with it. */
const FILE_ACCESS = /(^|_)(save|load|read|write|file)(_|$)/;

/** Code can use this name for `torch`. */
const SYNONYM = "autograd";

/** The prefix of C++ classes, and the number of tokens in the name of one. */
const NATIVE = "__torch__.torch.classes.";
const NATIVE_TOKENS = 9;

/** The tokens behind the names of declared attributes and of arguments. */
const GIVES_NAME = new Set([":", "="]);

/**
 * Returns the problem of TorchScript code; `undefined` if it only computes. torch runs this code, and some of its operators
 * write files. Operators are in `torch` and `ops`, so both may only be used to name one: a variable for them, or `getattr`,
 * would call operators without naming them. C++ classes have to be those of layers, or allowed. The problem completes "the
 * entry … in it". Source: `SourceImporterImpl` in `torch/csrc/jit/serialization/import_source.cpp`.
 */
export function findCodeProblem(code: string, allowed: readonly string[]): string | undefined {
  const tokens = split(code);
  if (tokens === undefined) return "is not code in the form of TorchScript";
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
      return `uses ${name} as a value, which allows it to call any operator`;
    }
    if (FILE_ACCESS.test(last)) return accesses([name, ...operator].join(""));
  }
  return undefined;
}

/** In bytecode, opcodes follow the name of an operator, and they may be letters. */
const FILE_OPERATOR = /\w+::(\w*_)?(save|load|read|write|(from_)?file)/;

/** Does the same for bytecode, which is for phones and names each operator by a text: `aten::save`. */
export function findBytecodeProblem(bytecode: string): string | undefined {
  const operator = FILE_OPERATOR.exec(bytecode)?.[0];
  return operator && accesses(operator);
}

function accesses(operator: string): string {
  return `reads or writes files by ${operator}, which no model needs`;
}

/** Returns the words and signs, without strings and comments. */
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

/** Replaces strings, which are not names. */
const TEXT = '""';
