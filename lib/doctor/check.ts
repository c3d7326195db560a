/** The result of one check, with how to mend what is not right. */
export interface Check {
  readonly name: string;
  readonly status: "pass" | "warn" | "fail";
  readonly detail: string;
  readonly mend: string | undefined;
}

export function pass(name: string, detail: string): Check {
  return { name, status: "pass", detail, mend: undefined };
}

export function warn(name: string, detail: string, mend: string): Check {
  return { name, status: "warn", detail, mend };
}

export function fail(name: string, detail: string, mend: string): Check {
  return { name, status: "fail", detail, mend };
}
