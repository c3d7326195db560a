import type { Rule } from "./rule.ts";

/** Models of xgboost, lightgbm and catboost. */
export const BOOSTING_RULES: readonly Rule[] = [
  // Parses its model, which is text or bytes. It would take a number for an address and free it.
  [/^xgboost(\.core)?:Booster$/, { use: "make", state: "model" }],
  [/^lightgbm(\.basic)?:Booster$/, { use: "make", state: "model" }],
  // Created without a constructor; the state becomes attributes.
  [
    /^xgboost(\.(core|sklearn|callback))?:(XGB(Model|RF)?(Classifier|Regressor|Ranker)?|EarlyStopping|EvaluationMonitor|LearningRateScheduler)$/,
    { use: "make" },
  ],
  [/^lightgbm(\.sklearn)?:LGBM(Model|Classifier|Regressor|Ranker)$/, { use: "make" }],
  // The same. CatBoost parses its model, and accepts only bytes.
  [/^(catboost(\.core)?|_catboost):_?CatBoost(Classifier|Regressor|Ranker)?$/, { use: "make" }],
];
