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

// A browser's own words for it are another's in each, and tell people nothing.
async function ask(path, options) {
  try {
    return await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw new Error("ppewatch does not answer");
  }
}

export async function change(method, path, body, patienceMs = 10000) {
  const known = token !== undefined;
  token ??= (await (await ask("/api/token")).json().catch(() => ({}))).token;
  const answer = await ask(path, {
    method,
    headers: { "content-type": "application/json", "x-ppewatch-token": token },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(patienceMs),
  });
  if (answer.status === 403) {
    token = undefined;
    // a daemon that was started anew has another token, and has done nothing yet
    if (known) return change(method, path, body, patienceMs);
  }
  // what is not of this app, a proxy's page say, is no JSON
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(told, answer.status);
  return told;
}
