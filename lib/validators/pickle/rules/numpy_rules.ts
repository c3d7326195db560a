import type { Rule } from "./rule.ts";

/** The array classes of numpy. */
const ARRAY = "numpy(\\.rec|\\._?core\\.records)?:(ndarray|matrix|recarray)|numpy\\.ma(\\.core)?:MaskedArray";

/** Data of numpy, as numpy and joblib write it. */
export const NUMPY_RULES: readonly Rule[] = [
  // Trusts the sizes, offsets and flags in the state, and accesses memory outside of the array with forged ones. Arguments
  // and state have to be in the form that numpy writes (`numpy_dtype.ts`).
  [/^numpy:dtype$/, {
    use: "call",
    makes: "dtype",
    takes: /^numpy(\.rec|\._?core\.records)?:(record|void)$/,
  }],
  // Stored as the class of an array or of an element.
  [/^numpy(\.rec|\._?core\.records)?:(ndarray|matrix|recarray|record|void|generic|number)$/, {
    use: "value",
  }],
  [
    /^numpy:(bool_?|str_|bytes_|object_|[cu]?int(8|16|32|64|c|p|_)?|(long)?(float|double|complex)\d*_?|datetime64|timedelta64)$/,
    { use: "value" },
  ],
  // Allocates an empty array. The state sets shape, dtype and contents, and numpy checks their sizes; for objects, it first
  // allocates as many elements as the shape says. Nested arrays of objects are freed on the C stack.
  [/^numpy\._?core\.multiarray:_reconstruct$/, {
    use: "call",
    checks: "array",
    state: "array",
    takes: new RegExp(`^(${ARRAY})$`),
  }],
  // Copies as many bytes as the dtype has. For objects, the bytes would be addresses.
  [/^numpy\._?core\.multiarray:scalar$/, { use: "call", makes: "stored", checks: "scalar" }],
  // Creates a view of bytes, whose size numpy checks against shape and dtype.
  [/^numpy\._?core\.numeric:_frombuffer$/, { use: "call", makes: "stored", checks: "buffer" }],
  // Like _reconstruct, for the data and the mask. The fill value, a number, text or an array, is converted to the dtype.
  [/^numpy\.ma(\.core)?:_mareconstruct$/, {
    use: "call",
    checks: "maskedArray",
    state: "array",
    takes: new RegExp(`^(${ARRAY})$`),
  }],
  [/^numpy\.ma(\.core)?:(MaskedArray|MaskedConstant)$/, { use: "value" }],
  // Calls its second argument with the first: a function of this module, or a bit generator of numpy. The state is numbers,
  // which numpy's setters convert and check. A generator takes 3 KB and a tenth of a millisecond, which are added up.
  [/^numpy\.random\._pickle:__(randomstate|generator|bit_generator)_ctor$/, {
    use: "call",
    checks: "generator",
    state: "data",
    takes: /^numpy\.random\._(pickle:__bit_generator_ctor|\w+:(MT19937|PCG64(DXSM)?|Philox|SFC64))$/,
  }],
  [/^numpy\.random\.(_mt19937:MT19937|_pcg64:PCG64(DXSM)?|_philox:Philox|_sfc64:SFC64)$/, { use: "value" }],
  [/^numpy\.random\.bit_generator:SeedSequence$/, { use: "value" }],
  // Creates an object of the given class, which has to extend its own, and sets C fields, each by its type.
  [/^numpy\.random\.bit_generator:__pyx_unpickle_SeedSequence$/, {
    use: "call",
    checks: "cython",
    state: "data",
    takes: /^numpy\.random\.bit_generator:SeedSequence$/,
  }],
  // joblib reads the bytes of an array as the state says, which has to be in the form that joblib writes (`joblib_array.ts`).
  [/^joblib\.numpy_pickle:NumpyArrayWrapper$/, { use: "make", makes: "wrapper" }],
  // Functions that only compute, in modules that have other functions, too.
  [
    /^numpy:(median|percentile|quantile|average|nan_to_num|diff|ediff1d|gradient|interp|digitize|bincount|histogram|corrcoef|cov|trapz|trapezoid|angle|real|imag|unwrap|sinc|where|unique|concatenate|(h|v|d|column_)?stack|cross|dot|inner|outer|kron|flip|roll|isclose|allclose)$/,
    { use: "value" },
  ],
  [/^numpy\.linalg(\.(linalg|_linalg))?:(norm|det|inv|pinv|cond|eigvals|eigvalsh)$/, { use: "value" }],

  // Created without a constructor; the state becomes attributes.
  [/^numpy(\.lib(\.\w+)?)?:(poly1d|vectorize)$/, { use: "make" }],
  // The same: `ABCPolyBase.__setstate__` stores the state as attributes.
  [
    /^numpy\.polynomial\.(polynomial|chebyshev|legendre|laguerre|hermite|hermite_e):(Polynomial|Chebyshev|Legendre|Laguerre|HermiteE?)$/,
    { use: "make" },
  ],
];
