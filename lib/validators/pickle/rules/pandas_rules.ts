import type { GlobalRule, Rule } from "./rule.ts";

// Beside each entry stands what arguments and a state of an attacker's choice do, as in `rule.ts`. Since version 3,
// pandas' classes say that they are in `pandas` itself. pandas asks whatever it gets for its type, its length and its
// values, and calls methods of it: of foreign objects, these would be functions that the pickle has stored.

const INDEX =
  "pandas(\\.core(\\.\\w+)*)?:(Index|(Range|Multi|Datetime|Timedelta|Period|Interval|Categorical|Int64|UInt64|Float64|Numeric)Index)";

/** Arrays that are a class of Cython's with an array of numpy's in it. */
const BACKED =
  "pandas(\\.core(\\.\\w+)*)?(\\.arrays)?:(Categorical|(Datetime|Timedelta|Period|String|Pandas|NumpyExtension)Array)";

const RULES: readonly Rule[] = [
  // Asks blocks and axes for their lengths.
  [/^pandas\.core\.internals\.managers:(Single)?BlockManager$/, {
    use: "call",
    checks: "blocks",
    state: "data",
    isMadeToo: true,
  }],
  // Looks a class up by the array's dtype, which it wraps.
  [/^pandas\._libs\.internals:_unpickle_block$/, { use: "call", checks: "block", makes: "stored" }],
  // `cls.__new__(cls, **d)`.
  [
    /^pandas\.core\.indexes\.(base:_new_Index|datetimes:_new_DatetimeIndex|period:_new_PeriodIndex|interval:_new_IntervalIndex)$/,
    { use: "call", checks: "index", makes: "stored", takes: new RegExp(`^${INDEX}$`) },
  ],
  [new RegExp(`^(${INDEX}|${BACKED})$`), { use: "value" }],
  // `cls.__new__(cls)`, of what `takes` holds to be such an array. Its `__setstate__` sets further entries as attributes.
  [/^pandas\._libs\.arrays:__pyx_unpickle_NDArrayBacked$/, {
    use: "call",
    checks: "unfilled",
    state: "backedArray",
    takes: new RegExp(`^${BACKED}$`),
  }],
  // The same; Cython's own `__setstate__` stores attributes.
  [/^pandas\._libs\.interval:__pyx_unpickle_IntervalMixin$/, {
    use: "call",
    checks: "unfilled",
    state: "wrappedAttributes",
    takes: /^pandas\.core\.arrays\.interval:IntervalArray$/,
  }],
  // Made without a constructor, the state becomes attributes, or some of it by name.
  [
    /^pandas(\.core(\.\w+)*)?(\.arrays)?:((Integer|Floating|Boolean|Interval)Array|(U?Int(8|16|32|64)|Float(32|64)|Boolean|String|Categorical|DatetimeTZ|Interval)Dtype)$/,
    { use: "make" },
  ],
  // Stores an offset, or parses its name.
  [/^pandas(\.core(\.\w+)*)?:PeriodDtype$/, { use: "call", checks: "parts", makes: "stored" }],

  // Convert a number, and store the rest, a time zone or an offset.
  [
    /^pandas\._libs\.(tslibs\.(timestamps:_unpickle_timestamp|timedeltas:(_timedelta_unpickle|Timedelta)|nattype:__nat_unpickle|period:Period)|interval:Interval)$/,
    { use: "call", checks: "parts", makes: "stored" },
  ],
  // Store numbers, and the first and the last hour of a day.
  [
    /^pandas\._libs\.tslibs\.offsets:(Day|Hour|Minute|Second|Milli|Micro|Nano|Week|WeekOfMonth|LastWeekOfMonth|Easter|SemiMonth(Begin|End)|B?(Month|Quarter|Year)(Begin|End)|Business(Day|Hour|MonthBegin|MonthEnd)|HalfYear(Begin|End)|BHalfYear(Begin|End))$/,
    { use: "call", checks: "parts", makes: "stored" },
  ],
  [/^pandas\._libs\.missing:NA$/, { use: "value" }],
];

const inert = ([pattern, rule]: Rule): Rule => [pattern, { ...rule, isInert: true } satisfies GlobalRule];

export const PANDAS_RULES: readonly Rule[] = [
  // Their `__setstate__` sets each entry of the state as an attribute.
  [/^pandas(\.core(\.\w+)*)?:(DataFrame|Series)$/, { use: "make", state: "frame" }],
  ...RULES.map(inert),
];
