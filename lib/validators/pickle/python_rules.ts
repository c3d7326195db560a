import type { Rule } from "./allow_rules.ts";

// Beside each entry stands what arguments and a state of an attacker's choice do, as in `allow_rules.ts`.

/** Data types of Python's standard library, and classes of numpy that are written in Python. */
export const PYTHON_RULES: readonly Rule[] = [
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

  // Functions that compute, of modules that have others too.
  [
    /^numpy:(median|percentile|quantile|average|nan_to_num|diff|ediff1d|gradient|interp|digitize|bincount|histogram|corrcoef|cov|trapz|trapezoid|angle|real|imag|unwrap|sinc|where|unique|concatenate|(h|v|d|column_)?stack|cross|dot|inner|outer|kron|flip|roll|isclose|allclose)$/,
    { use: "value" },
  ],
  [/^numpy\.linalg(\.(linalg|_linalg))?:(norm|det|inv|pinv|cond|eigvals|eigvalsh)$/, { use: "value" }],

  // Made without a constructor, the state becomes attributes.
  [/^numpy(\.lib(\.\w+)?)?:(poly1d|vectorize)$/, { use: "make" }],
  // The same: `ABCPolyBase.__setstate__` takes the state for its attributes.
  [
    /^numpy\.polynomial\.(polynomial|chebyshev|legendre|laguerre|hermite|hermite_e):(Polynomial|Chebyshev|Legendre|Laguerre|HermiteE?)$/,
    { use: "make" },
  ],
];
