import { NATIVE_CLASS } from "../rules/torch_rules.ts";

/** Separates tokens. A line that ends with a backslash continues in the next. */
const SPACE = String.raw`[ \t\r\n]+|\\\r?\n|#[^\n]*`;

const TOKEN = new RegExp(`(${SPACE})|(["'])|[A-Za-z_]\\w*|[^\\\\"'#]`, "y");

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

/**
 * In bytecode, opcodes follow the name of an operator, and they may be letters. The name before the colons is matched
 * backwards from them: a search for it would try each letter of a long word.
 */
const FILE_OPERATOR = /::(?<=(\w+)::)((?:\w*_)?(?:save|load|read|write|(?:from_)?file))/;

/** Does the same for bytecode, which is for phones and names each operator by a text: `aten::save`. */
export function findBytecodeProblem(bytecode: string): string | undefined {
  const found = FILE_OPERATOR.exec(bytecode);
  return found === null ? undefined : accesses(`${found[1]}::${found[2]}`);
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
    const [token, space, quote] = found;
    if (quote !== undefined) {
      const end = endOfString(code, found.index);
      if (end === undefined) return undefined;
      TOKEN.lastIndex = end;
    }
    if (space === undefined) tokens.push(quote === undefined ? token : TEXT);
  }
  return tokens;
}

/** The characters that may end a string, or a line in it, or hide its end. */
const STOP = /["'\\\n]/g;

/**
 * Returns the end of a string that begins at an index; `undefined` if it does not end. TorchScript writes strings in double
 * quotes; its reader accepts single and triple quotes, too. An expression for all of a long string would exceed the stack.
 */
function endOfString(code: string, start: number): number | undefined {
  const quote = code.charAt(start);
  const isTriple = code.startsWith(quote.repeat(3), start);
  const closing = isTriple ? quote.repeat(3) : quote;
  STOP.lastIndex = start + closing.length;
  for (let stop = STOP.exec(code); stop !== null; stop = STOP.exec(code)) {
    if (stop[0] === "\\") STOP.lastIndex++;
    else if (code.startsWith(closing, stop.index)) return stop.index + closing.length;
    else if (stop[0] === "\n" && !isTriple) return undefined;
  }
  return undefined;
}

/** Replaces strings, which are not names. */
const TEXT = '""';
