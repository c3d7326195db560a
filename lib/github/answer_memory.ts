import type { GitHubAnswer, GitHubRequest } from "./github_client.ts";

/** Two repositories with a few pages each are what one process asks about again and again. */
const ANSWERS_MAX = 32;

/** What GitHub answered last to some questions, to be asked again with the answers' ETags. Lives as long as its client. */
export class AnswerMemory {
  readonly #answers = new Map<string, GitHubAnswer<unknown>>();

  recall(request: GitHubRequest): GitHubAnswer<unknown> | undefined {
    return this.#answers.get(keyOf(request));
  }

  keep(request: GitHubRequest, answer: GitHubAnswer<unknown>): void {
    const key = keyOf(request);
    this.#answers.delete(key);
    this.#answers.set(key, answer);
    const [oldest] = this.#answers.keys();
    if (oldest !== undefined && this.#answers.size > ANSWERS_MAX) this.#answers.delete(oldest);
  }
}

function keyOf({ route, parameters }: GitHubRequest): string {
  return JSON.stringify([route, parameters]);
}
