import { useEffect, useState, type FormEvent } from "react";
import { call, Trouble, troubleOf } from "../shared/api";
import type { Desk } from "../shared/contract";
import { Bell, Skeleton, TroubleNote } from "../shared/parts";
import { useAnswer } from "../shared/use-answer";
import { words } from "./strings";

/** Where to go afterwards: a path of this desk and nothing else. */
export function nextPath(search: string): string {
  const next = new URLSearchParams(search).get("next") ?? "/";
  const url = new URL(next, location.origin);
  return url.origin === location.origin && next.startsWith("/") ? url.pathname + url.search : "/";
}

/**
 * The one-time token of a link (`#token=…`), or why a provider's sign-in failed (`#error=CODE`), taken out of the address
 * so that it stays in no history.
 */
function takeFragment(): { token: string | null; error: string | null } {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  return { token: fragment.get("token"), error: fragment.get("error") };
}

const { token, error } = takeFragment();
const enter = (): void => location.replace(nextPath(location.search));

export function SignIn() {
  const desk = useAnswer<Desk>("/api/v1/desk");
  const [isEntering, setEntering] = useState(token !== null);
  const [trouble, setTrouble] = useState<Trouble | null>(error ? new Trouble(0, error, words.failed, words.failedHint) : null);

  useEffect(() => {
    document.title = words.title(desk.value?.name ?? "Frontdesk");
  }, [desk.value]);

  useEffect(() => {
    if (token === null) return;
    call("/api/v1/auth/link", { method: "POST", body: { token } })
      .then(enter)
      .catch((reason: unknown) => {
        const found = troubleOf(reason);
        const isSpent = found.status >= 400 && found.status < 429;
        setTrouble(isSpent ? new Trouble(found.status, found.code, words.linkUsed, words.linkHint, found.requestId) : found);
        setEntering(false);
      });
  }, []);

  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setTrouble(null);
    setEntering(true);
    call("/api/v1/auth/sign-in", { method: "POST", body: { email: form.get("email"), password: form.get("password") } })
      .then(enter)
      .catch((reason: unknown) => {
        setTrouble(troubleOf(reason));
        setEntering(false);
      });
  };

  const facts = desk.value;
  return (
    <main className="door">
      <Bell size={48} />
      <h1>{words.title(facts?.name ?? "Frontdesk")}</h1>
      {(trouble ?? desk.trouble) && (
        <TroubleNote
          trouble={(trouble ?? desk.trouble) as Trouble}
          words={words.trouble}
          onAgain={desk.trouble ? desk.reload : undefined}
        />
      )}
      {!facts && desk.loading && <Skeleton label={words.loading} />}
      {isEntering && token && <p role="status">{words.entering}</p>}
      {facts && !(isEntering && token) && (
        <>
          {facts.providers.map((provider) => (
            <a
              key={provider.id}
              className="button"
              href={`/api/v1/auth/start/${provider.id}?next=${encodeURIComponent(nextPath(location.search))}`}
            >
              {words.with(provider.name)}
            </a>
          ))}
          {facts.local_sign_in && (
            <form onSubmit={submit}>
              {facts.providers.length > 0 && <p className="or small muted">{words.or}</p>}
              <label className="field">
                <span>{words.email}</span>
                <input className="input" type="email" name="email" autoComplete="username" required autoFocus />
              </label>
              <label className="field">
                <span>{words.password}</span>
                <input className="input" type="password" name="password" autoComplete="current-password" required />
              </label>
              <button className="button main" type="submit" disabled={isEntering}>
                {words.enter}
              </button>
              <p className="small muted">{words.withoutPassword}</p>
            </form>
          )}
          {!facts.local_sign_in && facts.providers.length === 0 && <p>{words.none}</p>}
          {facts.sign_in === "open" && <a href="/">{words.openDesk}</a>}
        </>
      )}
    </main>
  );
}
