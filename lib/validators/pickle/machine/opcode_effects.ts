import { type PickleValue, UNKNOWN } from "../pickle_value.ts";
import { type OpcodeName, PROTOCOL_MAX } from "./opcodes.ts";
import type { PickleMachine } from "./pickle_machine.ts";
import { closeDtype } from "./pickle_stack.ts";

/** The effect of an opcode with its argument. */
export type Effect = (machine: PickleMachine, argument: PickleValue) => void;

const constant: Effect = (machine, argument) => machine.push(argument);
const extension: Effect = (machine, code) => machine.extension(Number(code));
const fill: Effect = (machine) => machine.extend(machine.popToMark());

/** The effect of each opcode on the machine. The walk does the rest for STOP, FRAME and BUILD, which concern the stream. */
export const EFFECTS: Readonly<Record<OpcodeName, Effect>> = {
  PROTO: checkProtocol,
  FRAME: () => {},
  STOP: () => {},

  MARK: (machine) => machine.mark(),
  POP: (machine) => machine.discard(),
  POP_MARK: (machine) => void machine.popToMark(),
  DUP: duplicate,

  NONE: (machine) => machine.push(null),
  NEWTRUE: (machine) => machine.push(true),
  NEWFALSE: (machine) => machine.push(false),
  INT: number,
  LONG: number,
  LONG1: constant,
  LONG4: constant,
  BININT: constant,
  BININT1: constant,
  BININT2: constant,
  FLOAT: number,
  BINFLOAT: constant,
  STRING: writtenText,
  BINSTRING: constant,
  SHORT_BINSTRING: constant,
  UNICODE: writtenText,
  BINUNICODE: constant,
  BINUNICODE8: constant,
  SHORT_BINUNICODE: constant,
  BINBYTES: constant,
  BINBYTES8: constant,
  SHORT_BINBYTES: constant,
  BYTEARRAY8: constant,

  EMPTY_TUPLE: (machine) => machine.push(machine.tuple([])),
  TUPLE1: (machine) => machine.push(machine.tuple([machine.pop()])),
  TUPLE2: pushPair,
  TUPLE3: pushTriple,
  TUPLE: (machine) => machine.push(machine.tuple(machine.popToMark())),
  EMPTY_LIST: (machine) => machine.push(machine.list()),
  EMPTY_SET: (machine) => machine.push(machine.set()),
  EMPTY_DICT: (machine) => machine.push(machine.dict()),
  LIST: pushList,
  FROZENSET: (machine) => machine.push(machine.frozen(machine.popToMark())),
  DICT: pushDict,
  APPEND: (machine) => machine.extend([machine.pop()]),
  APPENDS: fill,
  ADDITEMS: (machine) => machine.addItems(machine.popToMark()),
  SETITEM: setItem,
  SETITEMS: (machine) => machine.setItems(machine.popToMark()),

  GET: recall,
  BINGET: recall,
  LONG_BINGET: recall,
  PUT: remember,
  BINPUT: remember,
  LONG_BINPUT: remember,
  MEMOIZE: (machine) => machine.rememberNext(),

  GLOBAL: (machine, argument) => machine.push(importLines(machine, argument)),
  STACK_GLOBAL: importFromStack,
  EXT1: extension,
  EXT2: extension,
  EXT4: extension,
  PERSID: (machine) => machine.persistent(),
  BINPERSID: usePersistent,
  REDUCE: reduce,
  INST: instantiate,
  OBJ: instantiateFromStack,
  NEWOBJ: makeObject,
  NEWOBJ_EX: makeObjectWithNames,
  BUILD: (machine) => machine.build(machine.pop()),

  NEXT_BUFFER: (machine) => {
    throw machine.broken("requires a buffer that is not in the file");
  },
  READONLY_BUFFER: (machine) => machine.suspect("protects a buffer that is not in the file"),
};

function checkProtocol(machine: PickleMachine, version: PickleValue): void {
  if (Number(version) > PROTOCOL_MAX) throw machine.broken(`is of protocol ${String(version)}`);
  if (machine.steps > 1) machine.irregular("has a second PROTO opcode");
}

function duplicate(machine: PickleMachine): void {
  const value = machine.top();
  closeDtype(value);
  machine.push(value);
}

function number(machine: PickleMachine, value: PickleValue): void {
  if (value === UNKNOWN) machine.suspect("has an overlong or oddly written number");
  machine.push(value);
}

function writtenText(machine: PickleMachine, value: PickleValue): void {
  if (value === UNKNOWN) machine.suspect("has a text whose letters are hidden by escapes");
  machine.push(value);
}

function recall(machine: PickleMachine, index: PickleValue): void {
  if (typeof index === "number") return machine.recall(index);
  machine.suspect(STRANGE_INDEX);
  machine.push(UNKNOWN);
}

/** The value that an odd index replaces is unknown, and so is every value that is loaded from the memo afterwards. */
function remember(machine: PickleMachine, index: PickleValue): void {
  if (typeof index === "number") return machine.remember(index);
  machine.suspect(STRANGE_INDEX);
  machine.loseMemo();
}

const STRANGE_INDEX = "numbers its memo entries as no pickler does";

function pushPair(machine: PickleMachine): void {
  const second = machine.pop();
  machine.push(machine.tuple([machine.pop(), second]));
}

function pushTriple(machine: PickleMachine): void {
  const third = machine.pop();
  const second = machine.pop();
  machine.push(machine.tuple([machine.pop(), second, third]));
}

function pushList(machine: PickleMachine): void {
  const items = machine.popToMark();
  const list = machine.list();
  machine.extend(items, list);
  machine.push(list);
}

function pushDict(machine: PickleMachine): void {
  const dict = machine.dict();
  machine.setItems(machine.popToMark(), dict);
  machine.push(dict);
}

function setItem(machine: PickleMachine): void {
  const value = machine.pop();
  machine.setItems([machine.pop(), value]);
}

function importLines(machine: PickleMachine, lines: PickleValue): PickleValue {
  const [module, name] = typeof lines === "string" ? lines.split("\n") : [];
  if (module !== undefined && name !== undefined) return machine.import(module, name);
  return machine.importNothingKnown();
}

function importFromStack(machine: PickleMachine): void {
  const name = machine.pop();
  machine.push(machine.import(machine.pop(), name));
}

function usePersistent(machine: PickleMachine): void {
  machine.pop();
  machine.persistent();
}

function reduce(machine: PickleMachine): void {
  const args = machine.pop();
  machine.call(machine.pop(), args);
}

/** Python's own reader imports before it finds that the mark is missing. */
function instantiate(machine: PickleMachine, lines: PickleValue): void {
  const callee = importLines(machine, lines);
  machine.call(callee, machine.tuple(machine.popToMark()));
}

function instantiateFromStack(machine: PickleMachine): void {
  const [cls, ...args] = machine.popToMark();
  if (cls === undefined) throw machine.broken("pops from an empty stack");
  machine.call(cls, machine.tuple(args));
}

function makeObject(machine: PickleMachine): void {
  const args = machine.pop();
  machine.make(machine.pop(), args);
}

function makeObjectWithNames(machine: PickleMachine): void {
  machine.contain([machine.pop()]);
  const args = machine.pop();
  machine.make(machine.pop(), args, true);
}
