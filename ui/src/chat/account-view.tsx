import { useState, type FormEvent, type MouseEvent } from "react";
import { call, request } from "../shared/api";
import type { Desk, Me } from "../shared/contract";
import { TroubleNote } from "../shared/parts";
import { Outcome, useAct } from "./act";
import { addressOf } from "./address";
import { IconButton } from "./icons";
import { Links } from "./links";
import { words } from "./strings";

const ME = "/api/v1/me";

type Props = { desk: Desk; me: Me; onMe: (me: Me) => void; onMenu: () => void };

/** Leave for the sign-in page; what was being written goes too. */
function leave(): void {
  sessionStorage.clear();
  location.replace("/sign-in");
}

export const signOut = (): void => void call("/api/v1/auth/sign-out", { method: "POST" }).finally(leave);

/** The reader's own account: its name, the ways into it, its data and its end. */
export function AccountView({ desk, me, onMe, onMenu }: Props) {
  const isVisitor = me.person.role === "visitor";
  return (
    <main className="sheet account" id="main">
      <header>
        <span className="only-narrow">
          <IconButton icon="menu" label={words.menu} onPress={onMenu} />
        </span>
        <h1>{words.account}</h1>
      </header>
      {isVisitor ? (
        <p className="muted">{words.accountVisitor}</p>
      ) : (
        <p className="muted">{words.accountOf(me.person.email, words.roles[me.person.role])}</p>
      )}
      {!isVisitor && <Name me={me} onMe={onMe} />}
      {!isVisitor && desk.local_sign_in && <Password email={me.person.email} />}
      {!isVisitor && desk.providers.length > 0 && <Providers desk={desk} />}
      <Links />
      <Data />
      <Erasure />
      <section>
        {isVisitor ? (
          <a className="button" href="/sign-in">
            {words.signIn}
          </a>
        ) : (
          <button type="button" className="button" onClick={signOut}>
            {words.signOut}
          </button>
        )}
      </section>
    </main>
  );
}

function Name({ me, onMe }: Pick<Props, "me" | "onMe">) {
  const act = useAct();
  const save = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("name")).trim();
    if (name) void act.run(async () => onMe(await call<Me>(ME, { method: "PATCH", body: { name } })));
  };
  return (
    <form onSubmit={save}>
      <label className="field">
        <span>{words.accountName}</span>
        <input className="input" name="name" autoComplete="name" dir="auto" required maxLength={200} defaultValue={me.person.name} />
      </label>
      <button className="button" type="submit" disabled={act.isBusy}>
        {words.accountRename}
      </button>
      <Outcome act={act} done={words.accountRenamed} />
    </form>
  );
}

function Password({ email }: { email: string | null }) {
  const act = useAct();
  const save = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    const entered = new FormData(form);
    const body = { password: String(entered.get("password")), current: String(entered.get("current")) };
    void act.run(() => call(`${ME}/password`, { method: "PUT", body })).then((done) => done && form.reset());
  };
  return (
    <section aria-labelledby="account-password">
      <h2 id="account-password">{words.password}</h2>
      {email ? (
        <form onSubmit={save}>
          <input type="email" name="email" autoComplete="username" value={email} readOnly hidden />
          <label className="field">
            <span>{words.passwordCurrent}</span>
            <input className="input" type="password" name="current" autoComplete="current-password" maxLength={512} />
          </label>
          <label className="field">
            <span>{words.passwordNew}</span>
            <input
              className="input"
              type="password"
              name="password"
              autoComplete="new-password"
              required
              minLength={10}
              maxLength={512}
            />
          </label>
          <button className="button" type="submit" disabled={act.isBusy}>
            {words.passwordSet}
          </button>
          <Outcome act={act} done={words.passwordDone} />
        </form>
      ) : (
        <p className="muted">{words.passwordNoEmail}</p>
      )}
    </section>
  );
}

function Providers({ desk }: Pick<Props, "desk">) {
  const act = useAct();
  // The way to a provider is a plain link, which cannot renew an expired session, so that is done first.
  const connect = (event: MouseEvent<HTMLAnchorElement>): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    const { href } = event.currentTarget;
    void act.run(async () => {
      await call(ME);
      location.assign(href);
    });
  };
  const next = encodeURIComponent(addressOf({ view: "account" }));
  return (
    <section aria-labelledby="account-providers">
      <h2 id="account-providers">{words.providers}</h2>
      <p className="muted">{words.providersIntro}</p>
      <div className="row">
        {desk.providers.map(({ id, name }) => (
          <a
            key={id}
            className="button"
            href={`/api/v1/auth/start/${encodeURIComponent(id)}?link=true&next=${next}`}
            onClick={connect}
          >
            {words.connect(name)}
          </a>
        ))}
      </div>
      {act.trouble && <TroubleNote trouble={act.trouble} words={words.trouble} />}
    </section>
  );
}

function Data() {
  const act = useAct();
  const download = async (): Promise<void> => {
    const answer = await request(`${ME}/export`);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = words.dataFile;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };
  return (
    <section aria-labelledby="account-data">
      <h2 id="account-data">{words.data}</h2>
      <p className="muted">{words.dataIntro}</p>
      <button type="button" className="button" disabled={act.isBusy} onClick={() => void act.run(download)}>
        {words.dataDownload}
      </button>
      <Outcome act={act} done={words.dataDone} />
    </section>
  );
}

function Erasure() {
  const act = useAct();
  const [typed, setTyped] = useState("");
  const isSure = typed.trim().toLowerCase() === words.eraseWord;
  const erase = (event: FormEvent): void => {
    event.preventDefault();
    if (isSure) void act.run(() => call(ME, { method: "DELETE" })).then((done) => done && leave());
  };
  return (
    <section aria-labelledby="account-erase">
      <h2 id="account-erase">{words.eraseAccount}</h2>
      <p className="muted">{words.eraseIntro}</p>
      <form onSubmit={erase}>
        <label className="field">
          <span>{words.eraseAsk}</span>
          <input
            className="input"
            value={typed}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
        <button className="button bad" type="submit" disabled={!isSure || act.isBusy}>
          {words.eraseAccount}
        </button>
        {act.trouble && <TroubleNote trouble={act.trouble} words={words.trouble} />}
      </form>
    </section>
  );
}
