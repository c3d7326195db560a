import { type GlobalValue, isObject, type PickleValue } from "./pickle_value.ts";

// What `copyreg._reconstructor(cls, base, state)` gets, by which protocols 0 and 1 make objects: `base.__new__(cls, state)`,
// and `base.__init__(obj, state)`.

/** Whether that is a type of Python's own. */
export function isBuiltIn(base: PickleValue): base is GlobalValue {
  return isObject(base) && base.kind === "global" && /^(builtins|__builtin__)$/.test(base.module);
}

/** Whether that is what an object of this base was made of: other things would be gone through, however long they are. */
export function isStateOf(base: GlobalValue, state: PickleValue): boolean {
  if (base.name === "object") return state === null;
  const kind = isObject(state) ? state.kind : undefined;
  return (base.name === "dict" || base.name === "tuple") && kind === base.name;
}
