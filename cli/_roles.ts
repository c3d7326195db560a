import { type Role, ROLES } from "../lib/config/roles.ts";
import { missing } from "./_arguments.ts";
import { type Operands, parseChoice, UnknownWord } from "./_declaration.ts";

/** The value of an option that names roles. */
export const ROLE_VALUES = {
  choices: ROLES,
  parse: (text: string) => parseChoice(text, ROLES),
  repeatable: true,
  separator: ",",
} as const;

/** The roles that a command acts on; an empty list for all of them. */
export const ROLE_OPERANDS: Operands<readonly Role[]> = {
  usage: "[ROLE ...]",
  choices: ROLES,
  brief: `One or more of ${ROLES.join(", ")} (default: all)`,
  parse: parseRoles,
};

/** The roles that a command acts on, of which at least one has to be named. */
export const REQUIRED_ROLES: Operands<readonly Role[]> = {
  usage: "ROLE ...",
  choices: ROLES,
  brief: `One or more of ${ROLES.join(", ")}`,
  parse: (words) => {
    if (words.length > 0) return parseRoles(words);
    throw missing("ROLE", ROLES);
  },
};

/**
 * Returns the roles that were typed, each once.
 *
 * @throws {UsageError} code `ROLE_UNKNOWN`
 */
function parseRoles(typed: readonly string[]): Role[] {
  return Array.from(new Set(typed), (name) => {
    const role = ROLES.find((role) => role === name);
    if (role !== undefined) return role;
    throw new UnknownWord(`Cannot use the role "${name}": there is no such role`, name, ROLES, {
      code: "ROLE_UNKNOWN",
      hint: `the roles are ${ROLES.join(", ")}`,
    });
  });
}
