import { FREE } from "./allow_rules.ts";
import { isObject, type PickleValue } from "./pickle_value.ts";

/**
 * Whether nothing in a value has attributes of the pickle's choice: constants, arrays, what a call has made of them, and
 * containers of these. Libraries ask such values for methods while they load a file, and of any other object they may get
 * a function that the pickle has stored there. What the user allows counts as well.
 */
export function isInert(value: PickleValue): boolean {
  if (!isObject(value)) return true;
  switch (value.kind) {
    case "data":
      return value.type === undefined || value.type === "float";
    case "integer":
    case "dtype":
      return true;
    case "tuple":
    case "list":
    case "dict":
      return value.isInert;
    case "instance":
      return value.rule === undefined || value.rule === FREE || value.rule.state === "array" ||
        value.rule.isInert === true;
    default:
      return false;
  }
}
