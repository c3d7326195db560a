import type { Rule } from "./rule.ts";

/** Data types of Python's standard library. */
export const PYTHON_RULES: readonly Rule[] = [
  // Iterates over its argument and hashes the items. A list costs as much in the file; a range would create numbers.
  [/^(builtins|__builtin__):(set|frozenset)$/, { use: "call", makes: "set", checks: "list" }],
  // Stores its arguments. It is easy to find complex numbers with equal hashes, which matters for keys.
  [/^(builtins|__builtin__):(complex|slice)$/, { use: "call", makes: "stored", checks: "constants" }],
  // Stores its arguments. numpy converts it to a list when it sets an array or a generator, so it counts as so many numbers.
  [/^(builtins|__builtin__):(range|xrange)$/, { use: "call", makes: "range", checks: "constants" }],
  // Copies bytes or encodes text, any number of times, so copies are added up. A number would allocate as many bytes.
  [/^(builtins|__builtin__):(bytes|bytearray)$/, { use: "call", makes: "data", checks: "bytes" }],
  // Stored as the factory of a defaultdict, the base of an object, or a dtype.
  [/^(builtins|__builtin__):(object|dict|list|tuple|int|long|float|bool|str|unicode)$/, { use: "value" }],
  // Calls `base.__new__(cls, state)` and `base.__init__(obj, state)`. The rule of `cls` has to allow creating objects, and
  // the state has to be of the base's own type.
  [/^(copyreg|copy_reg):_reconstructor$/, { use: "call", checks: "reconstructor", takes: /^/ }],
  // Encodes text as latin1. Other codecs decompress, or import modules.
  [/^_codecs:encode$/, { use: "call", makes: "data", checks: "encode" }],
  // Creates an empty dictionary, which its own methods fill before a state could replace them.
  [/^collections:OrderedDict$/, { use: "call", checks: "nothing", fill: "pairs" }],
  // Copies a dictionary. It would count the items of any other argument, even of a range.
  [/^collections:Counter$/, { use: "call", checks: "dict", fill: "pairs" }],
  // Copies a list. A maximum length allocates nothing.
  [/^collections:deque$/, { use: "call", checks: "deque", fill: "items" }],
  // Stores the factory of missing values, which loading does not call.
  [/^collections:defaultdict$/, {
    use: "call",
    checks: "factory",
    fill: "pairs",
    takes: /^((builtins|__builtin__):(dict|list|set|tuple|int|float|bool|str)|collections:OrderedDict)$/,
  }],
  // Looks up any attribute. It may only be called, and only to get something that is allowed by its own name.
  [/^(builtins|__builtin__):getattr$/, { use: "call", makes: "attribute" }],
  // Decode ten bytes or take numbers, and store a time zone, whose type they check.
  [/^datetime:(datetime|date|time)$/, { use: "call", checks: "moment", makes: "stored" }],
  // Add numbers up.
  [/^datetime:timedelta$/, { use: "call", checks: "constants", makes: "stored" }],
  // Stores a difference and a name.
  [/^datetime:timezone$/, { use: "call", checks: "timezone", makes: "stored" }],
  // Opens the file of the zone, and checks that its name stays below its own folder.
  [/^zoneinfo:ZoneInfo\._unpickle$/, { use: "call", checks: "constants", makes: "stored" }],
  [/^zoneinfo:ZoneInfo$/, { use: "value" }],
  // Opens the file of the zone, with the same check.
  [/^pytz:_p$/, { use: "call", checks: "constants", makes: "stored" }],
  [/^pytz:_UTC$/, { use: "call", checks: "nothing", makes: "stored" }],
  // Parses text. From a number it would compute the digits, which takes quadratic time.
  [/^_?decimal:Decimal$/, { use: "call", checks: "decimal", makes: "stored" }],
  // Its `__setstate__` stores a number, which determines its hash.
  [/^uuid:UUID$/, { use: "make", state: "uuid", isHashedByState: true }],
  // Creates an empty object; the state becomes attributes.
  [/^types:SimpleNamespace$/, { use: "call", checks: "nothing" }],
  // Joins text. Only its methods access the file system, and loading calls none.
  [/^pathlib(\._local)?:(Pure)?(Posix|Windows)?Path$/, { use: "call", checks: "texts", makes: "stored" }],
];
