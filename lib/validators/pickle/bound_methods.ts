import type { GlobalRule } from "./allow_rules.ts";
import { INSTANCE, type InstanceValue, isObject, type PickleValue } from "./pickle_value.ts";

/**
 * Methods that scipy stores with an object of its own, by what checks the state of the object. Others of a distribution
 * make source code of their arguments, or execute it.
 */
const METHODS: Readonly<Partial<Record<NonNullable<GlobalRule["state"]>, RegExp>>> = {
  distribution: /^_(entropy|(cdf|ppf)_single|mom\d_sc)$/,
  // Of `Rbf`: functions of a distance.
  slots: /^_h_\w+$/,
};

/** A method of an object, which may only be stored. */
const METHOD: InstanceValue = { ...INSTANCE, rule: { use: "value" } };

/** The method of an object that `getattr` finds; `undefined` for one that no library stores. */
export function methodOf(target: PickleValue, name: string): InstanceValue | undefined {
  if (!isObject(target) || target.kind !== "instance") return undefined;
  const methods = target.rule?.state === undefined ? undefined : METHODS[target.rule.state];
  return methods?.test(name) === true ? METHOD : undefined;
}
