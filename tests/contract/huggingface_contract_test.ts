import { join } from "node:path";
import { HuggingFaceSource } from "../../lib/carriers/huggingface_source.ts";
import { HubServer } from "../../fakes/hub_server.ts";
import {
  publisherOptions,
  REPO,
  sourceOptions,
  uploadFrom,
  WHOLE_REPO,
  withdrawFromHub,
} from "../helpers/hub_machines.ts";
import { testContext } from "../helpers/test_context.ts";
import {
  type CarrierUnderTest,
  fillModels,
  holdsContract,
  holdsPublisherContract,
  type PublisherUnderTest,
} from "./carrier_contract.ts";

const HUB: CarrierUnderTest<PublisherUnderTest> = {
  carrier: "huggingface",
  makeRegistry: (root) => {
    const objects = join(root, "objects");
    Deno.mkdirSync(objects, { recursive: true });
    const server = new HubServer(objects);
    const modelsDir = join(root, "trainer/models");
    const rules = { layout: WHOLE_REPO, deleteRemoved: false, allowShrink: true };
    let isAway = false;
    const replace = (name: string, text: string) => {
      server.commit(REPO, { [name]: text });
      return Promise.resolve();
    };
    return Promise.resolve({
      publish: async (files, seal) => {
        fillModels(modelsDir, files);
        const options = publisherOptions(server, { rules, seal });
        return (await uploadFrom(testContext(), modelsDir, options)).publication;
      },
      withdraw: async (release, _next, seal) =>
        await withdrawFromHub(testContext(), modelsDir, publisherOptions(server, { rules, seal }), release),
      replaceManifest: (text) => replace("model-sync.json", text),
      replaceSignature: (text) => replace("model.sig", text),
      tamper: (path, content) => {
        server.commit(REPO, { [path]: content });
        return Promise.resolve();
      },
      disconnect: () => {
        isAway = true;
        return () => isAway = false;
      },
      open: (context, store) =>
        new HuggingFaceSource(
          {
            ...context,
            http: (input, init) =>
              isAway ? Promise.reject(new TypeError("connection refused")) : context.http(input, init),
          },
          // Do not wait for an unreachable hub.
          sourceOptions(server, { isHasty: true }),
          store,
        ),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    });
  },
};

holdsContract(HUB);
holdsPublisherContract(HUB);
