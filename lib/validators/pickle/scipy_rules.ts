import type { Rule } from "./allow_rules.ts";

// Beside each entry stands what arguments and a state of an attacker's choice do, as in `allow_rules.ts`.

/** Classes of scipy and statsmodels with hooks of their own. They count although patterns open nothing beside them. */
export const SCIPY_RULES: readonly Rule[] = [
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
