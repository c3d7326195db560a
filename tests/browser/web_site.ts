/** A web site on loopback with the dashboard's content security policy. */
export interface WebSite extends AsyncDisposable {
  readonly origin: string;
  /** The requested paths with their queries, in order. */
  readonly requests: readonly string[];
  /** Resolves when a condition is true after a request. */
  until(isTrue: () => boolean): Promise<void>;
}

export const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/** A page, or a function that answers the request. */
export type SitePage = string | ((request: Request) => Response | Promise<Response>);

/** Serves pages by path. Texts are HTML, except for `.js` and `.css`. */
export function openSite(pages: Readonly<Record<string, SitePage>>): WebSite {
  const requests: string[] = [];
  const waiting: (() => void)[] = [];
  // Ends event streams that a browser holds open.
  const closing = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {}, signal: closing.signal },
    async (request) => {
      const { pathname, search } = new URL(request.url);
      requests.push(pathname + search);
      for (const wake of waiting.splice(0)) wake();
      return await answer(pages[pathname], pathname, request);
    },
  );
  return {
    origin: `http://127.0.0.1:${server.addr.port}`,
    requests,
    until: async (isTrue) => {
      while (!isTrue()) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      await server.finished;
    },
  };
}

async function answer(page: SitePage | undefined, path: string, request: Request): Promise<Response> {
  // Chromium requests it on its own.
  if (path === "/favicon.ico") return new Response(null, { status: 204 });
  if (page === undefined) return new Response("no such page", { status: 404 });
  if (typeof page !== "string") return await page(request);
  const kind = path.endsWith(".js") ? "text/javascript" : path.endsWith(".css") ? "text/css" : "text/html";
  return new Response(page, {
    headers: {
      "content-type": `${kind}; charset=utf-8`,
      "content-security-policy": CONTENT_SECURITY_POLICY,
    },
  });
}
