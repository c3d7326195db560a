/** What is wrong with the bytes of a file, told where nobody knows yet which file it is and what follows from it. */
export class FormatProblem extends Error {
  override readonly name = "FormatProblem";
}

/** What `read` found, or the problem that it ran into. */
export function orProblem<Found>(read: () => Found): Found | FormatProblem {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatProblem) return error;
    throw error;
  }
}
