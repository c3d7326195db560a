import type { GlobalRule, Rule } from "./rule.ts";

// Since version 3, the classes name `pandas` itself as their module. While it loads a table, pandas calls methods of the
// values, for their type, length and contents. On other objects, these methods could be functions that the pickle stored.
// So the values have to be inert (see {@link isInert}).

const INDEX =
  "pandas(\\.core(\\.\\w+)*)?:(Index|(Range|Multi|Datetime|Timedelta|Period|Interval|Categorical|Int64|UInt64|Float64|Numeric)Index)";

/** The array classes in Cython that wrap an array of numpy. */
const BACKED =
  "pandas(\\.core(\\.\\w+)*)?(\\.arrays)?:(Categorical|(Datetime|Timedelta|Period|String|Pandas|NumpyExtension)Array)";

const RULES: readonly Rule[] = [
  // Calls blocks and axes for their lengths.
  [/^pandas\.core\.internals\.managers:(Single)?BlockManager$/, {
    use: "call",
    checks: "blocks",
    state: "data",
    isMadeToo: true,
  }],
  // Wraps an array in a class that it finds by the array's dtype.
  [/^pandas\._libs\.internals:_unpickle_block$/, { use: "call", checks: "block", makes: "stored" }],
  // Calls `cls.__new__(cls, **d)`.
  [
    /^pandas\.core\.indexes\.(base:_new_Index|datetimes:_new_DatetimeIndex|period:_new_PeriodIndex|interval:_new_IntervalIndex)$/,
    { use: "call", checks: "index", makes: "stored", takes: new RegExp(`^${INDEX}$`) },
  ],
  [new RegExp(`^(${INDEX}|${BACKED})$`), { use: "value" }],
  // Calls `cls.__new__(cls)` for such an array. Its `__setstate__` sets further entries as attributes.
  [/^pandas\._libs\.arrays:__pyx_unpickle_NDArrayBacked$/, {
    use: "call",
    checks: "unfilled",
    state: "backedArray",
    takes: new RegExp(`^${BACKED}$`),
  }],
  // The same. Cython's own `__setstate__` stores attributes.
  [/^pandas\._libs\.interval:__pyx_unpickle_IntervalMixin$/, {
    use: "call",
    checks: "unfilled",
    state: "wrappedAttributes",
    takes: /^pandas\.core\.arrays\.interval:IntervalArray$/,
  }],
  // Created without a constructor; the state becomes attributes, some of them set by name.
  [
    /^pandas(\.core(\.\w+)*)?(\.arrays)?:((Integer|Floating|Boolean|Interval)Array|(U?Int(8|16|32|64)|Float(32|64)|Boolean|String|Categorical|DatetimeTZ|Interval)Dtype)$/,
    { use: "make" },
  ],
  // Stores an offset, or parses the name of one.
  [/^pandas(\.core(\.\w+)*)?:PeriodDtype$/, { use: "call", checks: "parts", makes: "stored" }],

  // Convert a number, and store a time zone or an offset.
  [
    /^pandas\._libs\.(tslibs\.(timestamps:_unpickle_timestamp|timedeltas:(_timedelta_unpickle|Timedelta)|nattype:__nat_unpickle|period:Period)|interval:Interval)$/,
    { use: "call", checks: "parts", makes: "stored" },
  ],
  // Store numbers, and the first and last hour of a day.
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
