/** A server on loopback with set answers, which records its requests. */
export interface RecordingHost extends AsyncDisposable {
  readonly origin: string;
  readonly requests: {
    readonly method: string;
    readonly path: string;
    readonly headers: Headers;
    readonly body: string;
  }[];
}

/** Answers requests in order and repeats the last answer. Without answers, it returns 204. */
export function startRecordingHost(
  ...answers: ((path: string) => Response | Promise<Response>)[]
): RecordingHost {
  const requests: RecordingHost["requests"] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    requests.push({
      method: request.method,
      path: pathname + search,
      headers: request.headers,
      body: await request.text(),
    });
    const answer = answers[Math.min(requests.length, answers.length) - 1];
    return await answer?.(pathname) ?? new Response(null, { status: 204 });
  });
  return {
    origin: `http://127.0.0.1:${server.addr.port}`,
    requests,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
