import type { Context } from "../../lib/core/context.ts";
import { countingFs, countingSpawn } from "../helpers/counting_fs.ts";
import { testContext } from "../helpers/test_context.ts";

/** A world in which this process kills itself before its n-th step: a change of the disk, a program, a request. */
export function dieAt(step: number): Context {
  let steps = 0;
  const onStep = () => {
    steps++;
    if (steps === step) Deno.kill(Deno.pid, "SIGKILL");
  };
  return testContext({
    fs: countingFs(onStep),
    spawn: countingSpawn(onStep),
    http: (input, init) => {
      onStep();
      return fetch(input, init);
    },
  });
}
