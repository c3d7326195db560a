import { RunPodWorld } from "../helpers/runpod_world.ts";
import { holdsContract } from "./carrier_contract.ts";

holdsContract({
  carrier: "runpod",
  // A job is written down before the wait for it, and forgotten when its models are active.
  remembers: /^runpod_jobs\.json$/,
  makeRegistry: (root) => {
    const world = new RunPodWorld(root);
    let sequence = 0;
    let published: string | undefined;
    return Promise.resolve({
      publish: async (files, seal) => {
        const state = seal?.signer?.keyHint +
          JSON.stringify(Object.entries(files).map(([path, content]) => [path, String(content)]));
        if (state === published) return undefined;
        published = state;
        await world.offer(files, ++sequence, seal);
        // The next job makes other models: an earlier result must not replace them.
        world.api.dropResults();
        return undefined;
      },
      withdraw: async (digest, next, seal) => {
        published = undefined;
        await world.offer(next, ++sequence, seal, [{
          digest,
          state: "withdrawn",
          at: new Date().toISOString(),
        }]);
        world.api.dropResults();
      },
      replaceManifest: async (text) => {
        published = undefined;
        await world.replaceManifest(text);
        world.api.dropResults();
      },
      replaceSignature: async (text) => {
        published = undefined;
        await world.replaceSignature(text);
        world.api.dropResults();
      },
      tamper: async (path, content) => await world.tamper(path, content),
      disconnect: () => world.disconnect(),
      open: (context, store) => world.open(context, store),
      [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
    });
  },
});
