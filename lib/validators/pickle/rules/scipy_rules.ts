import type { Rule } from "./rule.ts";

/**
 * Classes of scipy and statsmodels, mostly with hooks of their own. They are allowed although their modules are denied to
 * patterns.
 */
export const HOOK_RULES: readonly Rule[] = [
  // Its `__setstate__` executes the text of `_parse_arg_template`, and calls methods that other attributes could replace.
  [/^scipy\.stats\._(continuous|discrete)_distns:\w+_gen$/, { use: "make", state: "distribution" }],
  // Created without a constructor; the state becomes attributes.
  [/^scipy\.stats\._distn_infrastructure:rv_((continuous|discrete)_)?frozen$/, { use: "make" }],
  [
    /^scipy\.stats\.(_multivariate:((multivariate_(normal|t|hypergeom)|matrix_normal|dirichlet(_multinomial)?|(inv)?wishart|multinomial|(special_)?ortho_group|unitary_group|random_correlation|uniform_direction|vonmises_fisher|random_table)_(gen|frozen)|_PSD)|_covariance:CovVia\w+|_kde:gaussian_kde)$/,
    { use: "make" },
  ],
  // The same. When it is freed, it calls `close` on its `_qhull`, which scipy writes as None.
  [/^scipy\.spatial\._?qhull:Delaunay$/, { use: "make", state: "delaunay" }],
  // Stored as the method that evaluates: `interp1d._call_linear`.
  [/^scipy\.interpolate(\.\w+)?:interp1d\._call_\w+$/, { use: "value" }],

  // Its `__getattribute__` delegates to an attribute that does not exist yet, and its `__setstate__` stores the state.
  [
    /^statsmodels\.(base|regression|genmod|discrete|tsa|robust|duration|gam|miscmodels|multivariate)(\.\w+)*:\w+ResultsWrapper$/,
    { use: "make" },
  ],
  // Its `__setstate__` evaluates a formula, which is code, if the state has `restore_design_info`.
  [/^statsmodels\.base\.data:(ModelData|PandasData|PatsyData)$/, { use: "make", state: "modelData" }],
  // Terms of a trend consist of numbers and names, all of which are hashed.
  [
    /^statsmodels\.tsa\.deterministic:(TimeTrend|Seasonality|Fourier|CalendarTimeTrend|CalendarFourier|CalendarSeasonality)$/,
    { use: "make", isInert: true },
  ],
  // Stored as the Cython class that a model computes with.
  [
    /^statsmodels\.tsa\.statespace\._(representation|initialization|kalman_filter|kalman_smoother|simulation_smoother|cfa_simulation_smoother):[sdcz][A-Z]\w+$/,
    { use: "value" },
  ],
];

/** Classes of scipy in models. */
export const SCIPY_RULES: readonly Rule[] = [
  // Created without a constructor; the state becomes attributes. dok_matrix is a dictionary, too.
  [/^scipy\.sparse(\.\w+)?:(bsr|coo|csc|csr|dia|dok|lil)_(matrix|array)$/, { use: "make", fill: "pairs" }],
  // The same, with a few slots. KDTree and cKDTree of scipy.spatial are not allowed: they take addresses within the tree from
  // the bytes of their state.
  [
    /^scipy\.interpolate(\.\w+)?:([BN]?d?PPoly|BPoly|BSpline|\w+Spline|\w+Interpolator|\w*1DInterpolator|R[bB][fF]\w*|interp[12]d)$/,
    { use: "make", state: "slots" },
  ],
  // Stored as the array library that an interpolator computes with.
  [/^scipy\._lib\.array_api_compat\.numpy\._aliases:asarray$/, { use: "value" }],
  // A dictionary whose items are its attributes, without a state.
  [/^scipy\.optimize(\._\w+)?:OptimizeResult$/, {
    use: "make",
    state: "nothing",
    fill: "pairs",
    hasItemsAsAttributes: true,
  }],
  // Created without a constructor; the state becomes attributes.
  [/^scipy\.optimize(\._\w+)?:LbfgsInvHessProduct$/, { use: "make" }],
];

/**
 * The source code from which scipy creates methods of a distribution, and which it executes when one is loaded. Only the
 * names of parameters may vary, and each has to be the same throughout. Source: `parse_arg_template` in
 * `scipy/stats/_distn_infrastructure.py`.
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

/** Longer than the templates of all distributions, which have up to six parameters. */
export const TEMPLATE_BYTES_MAX = 1024;

/** Whether bytes are a template of scipy, which is safe to execute. */
export function isTemplate(bytes: Uint8Array): boolean {
  return bytes[0] === NEWLINE && TEMPLATE.test(new TextDecoder("latin1").decode(bytes));
}

const NEWLINE = 0x0a;
