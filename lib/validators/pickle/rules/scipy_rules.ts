import type { Rule } from "./rule.ts";

// Beside each entry stands what arguments and a state of an attacker's choice do, as in `rule.ts`.

/** Classes of scipy and statsmodels with hooks of their own. They count although patterns open nothing beside them. */
export const HOOK_RULES: readonly Rule[] = [
  // Its `__setstate__` executes the text of `_parse_arg_template` and calls methods that other attributes would hide.
  [/^scipy\.stats\._(continuous|discrete)_distns:\w+_gen$/, { use: "make", state: "distribution" }],
  // Made without a constructor, the state becomes attributes.
  [/^scipy\.stats\._distn_infrastructure:rv_((continuous|discrete)_)?frozen$/, { use: "make" }],
  [
    /^scipy\.stats\.(_multivariate:((multivariate_(normal|t|hypergeom)|matrix_normal|dirichlet(_multinomial)?|(inv)?wishart|multinomial|(special_)?ortho_group|unitary_group|random_correlation|uniform_direction|vonmises_fisher|random_table)_(gen|frozen)|_PSD)|_covariance:CovVia\w+|_kde:gaussian_kde)$/,
    { use: "make" },
  ],
  // The same. When it is freed, it calls the `close` of its `_qhull`, which scipy writes as None.
  [/^scipy\.spatial\._?qhull:Delaunay$/, { use: "make", state: "delaunay" }],
  // Methods, each stored as the one that evaluates: `interp1d._call_linear`.
  [/^scipy\.interpolate(\.\w+)?:interp1d\._call_\w+$/, { use: "value" }],

  // Its `__getattribute__` goes on to an attribute that is not there yet, and its `__setstate__` stores the state.
  [
    /^statsmodels\.(base|regression|genmod|discrete|tsa|robust|duration|gam|miscmodels|multivariate)(\.\w+)*:\w+ResultsWrapper$/,
    { use: "make" },
  ],
  // Its `__setstate__` evaluates a formula, which is code, where the state has `restore_design_info`.
  [/^statsmodels\.base\.data:(ModelData|PandasData|PatsyData)$/, { use: "make", state: "modelData" }],
  // Terms of a trend, of numbers and names: they are hashed with all of it.
  [
    /^statsmodels\.tsa\.deterministic:(TimeTrend|Seasonality|Fourier|CalendarTimeTrend|CalendarFourier|CalendarSeasonality)$/,
    { use: "make", isInert: true },
  ],
  // Which of Cython's classes a model computes with.
  [
    /^statsmodels\.tsa\.statespace\._(representation|initialization|kalman_filter|kalman_smoother|simulation_smoother|cfa_simulation_smoother):[sdcz][A-Z]\w+$/,
    { use: "value" },
  ],
];

/** What models are made of besides. */
export const SCIPY_RULES: readonly Rule[] = [
  // Made without a constructor, the state becomes attributes. dok_matrix is a dictionary as well.
  [/^scipy\.sparse(\.\w+)?:(bsr|coo|csc|csr|dia|dok|lil)_(matrix|array)$/, { use: "make", fill: "pairs" }],
  // The same, and a few places that are set by name. Not KDTree and cKDTree of scipy.spatial: they take addresses within
  // the tree from the bytes of their state.
  [
    /^scipy\.interpolate(\.\w+)?:([BN]?d?PPoly|BPoly|BSpline|\w+Spline|\w+Interpolator|\w*1DInterpolator|R[bB][fF]\w*|interp[12]d)$/,
    { use: "make", state: "slots" },
  ],
  // Which array library an interpolator computes with.
  [/^scipy\._lib\.array_api_compat\.numpy\._aliases:asarray$/, { use: "value" }],
  // A dictionary whose items are its attributes, and so no state.
  [/^scipy\.optimize(\._\w+)?:OptimizeResult$/, {
    use: "make",
    state: "nothing",
    fill: "pairs",
    hasItemsAsAttributes: true,
  }],
  // Made without a constructor, the state becomes attributes.
  [/^scipy\.optimize(\._\w+)?:LbfgsInvHessProduct$/, { use: "make" }],
];

/**
 * The source code that scipy makes methods of a distribution of, and executes when one is loaded. Source:
 * `parse_arg_template` in `scipy/stats/_distn_infrastructure.py`. Nothing in it but the names of parameters may vary, and
 * each is the same throughout.
 */
const TEMPLATE = new RegExp(
  [
    "^",
    "def _parse_args\\(self, ((?:[A-Za-z_]\\w*, )*) (loc=0(?:, scale=1)?)\\):",
    "    return \\(\\1\\), (loc, (?:scale|1))",
    "",
    "def _parse_args_rvs\\(self, \\1 \\2, size=None\\):",
    "    return self\\._argcheck_rvs\\(\\1 \\3, size=size\\)",
    "",
    "def _parse_args_stats\\(self, \\1 \\2, moments='mv'\\):",
    "    return \\(\\1\\), \\3, moments",
    "$",
  ].join("\n"),
);

/** Longer than those of all distributions, which have up to six parameters. */
export const TEMPLATE_BYTES_MAX = 1024;

/** Whether bytes of text are such a template. */
export function isTemplate(bytes: Uint8Array): boolean {
  return bytes[0] === NEWLINE && TEMPLATE.test(new TextDecoder("latin1").decode(bytes));
}

const NEWLINE = 0x0a;
