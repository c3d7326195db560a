import { cutBody } from "./hub_bodies.ts";

/** A fault of an answer. */
export type HubFault =
  /** Answers with this response. */
  | { readonly kind: "answer"; readonly make: () => Response | Promise<Response> }
  /** Runs something first, then answers correctly. */
  | { readonly kind: "first"; readonly act: () => void | Promise<void> }
  /** The request takes effect, but its answer is lost. */
  | { readonly kind: "lost" }
  /** The correct headers and this many bytes of the body; then the connection ends, once `hang` resolves. */
  | { readonly kind: "cut"; readonly afterBytes: number; readonly hang?: () => Promise<void> }
  /** The correct headers with the same number of wrong bytes. */
  | { readonly kind: "corrupt" };

/** The faults of the next answers. */
export class HubFaults {
  readonly #next: { readonly on: RegExp; readonly fault: HubFault }[] = [];

  /** Adds faults for the next requests whose `METHOD /path` matches, in order. */
  add(on: RegExp, faults: readonly HubFault[]): void {
    for (const fault of faults) this.#next.push({ on, fault });
  }

  /** Returns the answer to a request, with the fault that is next for it. */
  async answer(line: string, answer: () => Promise<Response>): Promise<Response> {
    const index = this.#next.findIndex(({ on }) => on.test(line));
    const fault = index === -1 ? undefined : this.#next.splice(index, 1)[0]?.fault;
    return await answerWith(fault, answer);
  }
}

async function answerWith(fault: HubFault | undefined, answer: () => Promise<Response>): Promise<Response> {
  if (fault?.kind === "answer") return await fault.make();
  if (fault?.kind === "first") await fault.act();
  const response = await answer();
  if (fault?.kind === "lost") {
    await response.body?.cancel();
    return new Response(cutBody(null, 0), { headers: { "content-length": "100" } });
  }
  if (fault?.kind === "cut") {
    const headers = new Headers(response.headers);
    if (!headers.has("content-length")) headers.set("content-length", "1000000");
    // A compressed answer that is cut would look complete.
    headers.set("cache-control", "no-transform");
    return new Response(cutBody(response.body, fault.afterBytes, fault.hang), {
      status: response.status,
      headers,
    });
  }
  if (fault?.kind === "corrupt") {
    const bytes = new Uint8Array(await response.arrayBuffer());
    bytes.forEach((byte, index) => bytes[index] = byte ^ 1);
    return new Response(bytes, response);
  }
  return response;
}
