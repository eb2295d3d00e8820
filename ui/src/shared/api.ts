/** Something that the desk, or the way to it, could not do: a code, what happened, and what to do. */
export class Trouble extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint = "",
    readonly requestId = "",
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

let refreshing: Promise<boolean> | null = null;

/** A new access cookie from the refresh cookie; calls at the same time share one attempt. */
function refresh(): Promise<boolean> {
  refreshing ??= fetch("/api/v1/auth/refresh", { method: "POST", headers: { "X-Frontdesk": "1" } })
    .then((answer) => answer.ok)
    .catch(() => false)
    .finally(() => {
      refreshing = null;
    });
  return refreshing;
}

export const toSignIn = (): void => {
  const here = location.pathname + location.search;
  location.assign(`/sign-in?next=${encodeURIComponent(here)}`);
};

async function explain(answer: Response): Promise<Trouble> {
  try {
    const body = (await answer.json()) as { error?: Record<string, string> };
    const error = body.error ?? {};
    return new Trouble(
      answer.status,
      error["code"] ?? `http_${answer.status}`,
      error["message"] ?? answer.statusText,
      error["hint"] ?? "",
      error["request_id"] ?? "",
    );
  } catch {
    return new Trouble(answer.status, `http_${answer.status}`, answer.statusText || "The desk gave no reason");
  }
}

type Options = { method?: string; body?: unknown; headers?: Record<string, string>; signal?: AbortSignal };

/**
 * One request with the session's cookie. An expired session is refreshed once; where that fails, the page goes to
 * sign-in. Throws `Trouble` for every answer that is not 2xx.
 */
export async function request(path: string, options: Options = {}, mayRefresh = true): Promise<Response> {
  const { method = "GET", body, signal } = options;
  const headers: Record<string, string> = { "X-Frontdesk": "1", ...options.headers };
  const isForm = body instanceof FormData;
  if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
  const init: RequestInit = { method, headers, credentials: "same-origin" };
  if (body !== undefined) init.body = isForm ? body : JSON.stringify(body);
  if (signal) init.signal = signal;
  let answer: Response;
  try {
    answer = await fetch(path, init);
  } catch (reason) {
    if (signal?.aborted) throw reason;
    throw unreachable();
  }
  if (answer.status === 401 && mayRefresh && !path.startsWith("/api/v1/auth/")) {
    if (await refresh()) return request(path, options, false);
    toSignIn();
  }
  if (!answer.ok) throw await explain(answer);
  return answer;
}

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
