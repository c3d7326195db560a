import type { Rule } from "./rule.ts";

// Beside each entry stands what arguments and a state of an attacker's choice do, as in `rule.ts`.

/** numpy's classes of arrays. */
const ARRAY = "numpy(\\.rec|\\._?core\\.records)?:(ndarray|matrix|recarray)|numpy\\.ma(\\.core)?:MaskedArray";

/** Data of numpy, as numpy and joblib write it. */
export const NUMPY_RULES: readonly Rule[] = [
  // Takes sizes, offsets and flags of the state as they are, and reads outside of memory with forged ones: both are those
  // that numpy writes (`numpy_dtype.ts`).
  [/^numpy:dtype$/, {
    use: "call",
    makes: "dtype",
    takes: /^numpy(\.rec|\._?core\.records)?:(record|void)$/,
  }],
  // As the class of an array or of an element.
  [/^numpy(\.rec|\._?core\.records)?:(ndarray|matrix|recarray|record|void|generic|number)$/, {
    use: "value",
  }],
  [
    /^numpy:(bool_?|str_|bytes_|object_|[cu]?int(8|16|32|64|c|p|_)?|(long)?(float|double|complex)\d*_?|datetime64|timedelta64)$/,
    { use: "value" },
  ],
  // Allocates a shape of a type: the empty one. The state brings shape, dtype and contents, and numpy holds the size of
  // the contents against the shape; of objects it allocates as many elements first, of whatever size. Arrays of objects
  // in each other are freed on the stack.
  [/^numpy\._?core\.multiarray:_reconstruct$/, {
    use: "call",
    checks: "array",
    state: "array",
    takes: new RegExp(`^(${ARRAY})$`),
  }],
  // Copies bytes, as many as the dtype has; of objects it would take them for addresses.
  [/^numpy\._?core\.multiarray:scalar$/, { use: "call", makes: "stored", checks: "scalar" }],
  // A view of bytes; numpy holds their size against shape and dtype.
  [/^numpy\._?core\.numeric:_frombuffer$/, { use: "call", makes: "stored", checks: "buffer" }],
  // As _reconstruct, for the data and the mask. The fill value is converted to the dtype: a number, text or an array.
  [/^numpy\.ma(\.core)?:_mareconstruct$/, {
    use: "call",
    checks: "maskedArray",
    state: "array",
    takes: new RegExp(`^(${ARRAY})$`),
  }],
  [/^numpy\.ma(\.core)?:(MaskedArray|MaskedConstant)$/, { use: "value" }],
  // Calls its second argument with the first: a function of this module, or a bit generator of numpy's. The state is
  // numbers, which the setters of numpy convert and check. A generator is 3 KB and a tenth of a millisecond: they are
  // added up.
  [/^numpy\.random\._pickle:__(randomstate|generator|bit_generator)_ctor$/, {
    use: "call",
    checks: "generator",
    state: "data",
    takes: /^numpy\.random\._(pickle:__bit_generator_ctor|\w+:(MT19937|PCG64(DXSM)?|Philox|SFC64))$/,
  }],
  [/^numpy\.random\.(_mt19937:MT19937|_pcg64:PCG64(DXSM)?|_philox:Philox|_sfc64:SFC64)$/, { use: "value" }],
  [/^numpy\.random\.bit_generator:SeedSequence$/, { use: "value" }],
  // Makes an object of the class that it is given, if that extends its own, and sets C fields, each by its type.
  [/^numpy\.random\.bit_generator:__pyx_unpickle_SeedSequence$/, {
    use: "call",
    checks: "cython",
    state: "data",
    takes: /^numpy\.random\.bit_generator:SeedSequence$/,
  }],
  // joblib reads an array's bytes from the file as its state says: the keys, sizes and classes that joblib writes
  // (`joblib_array.ts`).
  [/^joblib\.numpy_pickle:NumpyArrayWrapper$/, { use: "make", makes: "wrapper" }],
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
