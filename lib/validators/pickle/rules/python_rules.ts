import type { Rule } from "./rule.ts";

// Beside each entry stands what arguments and a state of an attacker's choice do, as in `rule.ts`.

/** Data types of Python's standard library. */
export const PYTHON_RULES: readonly Rule[] = [
  // Goes through what it gets, and hashes it: a list, which costs as much in the file. Of a range, it would make numbers.
  [/^(builtins|__builtin__):(set|frozenset)$/, { use: "call", makes: "set", checks: "list" }],
  // Stores its arguments. As keys, complex numbers of the same hash are found in a moment.
  [/^(builtins|__builtin__):(complex|slice)$/, { use: "call", makes: "stored", checks: "constants" }],
  // Stores its arguments. numpy makes a list of it when it sets an array or a generator: it counts for as many numbers.
  [/^(builtins|__builtin__):(range|xrange)$/, { use: "call", makes: "range", checks: "constants" }],
  // Copies bytes or encodes text: as often as the file says, so copies are added up. A number would be a size, and the
  // call an allocation of as many bytes.
  [/^(builtins|__builtin__):(bytes|bytearray)$/, { use: "call", makes: "data", checks: "bytes" }],
  // As the factory of a defaultdict, the base of an object, a dtype of an array.
  [/^(builtins|__builtin__):(object|dict|list|tuple|int|long|float|bool|str|unicode)$/, { use: "value" }],
  // `base.__new__(cls, state)`, and `base.__init__(obj, state)`, of what may be made: the state is of the base's own type.
  [/^(copyreg|copy_reg):_reconstructor$/, { use: "call", checks: "reconstructor", takes: /^/ }],
  // Other codecs than latin1 decompress, or import modules.
  [/^_codecs:encode$/, { use: "call", makes: "data", checks: "encode" }],
  // Begins empty. It is filled by its own methods before a state could hide them.
  [/^collections:OrderedDict$/, { use: "call", checks: "nothing", fill: "pairs" }],
  // Copies a dictionary; it would count what is in anything else, a range too.
  [/^collections:Counter$/, { use: "call", checks: "dict", fill: "pairs" }],
  // Copies a list; a length limits it and allocates nothing.
  [/^collections:deque$/, { use: "call", checks: "deque", fill: "items" }],
  // Stores what makes missing values, and calls it when one is asked for, which loading does not.
  [/^collections:defaultdict$/, {
    use: "call",
    checks: "factory",
    fill: "pairs",
    takes: /^((builtins|__builtin__):(dict|list|set|tuple|int|float|bool|str)|collections:OrderedDict)$/,
  }],
  // Looks up anything: only as the callee, and only what is allowed by its own name.
  [/^(builtins|__builtin__):getattr$/, { use: "call", makes: "attribute" }],
  // Decode ten bytes or take numbers; a time zone is stored, and has to be one.
  [/^datetime:(datetime|date|time)$/, { use: "call", checks: "moment", makes: "stored" }],
  // Add numbers up.
  [/^datetime:timedelta$/, { use: "call", checks: "constants", makes: "stored" }],
  // Stores a difference and a name.
  [/^datetime:timezone$/, { use: "call", checks: "timezone", makes: "stored" }],
  // Opens the zone's file, whose name it holds to be one below its own folder.
  [/^zoneinfo:ZoneInfo\._unpickle$/, { use: "call", checks: "constants", makes: "stored" }],
  [/^zoneinfo:ZoneInfo$/, { use: "value" }],
  // `pytz` does the same.
  [/^pytz:_p$/, { use: "call", checks: "constants", makes: "stored" }],
  [/^pytz:_UTC$/, { use: "call", checks: "nothing", makes: "stored" }],
  // Parses text. Of a number it would compute the digits, which takes the square of them.
  [/^_?decimal:Decimal$/, { use: "call", checks: "decimal", makes: "stored" }],
  // Its `__setstate__` stores a number, which is its hash.
  [/^uuid:UUID$/, { use: "make", state: "uuid", isHashedByState: true }],
  // Begins empty; the state becomes attributes.
  [/^types:SimpleNamespace$/, { use: "call", checks: "nothing" }],
  // Joins text. Nothing of the file system is touched before one of its methods is called.
  [/^pathlib(\._local)?:(Pure)?(Posix|Windows)?Path$/, { use: "call", checks: "texts", makes: "stored" }],
];
