import type Bottleneck from "bottleneck";

/** One for the process, as octokit's own are: each has a timer that ends with the process. */
let unpaced: Bottleneck.Group | undefined;

/** Loads octokit, which commands that ask GitHub nothing need not wait for. */
export async function loadOctokit() {
  const [{ Octokit }, { throttling }, { default: Limiter }] = await Promise.all([
    import("@octokit/core"),
    import("@octokit/plugin-throttling"),
    import("bottleneck/light.js"),
  ]);
  const group: Bottleneck.Group = unpaced ??= new Limiter.Group();
  return { Octokit, throttling, unpaced: group };
}
