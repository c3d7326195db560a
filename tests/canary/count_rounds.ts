import { updateCanary } from "../../lib/canary/canary_state.ts";

/** Counts rounds in the state of a canary, one by one: `count_rounds.ts STATE COUNT`. */
const [path = "", count = ""] = Deno.args;
for (let done = 0; done < Number(count); done++) {
  updateCanary(Deno, path, (found) => {
    if (found.kind !== "found") throw new Error(`there is no state at ${path}`);
    return { ...found.state, rounds: found.state.rounds + 1 };
  });
}
