import { startGitHubServer } from "../../fakes/github_server.ts";
import { openActions, withManifest } from "../helpers/actions_world.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { streamedZip } from "../helpers/streamed_zip.ts";
import { type Files, holdsContract } from "./carrier_contract.ts";

holdsContract({
  carrier: "github-actions",
  remembers: /^(answers\.json|partials\/)/,
  makeRegistry: () => {
    const clock = new QuickClock("2026-11-21T00:00:00Z");
    const github = startGitHubServer(clock);
    let isConnected = true;
    let sequence = 0;
    let published: Files = {};
    const upload = async (files: Files) => {
      const run = github.addRun();
      await github.addArtifact(run, { name: `trained-models-${run}`, content: streamedZip(files) });
    };
    return Promise.resolve({
      publish: async (files, seal) => {
        published = await withManifest(files, ++sequence, seal);
        await upload(published);
      },
      withdraw: async (digest, next, seal) => {
        const withdrawals = [{ digest, state: "withdrawn", at: new Date().toISOString() }];
        await upload(published = await withManifest(next, ++sequence, seal, withdrawals));
      },
      replaceManifest: (text) => upload(published = { ...published, "model-sync.json": text }),
      replaceSignature: (text) => upload(published = { ...published, "model.sig": text }),
      // Uploaded artifacts never change: another run uploads the other bytes.
      tamper: (path, content) => upload({ ...published, [`models/${path}`]: content }),
      disconnect: () => {
        isConnected = false;
        return () => isConnected = true;
      },
      open: (context, store) => {
        const http: typeof fetch = (input, init) =>
          isConnected ? context.http(input, init) : Promise.reject(new TypeError("no route to host"));
        return openActions({ ...context, clock, http }, github, store);
      },
      [Symbol.asyncDispose]: () => github[Symbol.asyncDispose](),
    });
  },
});
