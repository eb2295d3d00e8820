/** Something that the desk, or the way to it, could not do: a code, what happened, and what to do. */
export class Trouble extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint = "",
    readonly requestId = "",
    readonly where = "",
  ) {
    super(message);
  }

  /** The request may not have reached the desk at all. */
  get isOffline(): boolean {
    return this.status === 0;
  }
}

export const unreachable = (): Trouble =>
  new Trouble(0, "offline", "The desk cannot be reached", "Check the connection. Nothing you wrote is lost.");

export function troubleOf(reason: unknown): Trouble {
  if (reason instanceof Trouble) return reason;
  return new Trouble(0, "page_error", reason instanceof Error ? reason.message : String(reason));
}

let line: Promise<unknown> = Promise.resolve();

/** One after the other: among all tabs of the browser where it lends locks, else among the calls of this page. */
export async function inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
  if ("locks" in navigator) {
    let isGiven = false;
    const locked = (): Promise<T> => ((isGiven = true), work());
    try {
      return await navigator.locks.request(name, locked);
    } catch (reason) {
      if (isGiven) throw reason; // else this frame may hold none: its browser keeps nothing for frames of other sites
    }
  }
  const answer = line.then(work);
  line = answer.catch(() => undefined);
  return answer;
}

export const toSignIn = (): void => {
  const here = location.pathname + location.search;
  location.assign(`/sign-in?next=${encodeURIComponent(here)}`);
};

async function explain(answer: Response): Promise<Trouble> {
  try {
    const body = (await answer.json()) as { error?: Record<string, string | null> };
    const error = body.error ?? {};
    return new Trouble(
      answer.status,
      error["code"] ?? `http_${answer.status}`,
      error["message"] ?? answer.statusText,
      error["hint"] ?? "",
      error["request_id"] ?? "",
      error["where"] ?? "",
    );
  } catch {
    return new Trouble(answer.status, `http_${answer.status}`, answer.statusText || "The desk gave no reason");
  }
}

type Options = { method?: string; body?: unknown; headers?: Record<string, string>; signal?: AbortSignal };

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (reason) {
    if (init.signal?.aborted) throw reason;
    throw unreachable();
  }
}

/** How a page shows the desk who calls, and what it does when that has expired (`renew`) or is gone (`lost`). */
export type Credentials = {
  init: () => { headers: Record<string, string>; credentials: RequestCredentials };
  renew: () => Promise<boolean>;
  lost: () => void;
};

const cookies: Credentials = {
  init: () => ({ headers: { "X-Frontdesk": "1" }, credentials: "same-origin" }),
  renew: async () => (await reach("/api/v1/auth/refresh", { method: "POST", headers: { "X-Frontdesk": "1" } })).ok,
  lost: toSignIn,
};
let shown = cookies;

/** Call with other credentials than the session's cookies from now on. */
export const show = (credentials: Credentials): void => {
  shown = credentials;
};

/**
 * The call again, with a session that was renewed if it had to be. A refresh token counts once: who waited here for
 * another tab's renewal must not use it again, so the call itself is tried first.
 */
const withRenewal = (send: () => Promise<Response>): Promise<Response> =>
  inTurn("fd-refresh", async () => {
    const answer = await send();
    if (answer.status !== 401) return answer;
    return (await shown.renew()) ? send() : answer;
  });

/**
 * One request with the page's credentials: the session's cookie, if no others are shown. An expired session is renewed
 * once; where that fails, the page goes to sign-in. Throws `Trouble` for every answer that is not 2xx.
 */
export async function request(path: string, options: Options = {}): Promise<Response> {
  const { method = "GET", body, signal } = options;
  const headers = { ...options.headers };
  const isForm = body instanceof FormData;
  if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
  const init: RequestInit = { method };
  if (body !== undefined) init.body = isForm ? body : JSON.stringify(body);
  if (signal) init.signal = signal;
  const send = (): Promise<Response> => {
    const own = shown.init();
    return reach(path, { ...init, credentials: own.credentials, headers: { ...own.headers, ...headers } });
  };
  const first = await send();
  if (first.ok) return first;
  const trouble = await explain(first);
  if (!isSessionOver(path, trouble)) throw trouble;
  const second = await withRenewal(send);
  if (second.ok) return second;
  const rest = await explain(second);
  if (isSessionOver(path, rest)) shown.lost();
  throw rest;
}

/** A 401 that names a field is about what was entered there, such as a wrong password. */
const isSessionOver = (path: string, trouble: Trouble): boolean =>
  trouble.status === 401 && !trouble.where && !path.startsWith("/api/v1/auth/");

/** The JSON of an answer; null where it has none. */
export async function call<T>(path: string, options: Options = {}): Promise<T> {
  const answer = await request(path, options);
  const text = await answer.text();
  return (text ? JSON.parse(text) : null) as T;
}

export function query(values: Record<string, string | number | undefined | null>): string {
  const pairs = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return pairs.length ? `?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}` : "";
}
