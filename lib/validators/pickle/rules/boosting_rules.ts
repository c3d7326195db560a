import type { Rule } from "./rule.ts";

// Beside each entry stands what arguments and a state of an attacker's choice do, as in `rule.ts`.

/** Models of xgboost, lightgbm and catboost. */
export const BOOSTING_RULES: readonly Rule[] = [
  // Parses its model, which is text or bytes. A number in its place is an address that it frees.
  [/^xgboost(\.core)?:Booster$/, { use: "make", state: "model" }],
  [/^lightgbm(\.basic)?:Booster$/, { use: "make", state: "model" }],
  // Made without a constructor, the state becomes attributes.
  [
    /^xgboost(\.(core|sklearn|callback))?:(XGB(Model|RF)?(Classifier|Regressor|Ranker)?|EarlyStopping|EvaluationMonitor|LearningRateScheduler)$/,
    { use: "make" },
  ],
  [/^lightgbm(\.sklearn)?:LGBM(Model|Classifier|Regressor|Ranker)$/, { use: "make" }],
  // The same; CatBoost parses its model, which it takes as bytes alone.
  [/^(catboost(\.core)?|_catboost):_?CatBoost(Classifier|Regressor|Ranker)?$/, { use: "make" }],
];
