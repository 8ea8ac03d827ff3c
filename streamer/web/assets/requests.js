// Requests that change something carry the token of /api/token.
let token;

// What the server said no to: its words, and for a form its problems by field.
export class Refusal extends Error {
  constructor(told, status) {
    super(told.error ?? `HTTP ${status}`);
    this.status = status;
    this.conflict = told.conflict ?? false;
    this.problems = told.problems ?? [];
  }
}

export async function change(method, path, body, patienceMs = 10000) {
  token ??= (await (await fetch("/api/token", { cache: "no-store" })).json()).token;
  const answer = await fetch(path, {
    method,
    headers: { "content-type": "application/json", "x-ppewatch-token": token },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(patienceMs),
  });
  // what is not of this app, a proxy's page say, is no JSON
  const told = await answer.json().catch(() => ({}));
  // a daemon that was started anew has another token
  if (answer.status === 403) token = undefined;
  if (!answer.ok) throw new Refusal(told, answer.status);
  return told;
}
